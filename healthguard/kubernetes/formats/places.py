"""Places of findings, as tools outside this process need them: relative to the root of the repository."""

from __future__ import annotations

import functools
import os
import pathlib
import urllib.parse

STDIN = "<stdin>"
"""The file of what is read from standard input."""


def has_file(file: str) -> bool:
    """Return True if the place is in a file, and not in standard input."""
    return file not in ("", "-", STDIN)


def repository_path(file: str) -> str:
    """Return the path relative to the root of the repository, with forward slashes; absolute if it is not below it."""
    return _repository_path(file, _root())


@functools.lru_cache(1024)
def _repository_path(file: str, root: str) -> str:
    folder, name = os.path.split(file)
    # The file itself may be a symbolic link: its own name is the one that the user gave.
    absolute = os.path.join(os.path.realpath(folder or os.curdir), name)
    relative = os.path.relpath(absolute, root)
    is_below = relative != os.pardir and not relative.startswith(os.pardir + os.sep)
    return (relative if is_below else absolute).replace(os.sep, "/")


def repository_uri(file: str) -> str:
    """Return the percent-encoded path of :func:`repository_path`; a ``file`` URI if it is absolute (RFC 3986)."""
    path = repository_path(file)
    return pathlib.Path(path).as_uri() if os.path.isabs(path) else urllib.parse.quote(os.fsencode(path), safe="/")


def is_relative(uri: str) -> bool:
    """Return True if the URI is relative to the root of the repository."""
    return not uri.startswith("file:")


def _root() -> str:
    """Return the root of the repository: that of the workflow, or the nearest folder with a ``.git``."""
    return _real_root(os.environ.get("GITHUB_WORKSPACE", ""), os.getcwd())


@functools.cache
def _real_root(workspace: str, current: str) -> str:
    return os.path.realpath(workspace or _git_root(current))


def _git_root(start: str) -> str:
    folder = start
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return start
        folder = parent
    return folder
