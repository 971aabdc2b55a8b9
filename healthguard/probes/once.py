"""A report for a command or a test: the checks run once in this process, which shares their results with no other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from healthguard.probes.evaluation import ProbeEvaluation
from healthguard.probes.probe import Probe
from healthguard.probes.state import HealthState
from healthguard.service import Tree
from healthguard.status import CheckResult, Code, Fault, Problem, Report


def report_once(
    tree: Tree,
    *,
    deadline: float | None = None,
    broken: Problem | None = None,
    show_progress: Callable[[list[tuple[str, ...]]], None] | None = None,
    is_inline: bool | None = None,
) -> Report:
    """Run the services of ``tree`` in this process, and return their report. Nothing is logged.

    Args:
        tree: the services to run.
        deadline: the longest time to wait (seconds). By default each service has its own timeout.
        broken: a problem outside all services that makes the report unhealthy.
        show_progress: a function to call several times a second with the paths of the services still waited for.
        is_inline: True to run the checks on the calling thread and its database connections, where nothing ends a check
            that hangs; False to run them on threads of their own. By default INLINE decides.
    """
    state = HealthState(tree, is_logged=False)
    if is_inline is not None:
        state.is_inline = is_inline
    limit = float("inf") if deadline is None else deadline
    evaluation = ProbeEvaluation(Probe.HEALTH, state=state, broken=broken, deadline=limit)
    evaluation.wait(show_progress)
    report = evaluation.report()
    return report if deadline is None else report.with_results(lambda result: _after_deadline(result, deadline))


def _after_deadline(result: CheckResult, deadline: float) -> CheckResult:
    if result.problem is None or result.problem.code != Code.PENDING:
        return result
    problem = Problem(
        Code.PENDING,
        Fault.OUTAGE,
        f"The service did not finish within the deadline of {deadline:g} s.",
        "Find out what its checks are waiting for, or set a longer deadline.",
        {"deadline_seconds": deadline},
    )
    return dataclasses.replace(result, problem=problem)
