"""The immutable values of which a health answer consists: status, fault, problem, results and report."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from healthguard.runtime.text import escaped

Evidence: TypeAlias = "str | int | float | bool | Sequence[Evidence] | Mapping[str, Evidence] | None"
"""The type of evidence: plain JSON values that the check selects one by one. Never a secret."""

NO_EVIDENCE: Mapping[str, Evidence] = MappingProxyType({})

MAX_EVIDENCE_CHARACTERS = 300
"""The longest text in evidence (characters)."""
MAX_EVIDENCE_MEMBERS = 100
"""The largest number of members of a list or a mapping in evidence."""


class Status(enum.StrEnum):
    """The status of a check, of a service, or of everything. The members are in order of severity."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    """Never checked, or checked too long ago. Never shown as healthy."""
    UNHEALTHY = "unhealthy"

    @property
    def is_serving(self) -> bool:
        """True if the service can take traffic. Healthy and degraded are answered with 200, the others with 503."""
        return self in (Status.HEALTHY, Status.DEGRADED)

    @property
    def severity(self) -> int:
        """The rank of the status. 0 is healthy, and a larger number is worse."""
        return _SEVERITY[self]

    @classmethod
    def worst(cls, statuses: Iterable[Status]) -> Status:
        """Return the most severe of ``statuses``; healthy if there are none."""
        return max(statuses, key=lambda status: status.severity, default=cls.HEALTHY)

    @classmethod
    def least(cls, statuses: Iterable[Status]) -> Status:
        """Return the least severe of ``statuses``."""
        return min(statuses, key=lambda status: status.severity)


class Code(enum.StrEnum):
    """The problem codes of healthguard's own checks. Other checks may use codes of their own."""

    KEY_CORRUPTED = "key_corrupted"
    KEY_EMPTY = "key_empty"
    KEY_EXPIRED = "key_expired"
    KEY_FORMAT = "key_format"
    KEY_MISSING = "key_missing"
    KEY_NO_FUNDS = "key_no_funds"
    KEY_NOT_TEXT = "key_not_text"
    KEY_PLACEHOLDER = "key_placeholder"
    KEY_REJECTED = "key_rejected"
    KEY_RESTRICTED = "key_restricted"
    KEY_UNPROVEN = "key_unproven"
    KEY_WRONG_PROVIDER = "key_wrong_provider"
    BASE_URL_INVALID = "base_url_invalid"
    BASE_URL_MISSING = "base_url_missing"
    PROVIDER_DOWN = "provider_down"
    PROVIDER_INCONCLUSIVE = "provider_inconclusive"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    CREDENTIAL_EXPIRED = "credential_expired"
    CREDENTIAL_EXPIRY_UNREADABLE = "credential_expiry_unreadable"
    ENDPOINT_HEADER = "endpoint_header"
    ENDPOINT_MISMATCH = "endpoint_mismatch"
    ENDPOINT_NOT_JSON = "endpoint_not_json"
    ENDPOINT_SECRET = "endpoint_secret"
    ENDPOINT_STATUS = "endpoint_status"
    ENDPOINT_TIMEOUT = "endpoint_timeout"
    ENDPOINT_UNREACHABLE = "endpoint_unreachable"
    SECRET_KEY_CORRUPTED = "secret_key_corrupted"
    SECRET_KEY_EMPTY = "secret_key_empty"
    SECRET_KEY_FALLBACK_WEAK = "secret_key_fallback_weak"
    SECRET_KEY_PLACEHOLDER = "secret_key_placeholder"
    SECRET_KEY_TOO_SHORT = "secret_key_too_short"
    SECRET_KEY_UNPRINTABLE = "secret_key_unprintable"
    SECRET_KEY_WEAK = "secret_key_weak"
    VARIABLE_CORRUPTED = "variable_corrupted"
    VARIABLE_EMPTY = "variable_empty"
    VARIABLE_MISMATCH = "variable_mismatch"
    VARIABLE_MISSING = "variable_missing"
    VARIABLE_PLACEHOLDER = "variable_placeholder"
    VARIABLE_TOO_SHORT = "variable_too_short"
    DATABASE_CLOSED = "database_closed"
    DATABASE_CONNECTIONS_EXHAUSTED = "database_connections_exhausted"
    DATABASE_CORRUPT = "database_corrupt"
    DATABASE_CREDENTIALS = "database_credentials"
    DATABASE_ENGINE = "database_engine"
    DATABASE_ERROR = "database_error"
    DATABASE_MISSING = "database_missing"
    DATABASE_NOT_MIGRATED = "database_not_migrated"
    DATABASE_OPTIONS = "database_options"
    DATABASE_PERMISSION = "database_permission"
    DATABASE_PROTOCOL = "database_protocol"
    DATABASE_READ_ONLY = "database_read_only"
    DATABASE_REFUSED = "database_refused"
    DATABASE_STARTING = "database_starting"
    DATABASE_TIMEOUT = "database_timeout"
    DATABASE_TLS = "database_tls"
    DATABASE_UNREACHABLE = "database_unreachable"
    DATABASE_UNREADABLE = "database_unreadable"
    WRONG_DATABASE = "wrong_database"
    UNKNOWN_ALIAS = "unknown_alias"
    TABLE_MISSING = "table_missing"
    TABLE_NOT_WRITABLE = "table_not_writable"
    TABLE_UNREADABLE = "table_unreadable"
    COLUMN_COLLATION = "column_collation"
    COLUMN_DEFAULT = "column_default"
    COLUMN_GENERATED = "column_generated"
    COLUMN_IDENTITY = "column_identity"
    COLUMN_MISSING = "column_missing"
    COLUMN_NARROWER = "column_narrower"
    COLUMN_NOT_NULL = "column_not_null"
    COLUMN_SCALE = "column_scale"
    COLUMN_TYPE = "column_type"
    COLUMN_UNEXPECTED = "column_unexpected"
    COLUMN_UNREADABLE = "column_unreadable"
    FOREIGN_KEY = "foreign_key"
    UNIQUE_MISSING = "unique_missing"
    UNIQUE_PREFIX = "unique_prefix"
    SEQUENCE_BEHIND = "sequence_behind"
    SEQUENCE_DENIED = "sequence_denied"
    SEQUENCE_EXHAUSTED = "sequence_exhausted"
    UNKNOWN_TYPE = "unknown_type"
    REMOVED_BY_MIGRATION = "removed_by_migration"
    MODELS_BROKEN = "models_broken"
    NOTHING_EXPECTED = "nothing_expected"
    MIGRATIONS_AHEAD = "migrations_ahead"
    MIGRATIONS_BROKEN = "migrations_broken"
    MIGRATIONS_CONFLICT = "migrations_conflict"
    MIGRATIONS_INCONSISTENT = "migrations_inconsistent"
    MIGRATIONS_PENDING = "migrations_pending"
    MIGRATIONS_SKIPPED = "migrations_skipped"
    BACKGROUND_TASK_STUCK = "background_task_stuck"
    EXCEPTION = "exception"
    GENERATOR = "generator"
    INVALID_DECLARATION = "invalid_declaration"
    NO_THREAD = "no_thread"
    NOT_RUN = "not_run"
    PENDING = "pending"
    RETURNED_FALSE = "returned_false"
    STALE = "stale"
    TIMEOUT = "timeout"
    URLCONF_BROKEN = "urlconf_broken"


_UNUSABLE_CODES = frozenset(
    {
        *(Code.DATABASE_CLOSED, Code.DATABASE_CORRUPT, Code.DATABASE_CREDENTIALS, Code.DATABASE_ENGINE),
        *(Code.DATABASE_MISSING, Code.DATABASE_OPTIONS, Code.DATABASE_PROTOCOL, Code.DATABASE_REFUSED),
        *(Code.DATABASE_TLS, Code.DATABASE_UNREADABLE, Code.UNKNOWN_ALIAS, Code.WRONG_DATABASE),
    }
)
"""The codes of problems that affect a whole database, and not only one table or query of it."""

_SEVERITY = {status: severity for severity, status in enumerate(Status)}


class Fault(enum.StrEnum):
    """The kind of action that a problem requires."""

    CONFIG = "config"
    """A wrong configuration, which somebody must change."""
    OUTAGE = "outage"
    """A dependency of this process is down or slow. It may recover by itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """The content of a failure.

    No field may contain a secret, because problems are logged, and shown to callers who may see details.

    Args:
        code: the stable, machine-readable name of the problem: lower case with underscores.
        fault: ``CONFIG`` if somebody must change something, ``OUTAGE`` if it may pass by itself.
        message: the fact: the thing that is wrong, and its location.
        hint: the remedy.
        evidence: allow-listed facts.
    """

    code: str
    fault: Fault
    message: str
    hint: str
    evidence: Mapping[str, Evidence] = dataclasses.field(default_factory=lambda: NO_EVIDENCE)

    @property
    def summary(self) -> str:
        """The problem in one line, for the log: the message, the hint, the code, and the line that raised."""
        place = "" if self.place is None else f"; at {self.place}"
        return f"{self.message} {self.hint} [{self.code}, {self.fault}{place}]"

    @property
    def place(self) -> Evidence:
        """The line of code that raised an exception; None if the problem is not an exception."""
        return self.evidence.get("at") if self.code in (Code.EXCEPTION, Code.URLCONF_BROKEN) else None

    @property
    def explanation(self) -> str:
        """The message, the hint, and the line that raised, on one line each."""
        return "\n".join([self.message, self.hint, *([] if self.place is None else [f"At: {self.place}"])])

    def escaped(self) -> Problem:
        """Return a copy that is safe to show: control characters escaped, long texts cut, lazy texts translated."""
        return Problem(
            escaped(str(self.code)),
            Fault(self.fault),
            escaped(str(self.message)),
            escaped(str(self.hint)),
            escaped_evidence(self.evidence),
        )

    @classmethod
    def invalid_declaration(cls, message: str, hint: str = "Fix this entry of the HEALTHGUARD setting.") -> Problem:
        """Return the problem of a check whose declaration is invalid."""
        return cls(Code.INVALID_DECLARATION, Fault.CONFIG, message, hint)


def escaped_evidence(evidence: Mapping[str, Evidence]) -> Mapping[str, Evidence]:
    """Return evidence that is safe to show: control characters escaped; long texts, lists and mappings cut."""
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
    """The result of one check in one run.

    Args:
        check: the name of the check's class.
        status: the status of the check. The policy of its service decides if a failure counts only as degraded.
        problem: the reason why the check is not healthy; None if it is healthy.
        evidence: facts that a healthy check reports.
    """

    check: str
    status: Status
    problem: Problem | None = None
    evidence: Mapping[str, Evidence] = dataclasses.field(default_factory=lambda: NO_EVIDENCE)

    @property
    def is_blocking(self) -> bool:
        """True if the service's remaining checks should not run, because their dependency is down."""
        return self.status is Status.UNHEALTHY and self.problem is not None and self.problem.fault is Fault.OUTAGE

    @property
    def is_not_run(self) -> bool:
        """True if the check was not run, because of the problem of a check before it."""
        return self.problem is not None and self.problem.code == Code.NOT_RUN

    @property
    def unusable_database(self) -> str | None:
        """The alias of the database that the service's remaining checks must not use; None if there is none.

        They would fail for the same reason, or check the database of another project.
        """
        if self.status is not Status.UNHEALTHY or self.problem is None or self.problem.code not in _UNUSABLE_CODES:
            return None
        alias = self.problem.evidence.get("alias")
        return alias if isinstance(alias, str) else None


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceReport:
    """The state of one service at one moment.

    Args:
        path: the names that lead to the service, outermost group first.
        status: the status that is shown for the service.
        weight: the status that counts for the groups above the service. It is never worse than degraded if the service
            is not critical.
        checks: one result per check, in the order of the declaration.
        checked_at: the end of the run (UTC wall clock); None if no run has ended.
        finished: the end of the run (``time.monotonic()`` seconds); None if no run has ended.
        duration: the time that the run took (seconds); None if no run has ended.
    """

    path: tuple[str, ...]
    status: Status
    weight: Status
    checks: tuple[CheckResult, ...] = ()
    checked_at: datetime.datetime | None = None
    finished: float | None = None
    duration: float | None = None

    @property
    def name(self) -> str:
        """Its path as text, like ``"ai_providers/openai"``."""
        return "/".join(self.path)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of its checks, in the order of the declaration."""
        return tuple(result.problem for result in self.checks if result.problem is not None)

    def counted(self, result: CheckResult) -> Status:
        """Return the status with which one of its checks counts: at most degraded if the service is not critical."""
        return Status.least((result.status, self.weight))

    def with_results(self, change: Callable[[CheckResult], CheckResult]) -> ServiceReport:
        """Return the report with ``change`` applied to each result. It may make results less severe, but not more."""
        checks = tuple(map(change, self.checks))
        if checks == self.checks:
            return self
        worst = Status.worst(result.status for result in checks)
        # A service that is not critical is already less severe than its worst result.
        status, weight = Status.least((self.status, worst)), Status.least((self.weight, worst))
        return dataclasses.replace(self, checks=checks, status=status, weight=weight)


@dataclasses.dataclass(frozen=True, slots=True)
class GroupReport:
    """The reports of a group of services, or of all services."""

    members: Mapping[str, ServiceReport | GroupReport]

    @property
    def status(self) -> Status:
        """The worst weight of a member."""
        return Status.worst(member.weight for member in self.members.values())

    @property
    def weight(self) -> Status:
        """The status that counts for the group above: that of this group."""
        return self.status

    def services(self) -> Iterator[ServiceReport]:
        """Yield every service of the group, depth first."""
        for member in self.members.values():
            if isinstance(member, GroupReport):
                yield from member.services()
            else:
                yield member

    def with_results(self, change: Callable[[CheckResult], CheckResult]) -> GroupReport:
        """Return the reports with ``change`` applied to each result, as for a service."""
        return GroupReport({name: member.with_results(change) for name, member in self.members.items()})


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """An immutable snapshot of the services of a probe at one moment.

    Args:
        root: the status tree, or the one service or group that was requested.
        path: the names that lead to ``root``; empty for the whole tree.
        fresh_until: until when a new report would be the same, unless a run starts or ends (``time.monotonic()``
            seconds); 0 if there is a run to wait for.
        version: the runner's version at that moment, which changes with every run.
        taken: the moment (``time.monotonic()`` seconds).
        draining: True if the pod is draining; only the ``ready`` probe checks this.
    """

    root: GroupReport | ServiceReport
    path: tuple[str, ...]
    fresh_until: float
    version: object
    taken: float
    draining: bool = False

    @property
    def status(self) -> Status:
        """The status that answers the probe."""
        return Status.UNHEALTHY if self.draining else self.root.status

    def services(self) -> tuple[ServiceReport, ...]:
        """Return the reports of all services, depth first."""
        return tuple(self.root.services()) if isinstance(self.root, GroupReport) else (self.root,)

    def with_results(self, change: Callable[[CheckResult], CheckResult]) -> Report:
        """Return the report with ``change`` applied to each result, as for a service."""
        return dataclasses.replace(self, root=self.root.with_results(change))
