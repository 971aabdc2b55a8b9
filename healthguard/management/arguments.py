"""The types of the command's arguments. An invalid value is reported in one sentence, with exit code 2."""

from __future__ import annotations

import argparse
import math
import re

from healthguard.status import Code

_CODE = re.compile(r"[a-z][a-z0-9_]{0,99}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_SECONDS = 7 * 24 * 3600.0


def add_selection(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the arguments that select services. The help says what is done with them: ``verb``."""
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"{verb} only these services and groups")
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="SERVICE", help="leave out a service or a group; repeatable"
    )


def seconds(text: str) -> float:
    """Return a number of seconds, above 0 and at most a week.

    Raises:
        argparse.ArgumentTypeError: the text is not such a number.
    """
    value = _number(text)
    if not 0 < value <= _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, like 30, and at most {_MAX_SECONDS:g}")
    return value


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
