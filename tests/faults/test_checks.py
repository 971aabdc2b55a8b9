"""A check that does the worst a check can do: its service says so, and nobody else notices."""

from __future__ import annotations

import pytest

SECTION = "check"
TIMEOUT = "unhealthy timeout"
EXCEPTION = "unhealthy exception"

FAULTS = [
    ("sleep", "faulty", "it sleeps for ever", TIMEOUT),
    ("spin", "faulty", "it computes without end", TIMEOUT),
    ("block_loop", "asynchronous", "an async check blocks its loop", TIMEOUT),
    ("ignore_cancel", "asynchronous", "an async check ignores its cancellation", TIMEOUT),
    ("never_ends", "asynchronous", "an async check never ends", TIMEOUT),
    ("sync_to_async", "asynchronous", "an async check hangs in sync_to_async", TIMEOUT),
    ("executor", "asynchronous", "an async check hangs in an executor", TIMEOUT),
    *(
        (name, "faulty", f"it raises {name}", EXCEPTION)
        for name in ("Exception", "SystemExit", "KeyboardInterrupt", "MemoryError", "GeneratorExit")
    ),
    ("CancelledError", "asynchronous", "an async check raises CancelledError", EXCEPTION),
    ("recurse", "faulty", "it recurses without end", EXCEPTION),
    ("constructor", "faulty", "its constructor raises", EXCEPTION),
    ("repr", "faulty", "its repr raises", "healthy"),
    ("labels", "faulty", "its labels raise", "healthy"),
    ("coroutine", "faulty", "it returns a coroutine, which fails", "unhealthy unavailable"),
    ("false", "faulty", "it returns False", "unhealthy returned_false"),
    ("twins", "twins", "the second of two with one repr fails", "unhealthy unavailable"),
]


@pytest.mark.parametrize(
    ("name", "service", "fault", "told"),
    [pytest.param(*fault, id=fault[0]) for fault in FAULTS],
)
def test_a_check(play, set_fault, name, service, fault, told) -> None:
    # Python's own exceptions are raised by both kinds of check.
    also = ("faulty", "asynchronous") if name[0].isupper() else ()
    play(SECTION, fault, service, told, set_fault(name), also=also)
