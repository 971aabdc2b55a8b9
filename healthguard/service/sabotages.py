"""Sabotages: broken copies of a check, which must fail. They prove that the check is able to fail."""

from __future__ import annotations

import dataclasses
import enum
import traceback
from collections.abc import Collection, Iterable

from health_check.base import HealthCheck

from healthguard.runtime.text import escaped
from healthguard.service.check_source import CheckSource, declaration_errors
from healthguard.status import CheckResult, Code, Evidence, Fault, Problem


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


def codes_in_words(codes: Collection[str]) -> str:
    """Return the codes of the problems that a sabotaged check must find, as part of a sentence."""
    return " or ".join(sorted(codes)) or "a problem of the check"


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
        check = source.make()
        if not hasattr(check, "sabotages"):
            return ()
        offered = check.sabotages()
        sabotages = list(offered) if isinstance(offered, Iterable) else [offered]
    except (Exception, SystemExit) as error:
        raise SabotageError(_broken_method(source, error)) from None
    return tuple(_sabotaged(source, sabotage) for sabotage in sabotages)


def _sabotaged(source: CheckSource, sabotage: object) -> SabotagedSource:
    """Return the source of a sabotage.

    Raises:
        SabotageError: it is not a Sabotage, or its arguments have wrong types.
    """
    if not isinstance(sabotage, Sabotage):
        raise SabotageError(_wrong_value(source, f"a value of type {type(sabotage).__name__}"))
    codes = (sabotage.codes,) if isinstance(sabotage.codes, str) else sabotage.codes
    if not isinstance(sabotage.description, str) or not isinstance(codes, Collection):
        raise SabotageError(_wrong_value(source, "a Sabotage with arguments of wrong types"))
    description = escaped(sabotage.description)
    return SabotagedSource(description, dataclasses.replace(source, make=lambda: sabotage.check), frozenset(codes))


def _wrong_value(source: CheckSource, value: str) -> Problem:
    return Problem(
        Code.EXCEPTION,
        Fault.CONFIG,
        f"The method sabotages() of {source.name} yielded {value}.",
        'Yield only objects like healthguard.Sabotage("one table more", check, ["table_missing"]).',
    )


def _broken_method(source: CheckSource, error: BaseException) -> Problem:
    evidence: dict[str, Evidence] = {"exception": type(error).__name__}
    if frames := traceback.extract_tb(error.__traceback__)[1:]:
        evidence["at"] = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}"
    return Problem(
        Code.EXCEPTION,
        Fault.CONFIG,
        f"The sabotages of {source.name} cannot be obtained: its method sabotages() raised {type(error).__name__}.",
        "Fix the exception in that method, which must yield healthguard.Sabotage objects.",
        evidence,
    )


_ABOUT_THE_RUN = frozenset(
    {
        *(Code.BACKGROUND_TASK_STUCK, Code.EXCEPTION, Code.GENERATOR, Code.INVALID_DECLARATION, Code.NO_THREAD),
        *(Code.NOT_RUN, Code.PENDING, Code.STALE, Code.TIMEOUT, Code.UNKNOWN_ALIAS),
        *(code for code in Code if code.startswith("database_")),
    }
)
"""The codes of problems that say nothing about a sabotage: a check fails with them whatever it checks."""
