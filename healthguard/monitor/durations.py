"""Durations and times, as people write and read them."""

from __future__ import annotations

import datetime
import re
from typing import Any

from django.utils import timezone

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_END_OF_TIME = 253_000_000_000
"""A time shortly before the end of the year 9999, after which Python has no dates."""
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> float:
    """Return a duration such as ``30m``, ``1h30m`` or ``90`` in seconds.

    Raises:
        ValueError: the text is not a duration.
    """
    text = text.strip().lower()
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return float(text)


def shown_duration(seconds: float) -> str:
    """Return a duration with its two largest units, like ``1 h 5 min``."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def shown_time(moment: float) -> str:
    """Return a time (seconds since the epoch) in TIME_ZONE, like ``2026-11-27 03:00:05 UTC``."""
    return f"{timezone.localtime(_utc(moment)):%Y-%m-%d %H:%M:%S %Z}"


def valid_time(value: Any) -> float:
    """Return a time (seconds since the epoch).

    Raises:
        TypeError, ValueError, OverflowError: it is not a time that can be shown.
    """
    moment = float(value)
    if not 0 <= moment < _END_OF_TIME:
        raise ValueError("not a time")
    return moment


def iso_time(moment: float) -> str:
    """Return a time (seconds since the epoch) for machines, like ``2026-11-27T03:00:05.123Z``."""
    return _utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _utc(moment: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC)
