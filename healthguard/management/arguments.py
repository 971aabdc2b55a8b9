"""The types of the command's arguments. An invalid value is reported in one sentence, with exit code 2."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import math
import re
import time

from django.utils import timezone

from healthguard.monitor.durations import parse_duration, valid_time
from healthguard.status import Code

_CODE = re.compile(r"[a-z][a-z0-9_]{0,99}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_SECONDS = 7 * 24 * 3600.0
_MAX_ROUNDS = 1000
_A_TIME = "must be a time like 2026-11-27T18:00, 18:00 or 2026-11-27T18:00Z, or a duration like 2h"


def add_selection(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the arguments that select services. The help says what is done with them: ``verb``."""
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"{verb} only these services and groups")
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="SERVICE", help="leave out a service or a group; repeatable"
    )


def service(text: str) -> str:
    """Return the name of a service or a group with slashes, in the forms that also SERVICE has."""
    return text.strip("/").replace(".", "/")


def seconds(text: str) -> float:
    """Return a number of seconds, above 0 and at most a week.

    Raises:
        argparse.ArgumentTypeError: the text is not such a number.
    """
    value = _number(text)
    if not 0 < value <= _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, like 30, and at most {_MAX_SECONDS:g}")
    return value


def duration(text: str) -> float:
    """Return a duration such as ``30m`` in seconds, above 0 and at most a week.

    Raises:
        argparse.ArgumentTypeError: the text is not such a duration.
    """
    try:
        value = parse_duration(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= _MAX_SECONDS:
        raise argparse.ArgumentTypeError("must be a duration like 90s, 30m or 1h30m, and at most 7d")
    return value


def moment(text: str) -> float:
    """Return a time as seconds since the epoch: an ISO 8601 time, a time of day, or a duration from now.

    A time without a zone is one of TIME_ZONE. A time of day is the next one.

    Raises:
        argparse.ArgumentTypeError: the text is not such a time.
    """
    return _moment(text, is_past=False)


def past_moment(text: str) -> float:
    """Return a time as seconds since the epoch: an ISO 8601 time, a time of day, or a duration before now.

    A time without a zone is one of TIME_ZONE. A time of day is the last one.

    Raises:
        argparse.ArgumentTypeError: the text is not such a time.
    """
    return _moment(text, is_past=True)


def _moment(text: str, *, is_past: bool) -> float:
    try:
        return valid_time(_parsed_moment(text, is_past=is_past))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(_A_TIME) from None


def _parsed_moment(text: str, *, is_past: bool) -> float:
    with contextlib.suppress(ValueError):
        seconds = parse_duration(text)
        return time.time() + (-seconds if is_past else seconds)
    with contextlib.suppress(ValueError):
        return _aware(datetime.datetime.fromisoformat(text)).timestamp()
    now = timezone.localtime(datetime.datetime.fromtimestamp(time.time(), datetime.UTC))
    found = _aware(datetime.datetime.combine(now.date(), datetime.time.fromisoformat(text)))
    day = datetime.timedelta(days=1)
    if is_past:
        return (found if found <= now else found - day).timestamp()
    return (found if found > now else found + day).timestamp()


def _aware(value: datetime.datetime) -> datetime.datetime:
    return value if value.tzinfo is not None else timezone.make_aware(value)


def positive(text: str) -> int:
    """Return a number of rounds: at least 1, and at most 1000.

    Raises:
        argparse.ArgumentTypeError: the text is not such a number.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MAX_ROUNDS):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {_MAX_ROUNDS}")
    return int(text)


def pause(text: str) -> float:
    """Return a number of seconds, from 0 to a week.

    Raises:
        argparse.ArgumentTypeError: the text is not such a number.
    """
    value = _number(text)
    if not 0 <= value <= _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0 to {_MAX_SECONDS:g}, like 15")
    return value


def _number(text: str) -> float:
    """Return a number; NaN, which no comparison accepts, for any other text."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def code(text: str) -> str:
    """Return a problem code.

    Raises:
        argparse.ArgumentTypeError: the text is not a problem code.
    """
    if not _CODE.fullmatch(text):
        raise argparse.ArgumentTypeError("must be a problem code like migrations_pending")
    if text == Code.INVALID_DECLARATION:
        raise argparse.ArgumentTypeError("an invalid declaration cannot be allowed: fix the HEALTHGUARD setting")
    return text


def variable(text: str) -> str:
    """Return the name of an environment variable.

    Raises:
        argparse.ArgumentTypeError: the text is not such a name.
    """
    if not _VARIABLE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            "must be the name of an environment variable, not the token itself: other users can read the arguments of "
            "a process"
        )
    return text
