"""The management command, and what it consists of."""
