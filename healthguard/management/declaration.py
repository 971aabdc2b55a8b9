"""The declared services that a subcommand works on."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterable, Iterator

from healthguard.conf import settings
from healthguard.management.errors import UsageError
from healthguard.service import Tree
from healthguard.service.selection import UnknownNameError, select

NOTHING = "There is nothing to check: no service is left of those that are declared."
_NO_DRAIN_FILE = (
    "HEALTHGUARD['DRAIN_FILE'] is not set to a path. Set it to the path of a file in a folder that the containers can "
    "write, such as '/tmp/drain'."
)


def selected_services(names: Iterable[str], excluded: Iterable[str]) -> Tree:
    """Return the named services and groups, or all of them, without those that are excluded.

    Raises:
        UsageError: the declaration cannot be read, or has no service of a name.
    """
    with read_settings():
        tree = settings.tree()
    try:
        return select(tree, names, excluded)
    except UnknownNameError as error:
        raise UsageError(str(error)) from None


def declared_drain_file() -> str:
    """Return the path of DRAIN_FILE.

    Raises:
        UsageError: the declaration cannot be read, or DRAIN_FILE is not declared.
    """
    with read_settings():
        path = settings.drain_file
    if path is None:
        raise UsageError(_NO_DRAIN_FILE)
    return path


@contextlib.contextmanager
def read_settings() -> Iterator[None]:
    """Raise a UsageError if a setting raises an exception when it is read. Checks raise none: it becomes a problem."""
    try:
        yield
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise UsageError(
            f"The declaration cannot be read: {type(error).__name__} at {frame.filename}:{frame.lineno}. "
            "Fix the setting. The option --traceback shows the whole traceback."
        ) from error
