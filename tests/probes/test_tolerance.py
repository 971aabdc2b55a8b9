"""The problems that a command tolerates."""

from __future__ import annotations

import dataclasses

import pytest

from healthguard.probes.tolerance import Tolerance
from healthguard.status import CheckResult, Code, Fault, Problem, Report, Status
from tests.formats.reports import report, result, service

NOT_RUN = CheckResult("Lamp", Status.UNKNOWN, Problem(Code.NOT_RUN, Fault.OUTAGE, "Not run.", "Fix Plug first."))
DEGRADED = report(service(result(Status.DEGRADED)))
NOT_CRITICAL = report(service(result(Status.UNHEALTHY), is_critical=False))
BARE = report(dataclasses.replace(service(), status=Status.DEGRADED, weight=Status.DEGRADED))
ALLOWED = Tolerance(("plug_out",), is_strict=True)


@pytest.mark.parametrize(
    ("shown", "is_rejected", "is_rejected_if_strict", "is_rejected_if_strict_and_allowed"),
    [
        (report(service(result())), False, False, False),
        (DEGRADED, False, True, False),
        (NOT_CRITICAL, False, True, False),
        (BARE, False, True, True),
        (report(service(result(Status.UNKNOWN))), True, True, True),
        (report(service(result()), draining=True), True, True, True),
        (report(service(result(Status.UNKNOWN), is_critical=False)), False, True, False),
    ],
)
def test_report_is_rejected_if_a_problem_is_not_tolerated(
    shown: Report, is_rejected: bool, is_rejected_if_strict: bool, is_rejected_if_strict_and_allowed: bool
) -> None:
    rejected = [tolerance.rejects(shown) for tolerance in (Tolerance(), Tolerance(is_strict=True), ALLOWED)]
    assert rejected == [is_rejected, is_rejected_if_strict, is_rejected_if_strict_and_allowed]


def test_allowed_problem_is_degraded() -> None:
    shown = ALLOWED.applied_to(report(service(result(Status.UNHEALTHY)), service(result(Status.UNHEALTHY, "x"))))
    assert shown.status is Status.DEGRADED
    assert not ALLOWED.rejects(shown)


def test_check_that_was_not_run_after_an_allowed_problem_is_rejected() -> None:
    """It was not checked."""
    assert ALLOWED.rejects(ALLOWED.applied_to(report(service(result(Status.UNHEALTHY), NOT_RUN))))
