"""Sabotages: broken copies of a check, which must fail. They prove that the check is able to fail."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection

from health_check.base import HealthCheck

from healthguard.runtime.text import escaped
from healthguard.service.check_source import CheckSource, declaration_errors
from healthguard.status import CheckResult, Code, Fault, Problem


@dataclasses.dataclass(frozen=True, slots=True)
class Sabotage:
    """A broken copy of a check, which must fail.

    A check offers its sabotages with a method ``sabotages()``, which returns an iterable of them. A copy is run on the
    real thing, also in production. So it must not write or change anything.

    Args:
        description: what is wrong with the copy, in a few words without a secret, like ``"one table more"``.
        check: the copy.
        codes: the codes of the problems that the copy may find. Any other problem proves nothing. Without codes, any
            problem that the check itself reports is accepted, but neither an exception of its code nor a timeout.
    """

    description: str
    check: HealthCheck
    codes: Collection[str] = ()


class Proof(enum.StrEnum):
    """The proof that the run of a sabotaged check gives. The members are in order of severity."""

    PROVEN = "proven"
    """The sabotaged check failed as it must, so the check can fail."""
    UNPROVEN = "unproven"
    """The check offers no sabotages."""
    BLOCKED = "blocked"
    """The sabotaged check failed for another reason, like a database that is down."""
    ESCAPED = "escaped"
    """The sabotaged check passed, so the check does not notice this fault."""

    @property
    def severity(self) -> int:
        """The rank of the proof. 0 is proven, and a larger number is worse."""
        return list(Proof).index(self)


@dataclasses.dataclass(frozen=True, slots=True)
class SabotagedSource:
    """A sabotaged check that can be run.

    Args:
        description: what is wrong with it.
        source: the check.
        codes: the codes of the problems that it must find; empty for any.
    """

    description: str
    source: CheckSource
    codes: frozenset[str]

    def proof(self, result: CheckResult) -> Proof:
        """Return what the result of its run proves."""
        if result.problem is None:
            return Proof.ESCAPED
        code = result.problem.code
        is_expected = code in self.codes if self.codes else code not in _ABOUT_THE_RUN
        return Proof.PROVEN if is_expected else Proof.BLOCKED


class SabotageError(Exception):
    """The sabotages of a check cannot be obtained.

    Args:
        problem: the reason.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def sabotages_of(source: CheckSource) -> tuple[SabotagedSource, ...]:
    """Return the sabotages that a check offers; none if it has no method ``sabotages()``.

    Raises:
        SabotageError: the check is declared wrongly, or its method raises an exception.
    """
    for problem in declaration_errors(source):
        raise SabotageError(problem)
    try:
        offer = getattr(source.make(), "sabotages", None)
        return tuple(_sabotaged(source, sabotage) for sabotage in offer()) if callable(offer) else ()
    except (Exception, SystemExit) as error:
        raise SabotageError(_broken_method(source, error)) from None


def _sabotaged(source: CheckSource, sabotage: Sabotage) -> SabotagedSource:
    description, codes = escaped(sabotage.description), frozenset(map(str, _as_collection(sabotage.codes)))
    return SabotagedSource(description, dataclasses.replace(source, make=lambda: sabotage.check), codes)


def _as_collection(codes: Collection[str]) -> Collection[str]:
    return (codes,) if isinstance(codes, str) else codes


def _broken_method(source: CheckSource, error: BaseException) -> Problem:
    return Problem(
        Code.EXCEPTION,
        Fault.CONFIG,
        f"The method sabotages() of {source.name} raised {type(error).__name__}.",
        "It must return an iterable of healthguard.Sabotage.",
        {"exception": type(error).__name__},
    )


_ABOUT_THE_RUN = frozenset(
    {
        *(Code.BACKGROUND_TASK_STUCK, Code.EXCEPTION, Code.GENERATOR, Code.INVALID_DECLARATION, Code.NO_THREAD),
        *(Code.NOT_RUN, Code.PENDING, Code.STALE, Code.TIMEOUT, Code.UNKNOWN_ALIAS),
        *(code for code in Code if code.startswith("database_")),
    }
)
"""The codes of problems that say nothing about a sabotage: a check fails with them whatever it checks."""
