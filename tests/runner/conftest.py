"""The fixtures that the tests of the runner share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from healthguard.runner import rounds
from tests.support.fixture_types import Declare
from tests.support.pod_workers import LONG_TIMEOUT, HangsBriefly, NewCheck
from tests.support.runner_checks import DETAILS_TOKEN, GatedCheck, ThreadNames, WithoutThreads


@pytest.fixture
def declare(healthguard_settings: Declare) -> Declare:
    """Declare services that run on threads, as in production, and that show details to DETAILS_TOKEN."""

    def declare_on_threads(services: object, **keys: Any) -> None:
        # Only a test of the deadline sets a short one, because on a busy machine even a quick check takes a while.
        healthguard_settings(services, **{"DETAILS_TOKENS": [DETAILS_TOKEN], "DEADLINE": 30, **keys})

    return declare_on_threads


@pytest.fixture
def own_threads() -> ThreadNames:
    """Return the names of healthguard's threads that this test has started and that have not ended."""
    before = set(threading.enumerate())

    def names() -> list[str]:
        return [
            thread.name
            for thread in threading.enumerate()
            if thread.name.startswith("healthguard") and thread.name != "healthguard-log" and thread not in before
        ]

    return names


@pytest.fixture
def new_check() -> Iterator[NewCheck]:
    """Return checks whose gates are opened at the end of the test, so that no thread remains."""
    checks: list[GatedCheck] = []

    def create(*, is_open: bool = True) -> GatedCheck:
        checks.append(GatedCheck(is_open=is_open))
        return checks[-1]

    yield create
    for check in checks:
        check.gate.set()


@pytest.fixture
def first(tmp_path: Path, new_check: NewCheck) -> HangsBriefly:
    """Return a worker with a run in flight."""
    return HangsBriefly(tmp_path, new_check(is_open=False))


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runs of a round wait for one another, however slow the machine is."""
    monkeypatch.setattr(rounds, "HANDOVER_SECONDS", LONG_TIMEOUT)


@pytest.fixture(params=[RuntimeError("can't start new thread"), MemoryError()], ids=["limit", "memory"])
def without_threads(request: pytest.FixtureRequest) -> WithoutThreads:
    """Return a context manager in which no thread whose name begins with a text can be started."""

    @contextlib.contextmanager
    def without_threads(name: str) -> Iterator[None]:
        start = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            if thread.name.startswith(name):
                raise request.param
            start(thread)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            yield

    return without_threads
