"""Functions that a declaration contains instead of a value."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from asgiref.sync import sync_to_async


async def resolve_value(function: Callable[[], object]) -> object:
    """Return the result of ``function``, which may be asynchronous.

    A synchronous function is called on a thread on which it may use a database.
    """
    is_async = any(map(inspect.iscoroutinefunction, (function, type(function).__call__)))
    result = function() if is_async else await sync_to_async(function)()
    return await result if inspect.isawaitable(result) else result


def qualified_name(function: object) -> str:
    """Return the module and the name of a callable; those of its class if it has no name. Never raises."""
    while isinstance(function, functools.partial):
        function = function.func
    try:
        return f"{function.__module__}.{function.__qualname__}"  # type: ignore[attr-defined]
    except Exception:
        kind = type(function)
        return f"{kind.__module__}.{kind.__qualname__}"
