"""Long lists in texts and evidence, cut to the first names and the number of the remaining ones."""

from __future__ import annotations

from collections.abc import Sequence

MAX_SHOWN = 20
"""The number of names that are shown."""


def truncated_list(names: Sequence[str]) -> str:
    """Return the names as a text, like ``one, two and 3 more``."""
    more = len(names) - MAX_SHOWN
    return ", ".join(names[:MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")
