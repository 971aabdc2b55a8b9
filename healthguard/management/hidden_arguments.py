"""Secret URLs in the arguments of the monitor, which other users can read in the list of processes."""

from __future__ import annotations

import json
import os
import sys

_VARIABLE = "HEALTHGUARD_HIDDEN_ARGUMENTS"
_PREFIX = "hidden:"
_PUBLIC_OPTIONS = ("--url", "--link")


def without_secrets(argv: list[str]) -> list[str]:
    """Return the arguments to use. If they contain secret URLs, start this process again without them.

    Then the function does not return. The new process has the same id. It gets the URLs in a variable of its
    environment, which only its user can read.

    Args:
        argv: the arguments of ``manage.py``.
    """
    stored = os.environ.pop(_VARIABLE, None)
    if stored is not None:
        values = json.loads(stored)
        return [values[int(argument.removeprefix(_PREFIX))] if _is_hidden(argument) else argument for argument in argv]
    tail = argv[1:]
    secrets = [argument for before, argument in zip(argv, tail, strict=False) if _is_secret(before, argument)]
    # If another program calls this function with arguments of its own, there is nothing to hide, and no way to do it.
    if "monitor" in tail[1:] and secrets and sys.orig_argv[-len(tail) :] == tail and os.name == "posix":
        shown = [f"{_PREFIX}{secrets.index(argument)}" if argument in secrets else argument for argument in tail]
        _start_again([*sys.orig_argv[: -len(tail)], *shown], secrets)
    return argv


def _start_again(arguments: list[str], secrets: list[str]) -> None:
    os.execve(sys.executable, arguments, {**os.environ, _VARIABLE: json.dumps(secrets)})  # noqa: S606 - no shell


def _is_hidden(argument: str) -> bool:
    return argument.startswith(_PREFIX)


def _is_secret(before: str, argument: str) -> bool:
    """Return True if an argument is a URL that may be secret, or an option with one, or looks like a hidden one."""
    if _is_hidden(argument):
        return True
    return "://" in argument and before not in _PUBLIC_OPTIONS and argument.partition("=")[0] not in _PUBLIC_OPTIONS
