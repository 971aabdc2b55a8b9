"""Checks that fail in every possible way affect only their own service."""

from __future__ import annotations

import pytest

from tests.faults.fixture_types import RunFault, SetFault

SECTION = "check"
TIMEOUT = "unhealthy timeout"
EXCEPTION = "unhealthy exception"

FAULTS = [
    ("sleep", "faulty", "it sleeps forever", TIMEOUT),
    ("spin", "faulty", "it computes forever", TIMEOUT),
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
    ("recurse", "faulty", "it recurses infinitely", EXCEPTION),
    ("constructor", "faulty", "its constructor raises", EXCEPTION),
    ("repr", "faulty", "its repr raises", "healthy"),
    ("labels", "faulty", "its labels raise", "healthy"),
    ("coroutine", "faulty", "it returns a coroutine that raises", "unhealthy unavailable"),
    ("false", "faulty", "it returns False", "unhealthy returned_false"),
    ("twins", "twins", "the second of two checks with the same repr fails", "unhealthy unavailable"),
]


@pytest.mark.parametrize(
    ("name", "service", "fault", "expected"),
    [pytest.param(*fault, id=fault[0]) for fault in FAULTS],
)
def test_faulty_check_affects_only_its_own_service(
    run_fault: RunFault, set_fault: SetFault, name: str, service: str, fault: str, expected: str
) -> None:
    # Both kinds of checks raise Python's own exceptions.
    also = ("faulty", "asynchronous") if name[0].isupper() else ()
    run_fault(SECTION, fault, service, expected, set_fault(name), also=also)
