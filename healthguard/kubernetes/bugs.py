"""Exceptions that nobody expected: bugs of healthguard. Their texts may contain values, so they are not shown."""

from __future__ import annotations

import os
import traceback

REMEDY = "Report it as a bug of healthguard, with this message."


def describe(error: Exception) -> str:
    """Return the class of an exception, and the line of code that raised it."""
    return f"{type(error).__name__} at {place_of(error)}"


def place_of(error: Exception) -> str:
    """Return the line of code that raised an exception, without the folder of the installation."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{os.path.basename(frame.filename)}:{frame.lineno}"
