"""The errors of database drivers, and the problems that they become."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import django.db
import pytest

from healthguard.database.queries import problem_of
from healthguard.status import Problem
from tests.support.sites import PATIENCE


def wrapped(error: Exception) -> django.db.Error:
    """Return the error that Django raises for an error of a driver."""
    wrapping: django.db.Error = getattr(django.db, type(error).__name__, django.db.OperationalError)()
    wrapping.__cause__ = error
    return wrapping


def problem_of_a_full_server(connect: Callable[[], Any], errors: tuple[type[Exception], ...]) -> Problem:
    """Return the problem of the first connection that the full server refuses.

    A connection that was closed before may still have occupied a place while the server was filled. A connection that
    succeeds therefore keeps its place.

    Args:
        connect: the function that opens a connection of the driver.
        errors: the errors with which the driver refuses one.
    """
    ends = time.monotonic() + PATIENCE
    with contextlib.ExitStack() as taken:
        while time.monotonic() < ends:
            try:
                taken.enter_context(contextlib.closing(connect()))
            except errors as error:
                return problem_of(wrapped(error), "other")
    pytest.fail("the server accepted every connection")
