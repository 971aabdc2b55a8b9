"""Long lists in texts and evidence: the first few, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

MAX_SHOWN = 20
"""How many are shown."""


def listed(names: Sequence[str]) -> str:
    """``one, two and 3 more``."""
    more = len(names) - MAX_SHOWN
    return ", ".join(names[:MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")
