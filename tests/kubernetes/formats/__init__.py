"""The tests of the formats of an examination."""
