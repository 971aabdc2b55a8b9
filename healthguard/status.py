"""The words of a health answer, as immutable values: status, fault, problem, results, report."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from healthguard.escaping import escaped

Evidence: TypeAlias = "str | int | float | bool | Sequence[Evidence] | Mapping[str, Evidence] | None"
"""What may stand as evidence: plain JSON values, chosen by the check one by one. Never a secret."""

NO_EVIDENCE: Mapping[str, Evidence] = MappingProxyType({})

MAX_EVIDENCE_CHARACTERS = 300
"""The longest text in evidence (characters)."""
MAX_EVIDENCE_MEMBERS = 100
"""The most members that a list or a mapping in evidence may have."""


class Status(enum.StrEnum):
    """How a check, a service or everything is. The members stand in order of severity."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    """Never checked, or checked too long ago. Not green."""
    UNHEALTHY = "unhealthy"

    @property
    def is_serving(self) -> bool:
        """Whether traffic may come: healthy and degraded are answered with 200, the others with 503."""
        return self in (Status.HEALTHY, Status.DEGRADED)

    @property
    def severity(self) -> int:
        """0 for healthy, larger for worse."""
        return _SEVERITY[self]

    @classmethod
    def worst(cls, statuses: Iterable[Status]) -> Status:
        """The most severe of ``statuses``; healthy where there are none."""
        return max(statuses, key=lambda status: status.severity, default=cls.HEALTHY)


_UNUSABLE = frozenset(
    {
        *("database_closed", "database_corrupt", "database_credentials", "database_engine", "database_missing"),
        *("database_options", "database_protocol", "database_refused", "database_tls", "database_unreadable"),
        *("unknown_alias", "wrong_database"),
    }
)
"""The codes of problems that concern all of a database and not one table or query of it."""

_SEVERITY = {status: severity for severity, status in enumerate(Status)}


class Fault(enum.StrEnum):
    """Whose move it is."""

    CONFIG = "config"
    """Somebody must change something: it does not pass by itself."""
    OUTAGE = "outage"
    """Something this process depends on is down or slow: it may pass by itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """What a failing check tells.

    No field may hold a secret: a problem is shown to those who may see details, and logged.

    Args:
        code: stable, for machines: lower case with underscores.
        fault: must somebody change something, or does it pass by itself?
        message: what is wrong, and where.
        hint: the remedy.
        evidence: allow-listed facts.
    """

    code: str
    fault: Fault
    message: str
    hint: str
    evidence: Mapping[str, Evidence] = dataclasses.field(default_factory=lambda: NO_EVIDENCE)

    def escaped(self) -> Problem:
        """Return this problem as it may be shown: control characters escaped, long texts cut, lazy texts translated."""
        return Problem(
            escaped(str(self.code)),
            Fault(self.fault),
            escaped(str(self.message)),
            escaped(str(self.hint)),
            escaped_evidence(self.evidence),
        )

    @classmethod
    def misdeclared(cls, message: str, hint: str = "Mend it in the HEALTHGUARD setting.") -> Problem:
        """What is wrong with a check's own declaration."""
        return cls("misdeclared", Fault.CONFIG, message, hint)


def escaped_evidence(evidence: Mapping[str, Evidence]) -> Mapping[str, Evidence]:
    """Return evidence as it may be shown: control characters escaped, long texts, lists and mappings cut."""
    return {
        escaped(str(name), MAX_EVIDENCE_CHARACTERS): _escaped_value(value)
        for name, value in list(evidence.items())[:MAX_EVIDENCE_MEMBERS]
    }


def _escaped_value(value: Evidence) -> Evidence:
    if isinstance(value, str):
        return escaped(value, MAX_EVIDENCE_CHARACTERS)
    if isinstance(value, Mapping):
        return escaped_evidence(value)
    if isinstance(value, Sequence):
        return [_escaped_value(member) for member in value[:MAX_EVIDENCE_MEMBERS]]
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check of a service told.

    Args:
        check: the name of the check's class.
        status: the check's own status; whether it counts in full is the service's policy.
        problem: why it is not healthy; None when it is.
        evidence: facts that a healthy check tells of itself.
    """

    check: str
    status: Status
    problem: Problem | None = None
    evidence: Mapping[str, Evidence] = dataclasses.field(default_factory=lambda: NO_EVIDENCE)

    @property
    def is_blocking(self) -> bool:
        """True if what the service's other checks need is down, so that to run them too would only take time."""
        return self.status is Status.UNHEALTHY and self.problem is not None and self.problem.fault is Fault.OUTAGE

    @property
    def unusable_database(self) -> str | None:
        """The alias of a database that no other check of the service can use, or should judge; None if there is none.

        A check of the same database would fail for the same reason, or judge what belongs to another project.
        """
        if self.status is not Status.UNHEALTHY or self.problem is None or self.problem.code not in _UNUSABLE:
            return None
        alias = self.problem.evidence.get("alias")
        return alias if isinstance(alias, str) else None


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceReport:
    """One service at one moment.

    Args:
        path: the names that lead to the service, outermost group first.
        status: what the service shows.
        weight: what the service adds to the groups above it; a service that is not critical never adds more than
            degraded.
        checks: a result a check, in the order of the declaration.
        checked_at: when the checks ended, by the wall clock (UTC); None when they never did.
        finished: the same by ``time.monotonic()`` (seconds).
        duration: how long the checks took (seconds).
    """

    path: tuple[str, ...]
    status: Status
    weight: Status
    checks: tuple[CheckResult, ...] = ()
    checked_at: datetime.datetime | None = None
    finished: float | None = None
    duration: float | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong, in the order of the declaration."""
        return tuple(result.problem for result in self.checks if result.problem is not None)


@dataclasses.dataclass(frozen=True, slots=True)
class GroupReport:
    """Services under one name, or all of them."""

    members: Mapping[str, ServiceReport | GroupReport]

    @property
    def status(self) -> Status:
        """The worst that a member adds."""
        return Status.worst(member.weight for member in self.members.values())

    @property
    def weight(self) -> Status:
        """What the group adds to the group above it: its status."""
        return self.status

    def services(self) -> Iterator[ServiceReport]:
        """Every service below, depth first."""
        for member in self.members.values():
            if isinstance(member, GroupReport):
                yield from member.services()
            else:
                yield member


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """All the services that a probe asked for, at one moment.

    Args:
        root: the status tree, or the one service or group that was asked for.
        path: the names that lead to ``root``; none for the whole tree.
        fresh_until: until when this report is what a new one would say, unless a run starts or ends
            (``time.monotonic()`` seconds); 0 while there is a run to wait for.
        version: the version of the runner's outcomes that it tells.
        taken: when it was put together (``time.monotonic()`` seconds).
        draining: whether the pod has been told to leave; only the ``ready`` probe looks.
    """

    root: GroupReport | ServiceReport
    path: tuple[str, ...]
    fresh_until: float
    version: int
    taken: float
    draining: bool = False

    @property
    def status(self) -> Status:
        """What the probe answers."""
        return Status.UNHEALTHY if self.draining else self.root.status
