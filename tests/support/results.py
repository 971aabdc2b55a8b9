"""The problem of a check's result."""

from __future__ import annotations

from healthguard.status import CheckResult, Problem


def problem_of(outcome: CheckResult) -> Problem:
    """Return the problem of a result, which must have one."""
    assert outcome.problem is not None, f"{outcome.check} is {outcome.status}"
    return outcome.problem
