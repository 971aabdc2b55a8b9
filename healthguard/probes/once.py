"""Reports for a command, a test or the monitor: the checks run in this process, which shares no result with others."""

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


class RepeatedReport:
    """A report that is obtained again and again in this process. Each time, all checks run again. Nothing is logged.

    Verdicts on AI keys are cached as always: a provider does not get a request for each report.

    Args:
        tree: the services to run.
        deadline: the longest time to wait for them (seconds). By default each service has its own timeout.
    """

    def __init__(self, tree: Tree, deadline: float | None = None) -> None:
        # One state for all reports: a check that hangs has one thread, however often it is due.
        self._state = HealthState(tree, is_logged=False)
        self._state.is_inline = False
        self._deadline = deadline

    def report(self, broken: Problem | None = None) -> Report:
        """Run the services, and return their report.

        Args:
            broken: a problem outside all services that makes the report unhealthy.
        """
        deadline = self._deadline
        limit = float("inf") if deadline is None else deadline
        evaluation = ProbeEvaluation(
            Probe.HEALTH, state=self._state, fresh=True, keeps_cache=True, broken=broken, deadline=limit
        )
        evaluation.wait()
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
