"""Functions that a declaration holds in the place of a value."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from asgiref.sync import sync_to_async


async def value_of(function: Callable[[], object]) -> object:
    """What ``function`` gives, which may be asynchronous; otherwise it is called where it may ask a database."""
    is_async = any(map(inspect.iscoroutinefunction, (function, type(function).__call__)))
    given = function() if is_async else await sync_to_async(function)()
    return await given if inspect.isawaitable(given) else given
