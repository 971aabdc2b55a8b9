"""The text of a file. Files that are too large, not text, or that would block are rejected."""

from __future__ import annotations

import codecs
import os
import stat
from typing import BinaryIO

from healthguard.kubernetes.reading.errors import InputError, UnreadableInputError
from healthguard.kubernetes.reading.limits import MAX_BYTES

STDIN = "<stdin>"
_MEGABYTE = 1024 * 1024
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A named pipe without a writer would block open(). Windows has neither the flag nor such pipes.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def read_file(path: str) -> str:
    """Return the text of a file.

    Args:
        path: its path, which is also what errors show.

    Raises:
        UnreadableInputError: the file cannot be read, or is not text.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _failure(
                path,
                "It is not a regular file.",
                "Name a file or a folder. To check the output of a program, write `program | … -`.",
            )
        if status.st_size > MAX_BYTES:
            raise _too_large(path, f"The file has {status.st_size / _MEGABYTE:.0f} MB, and")
        try:
            return _decode(_read(file, path), path)
        except OSError as error:
            raise _unreadable(path, error) from None


def read_stdin(stdin: BinaryIO) -> str:
    """Return the text of standard input.

    Raises:
        UnreadableInputError: it cannot be read, or is not text.
    """
    try:
        return _decode(_read(stdin, STDIN), STDIN)
    except (OSError, ValueError) as error:
        raise _unreadable(STDIN, error) from None


def _read(file: BinaryIO, shown: str) -> bytes:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _too_large(shown, "The input is too large:")
    return data


def _decode(data: bytes, shown: str) -> str:
    if data.startswith(_UTF_16):
        encoding, name = "utf-16", "UTF-16"
    else:
        encoding, name = "utf-8-sig", "UTF-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        # The exception contains the data.
        line = data.count(b"\n", 0, error.start) + 1 if name == "UTF-8" else None
        is_binary = b"\0" in data[:8192]
    if is_binary:
        raise _failure(shown, "It is a binary file.", "Name manifests: files in YAML or JSON.")
    raise _failure(shown, f"The file is not encoded in {name}.", "Save it in UTF-8.", line)


def _too_large(shown: str, beginning: str) -> UnreadableInputError:
    return _failure(
        shown,
        f"{beginning} at most {MAX_BYTES // _MEGABYTE} MB are read.",
        "Split it, or name only the manifests that belong to the application.",
    )


def _unreadable(shown: str, error: Exception) -> UnreadableInputError:
    reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    return _failure(shown, f"It cannot be read: {reason}.", "Check the path and its permissions.")


def _failure(shown: str, message: str, remedy: str, line: int | None = None) -> UnreadableInputError:
    return UnreadableInputError(InputError(shown, line, message, remedy))
