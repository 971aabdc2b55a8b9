"""Empty values in the setting, which come from variables that are not set."""

from __future__ import annotations


def is_blank(value: object) -> bool:
    """Return True if a value is missing: its variable is not set, or its Secret contains only white space."""
    return value is None or (isinstance(value, str) and not value.strip())
