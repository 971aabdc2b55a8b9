"""How a check tells what is wrong: exceptions that carry a Problem.

    health_check.exceptions.HealthCheckException
    ├── ServiceUnavailable
    │   └── Unhealthy     traffic must not come
    └── ServiceWarning
        └── Degraded      worth knowing; traffic may come

They are django-health-check's own, so that its view tells them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from health_check.exceptions import ServiceUnavailable, ServiceWarning

from healthguard.escaping import escaped
from healthguard.status import NO_EVIDENCE, Evidence, Fault, Problem


class _TellsProblem:
    """Carries ``problem``; takes the fields of Problem as its arguments."""

    def __init__(
        self, code: str, message: str, *, fault: Fault, hint: str, evidence: Mapping[str, Evidence] = NO_EVIDENCE
    ) -> None:
        self.problem = Problem(code=code, fault=fault, message=message, hint=hint, evidence=evidence)
        # What django-health-check's own view and log show.
        super().__init__(f"{escaped(str(message))} {escaped(str(hint))}")  # type: ignore[call-arg]

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The exception that tells ``problem``."""
        return cls(problem.code, problem.message, fault=problem.fault, hint=problem.hint, evidence=problem.evidence)


class Unhealthy(_TellsProblem, ServiceUnavailable):
    """What the check looks at does not do what it must.

    Args:
        code: stable, for machines: lower case with underscores.
        message: what is wrong, and where: a sentence, without any secret.
        fault: ``Fault.CONFIG`` if somebody must change something, ``Fault.OUTAGE`` if it may pass by itself.
        hint: the remedy: a sentence.
        evidence: facts to show beside it, chosen one by one; never a secret.
    """


class Degraded(_TellsProblem, ServiceWarning):
    """It works, but somebody should know. Takes the arguments of :class:`Unhealthy`."""
