"""A report for a command: the checks run once in this process, and their results are shared with no other process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection

from healthguard.probes.evaluation import ProbeEvaluation
from healthguard.probes.probe import Probe
from healthguard.probes.state import HealthState
from healthguard.service import Tree
from healthguard.status import CheckResult, Code, Fault, GroupReport, Problem, Report, ServiceReport, Status


def report_once(
    tree: Tree,
    *,
    deadline: float | None = None,
    broken: Problem | None = None,
    show_progress: Callable[[list[tuple[str, ...]]], None] | None = None,
) -> Report:
    """Run the services of ``tree`` in this process, and return their report. Nothing is logged.

    Args:
        tree: the services to run.
        deadline: the longest time to wait (seconds). By default each service has its own timeout.
        broken: a problem outside all services that makes the report unhealthy.
        show_progress: a function to call several times a second with the paths of the services still waited for.
    """
    state = HealthState(tree, is_logged=False)
    limit = float("inf") if deadline is None else deadline
    evaluation = ProbeEvaluation(Probe.HEALTH, state=state, broken=broken, deadline=limit)
    evaluation.wait(show_progress)
    report = evaluation.report()
    return report if deadline is None else _changed(report, lambda result: _after_deadline(result, deadline))


def tolerate(report: Report, codes: Collection[str]) -> Report:
    """Return the report with the status degraded for each check whose problem has one of these codes."""

    def tolerated(result: CheckResult) -> CheckResult:
        if result.status is not Status.UNHEALTHY or result.problem is None or result.problem.code not in codes:
            return result
        return dataclasses.replace(result, status=Status.DEGRADED)

    return _changed(report, tolerated)


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


def _changed(report: Report, change: Callable[[CheckResult], CheckResult]) -> Report:
    """Return the report with ``change`` applied to each result. It may make results less severe, but not more."""

    def changed(node: GroupReport | ServiceReport) -> GroupReport | ServiceReport:
        if isinstance(node, GroupReport):
            return GroupReport({name: changed(member) for name, member in node.members.items()})
        checks = tuple(map(change, node.checks))
        if checks == node.checks:
            return node
        worst = Status.worst(result.status for result in checks)
        # A service that is not critical is already less severe than its worst result.
        status, weight = (min(old, worst, key=lambda status: status.severity) for old in (node.status, node.weight))
        return dataclasses.replace(node, checks=checks, status=status, weight=weight)

    return dataclasses.replace(report, root=changed(report.root))
