"""The monitor: the declaration or running instances, checked in rounds; its messages, and the record of changes."""
