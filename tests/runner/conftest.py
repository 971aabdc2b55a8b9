"""The fixtures that the tests of the runner share."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.support.fixture_types import Declare
from tests.support.runner_checks import DETAILS_TOKEN, ThreadNames


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
