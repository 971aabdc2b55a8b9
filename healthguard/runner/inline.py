"""Inline runs: checks on the thread and the database connections of their caller, as tests need them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import connections, transaction


@contextlib.contextmanager
def rolled_back() -> Iterator[None]:
    """Undo the checks' changes to transactions of the caller, in particular an error that has broken one."""
    with contextlib.ExitStack() as blocks:
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block:
                blocks.enter_context(transaction.atomic(connection.alias))
                # Runs before the block ends, and makes it end in a rollback to its beginning.
                blocks.callback(transaction.set_rollback, True, connection.alias)
        yield
