"""The exceptions that a check raises to report a failure. Each carries a Problem.

    health_check.exceptions.HealthCheckException
    ├── ServiceUnavailable
    │   └── Unhealthy     cannot take traffic
    └── ServiceWarning
        └── Degraded      can take traffic, but needs attention

They derive from django-health-check's exceptions, so its view reports them as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from health_check.exceptions import ServiceUnavailable, ServiceWarning

from healthguard.runtime.text import escaped
from healthguard.status import NO_EVIDENCE, Evidence, Fault, Problem


class _CarriesProblem:
    """The base of exceptions that carry a ``problem``. Its arguments are the fields of Problem."""

    def __init__(
        self, code: str, message: str, *, fault: Fault, hint: str, evidence: Mapping[str, Evidence] = NO_EVIDENCE
    ) -> None:
        self.problem = Problem(code=code, fault=fault, message=message, hint=hint, evidence=evidence)
        # django-health-check's view and its log show this text.
        super().__init__(f"{escaped(str(message))} {escaped(str(hint))}")  # type: ignore[call-arg]

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Return an exception that carries ``problem``."""
        return cls(problem.code, problem.message, fault=problem.fault, hint=problem.hint, evidence=problem.evidence)


class Unhealthy(_CarriesProblem, ServiceUnavailable):
    """A failure: the checked thing does not work as it must.

    Args:
        code: the stable, machine-readable name of the problem: lower case with underscores.
        message: the fact: the thing that is wrong, and its location. One sentence, without any secret.
        fault: ``Fault.CONFIG`` if somebody must change something, ``Fault.OUTAGE`` if it may pass by itself.
        hint: the remedy: one sentence.
        evidence: facts to show with the message, chosen one by one; never a secret.
    """


class Degraded(_CarriesProblem, ServiceWarning):
    """A warning: the checked thing works, but needs attention. Takes the arguments of :class:`Unhealthy`."""
