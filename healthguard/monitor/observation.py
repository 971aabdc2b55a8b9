"""The observation of one service of one instance in one round."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Self

from healthguard.conf import OWN_SERVICE
from healthguard.status import Code, Fault, GroupReport, Problem, Report, ServiceReport, Status


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The content of a problem, without its evidence.

    Args:
        code: the problem code.
        fault: the fault.
        message: the fact.
        hint: the remedy.
    """

    code: str
    fault: Fault
    message: str
    hint: str

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Return the content of a problem."""
        safe = problem.escaped()
        return cls(safe.code, safe.fault, safe.message, safe.hint)

    def to_json(self) -> dict[str, str]:
        """Return the members of a JSON object."""
        return {"code": self.code, "fault": self.fault, "message": self.message, "hint": self.hint}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Return the content that :meth:`to_json` has written.

        Raises:
            KeyError, TypeError, ValueError: the document is of another form.
        """
        return cls(str(document["code"]), Fault(document["fault"]), str(document["message"]), str(document["hint"]))


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """The state of one service in one round.

    Args:
        service: its path as text, like ``"ai_providers/openai"``.
        status: its status.
        is_failing: True if one of its checks is unhealthy or unknown, even if the service counts only as degraded.
        is_critical: False if its failures count only as degraded.
        problems: the problems of its checks, without the checks that were not run.
        checked_at: the end of the run of its checks (seconds since the epoch); None if it is not known.
    """

    service: str
    status: Status
    is_failing: bool = False
    is_critical: bool = True
    problems: tuple[Found, ...] = ()
    checked_at: float | None = None

    @classmethod
    def of(cls, report: ServiceReport) -> Self:
        """Return the observation that a report contains."""
        worst = Status.worst([report.status, *(result.status for result in report.checks)])
        return cls(
            report.name,
            report.status,
            is_failing=not worst.is_serving,
            is_critical=report.weight.is_serving is worst.is_serving,
            problems=tuple(
                Found.of(result.problem)
                for result in report.checks
                if result.problem is not None and not result.is_not_run
            ),
            checked_at=None if report.checked_at is None else report.checked_at.timestamp(),
        )

    @property
    def is_healthy(self) -> bool:
        """True if nothing is wrong with the service."""
        return self.status is Status.HEALTHY

    @property
    def config_codes(self) -> tuple[str, ...]:
        """The codes of the problems that somebody must fix, sorted."""
        return tuple(sorted({problem.code for problem in self.problems if problem.fault is Fault.CONFIG}))


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """The observations of one instance in one round.

    Args:
        observations: the observed services.
        is_complete: False if the instance did not answer, so that nothing is known about its other services.
        is_good: True if the report is healthy or degraded.
    """

    observations: tuple[Observation, ...]
    is_complete: bool
    is_good: bool

    @classmethod
    def of(cls, report: Report) -> Self:
        """Return the observations that a report contains."""
        services = list(_services(report.root))
        is_complete = [service.path for service in services] != [(OWN_SERVICE,)]
        return cls(tuple(map(Observation.of, services)), is_complete, report.status.is_serving)


def failed_sighting(message: str, hint: str, code: str = Code.EXCEPTION) -> Sighting:
    """Return the sighting of an instance whose report could not be obtained."""
    problem = Found(code, Fault.OUTAGE, message, hint)
    observation = Observation(OWN_SERVICE, Status.UNHEALTHY, is_failing=True, problems=(problem,))
    return Sighting((observation,), is_complete=False, is_good=False)


def _services(root: GroupReport | ServiceReport) -> Iterator[ServiceReport]:
    if isinstance(root, ServiceReport):
        yield root
    else:
        yield from root.services()
