"""The source of a declared check: its options and its limits."""

from __future__ import annotations

import dataclasses
import datetime

import pytest
from health_check.base import HealthCheck
from health_check.checks import Mail

from healthguard.checks import SecretKey
from healthguard.service import CheckSpec, source_of


@dataclasses.dataclass
class WaitsForReplies(HealthCheck):
    """A check that uses all of its own timeout, like the ping of Celery."""

    timeout: datetime.timedelta = datetime.timedelta(seconds=1)

    def run(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        (SecretKey(), 5.0),
        (SecretKey, 5.0),
        (WaitsForReplies, 2.0),
        (WaitsForReplies(datetime.timedelta(seconds=7)), 8.0),
        ((WaitsForReplies, {"timeout": datetime.timedelta(seconds=0.5)}), 1.5),
        ((WaitsForReplies, {"timeout": datetime.timedelta(0)}), 5.0),
        (Mail(), 16.0),
    ],
)
def test_check_with_its_own_timeout_gets_a_second_to_report_it(spec: CheckSpec, seconds: float) -> None:
    """A check that waits for exactly its timeout would never report its result otherwise."""
    assert source_of(spec).timeout == seconds
