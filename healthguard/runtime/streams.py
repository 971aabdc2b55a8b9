"""The standard streams of a command, and the ends of its process that leave no traceback."""

from __future__ import annotations

import contextlib
import os
import sys
import types
from typing import NoReturn, TextIO

INTERRUPTED = 130
"""The exit code of a process that Ctrl-C ended: 128 and the number of SIGINT."""
CLOSED = 141
"""The exit code of a process that wrote into a closed pipe: 128 and the number of SIGPIPE."""


def discard(stream: TextIO | None) -> None:
    """Discard what is still written to a stream; None is one that was closed when Python started."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def discard_output() -> None:
    """Discard what Python writes when it exits: the output is closed, or the user wants no more of it."""
    discard(sys.stdout)
    discard(sys.stderr)


def terminate(number: int, frame: types.FrameType | None) -> NoReturn:
    """End the process as a handler of a signal, with the exit code of a shell."""
    raise SystemExit(128 + number)
