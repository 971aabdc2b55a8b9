"""A service: checks under one name, and the policy for them. And the tree that services form."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar, cast

from django.utils.module_loading import import_string
from health_check.base import HealthCheck

from healthguard.declared import is_showable, nearest, shown
from healthguard.declared_checks import (
    database_of,
    import_problem,
    not_a_check,
    not_a_pair,
    not_a_path,
    option_problem,
    problem,
)
from healthguard.exceptions import Unhealthy
from healthguard.freshness import SPREAD
from healthguard.status import Problem

CheckSpec: TypeAlias = "HealthCheck | type[HealthCheck] | str | tuple[type[HealthCheck] | str, Mapping[str, Any]]"
"""A check as it is declared: an instance, a class, a dotted path, or one of these two with options."""

_POLICY = ("ready", "critical", "ttl", "stale_for", "timeout")
_DEFAULT_TIMEOUT: float = HealthCheck.timeout.total_seconds()

ReadyPolicy: TypeAlias = Literal["startup", "always", "never"]

DEFAULT_TTL = 5.0
"""How long a result is fresh where neither the service nor a check says (seconds)."""
DEFAULT_STALE_FOR = 60.0
"""How much longer it may be served while the next run is under way (seconds)."""

_Init = TypeVar("_Init", bound=Callable[..., None])


def _keep_unknown_options(init: _Init) -> _Init:
    """Store unknown options for :meth:`Service.policy_errors`; to raise would end the import of the settings."""

    @functools.wraps(init)
    def tolerant(self: Service, *checks: Any, **options: Any) -> None:
        self.unknown_options = tuple(name for name in options if name not in _POLICY)
        init(self, *checks, **{name: value for name, value in options.items() if name in _POLICY})

    return cast("_Init", tolerant)


class Service:
    """One or more checks that are run in order, on one thread, with one deadline and one freshness.

    Args:
        checks: the checks: instances, or as in django-health-check classes, dotted paths, or ``(path, {options})``;
            a list of them counts as its members.
        ready: what a failure does to the pod: ``"startup"`` keeps it out until it has been ready once, ``"always"``
            takes it out whenever it happens, ``"never"`` is only reported.
        critical: whether a failure counts in full; otherwise it counts as degraded.
        ttl: how long a result is fresh (seconds). By default the longest that a check asks for, less up to a tenth by
            chance: 300 for what calls an AI provider. 5 where none asks.
        stale_for: how much longer it may be served while the next run is under way (seconds).
        timeout: how long a run may take (seconds). By default the longest timeout of its checks, which is 5 where
            they do not say.
    """

    unknown_options: tuple[str, ...] = ()

    @_keep_unknown_options
    def __init__(
        self,
        *checks: CheckSpec | Sequence[CheckSpec],
        ready: ReadyPolicy = "startup",
        critical: bool = True,
        ttl: float | None = None,
        stale_for: float = DEFAULT_STALE_FOR,
        timeout: float | None = None,
    ) -> None:
        self.checks: tuple[CheckSpec, ...] = tuple(
            spec for given in checks for spec in (given if isinstance(given, list) else [given])
        )
        self.ready = ready
        self.critical = critical
        self.ttl = ttl
        self.stale_for = stale_for
        self.timeout = timeout

    def __repr__(self) -> str:
        # Not the checks: what a stranger's repr tells or raises is not known.
        return f"<Service: {len(self.checks)} checks, ready={shown(self.ready)}>"

    def policy_errors(self) -> Iterator[str]:
        """Yield what is wrong with the policy, a sentence each."""
        for name in self.unknown_options:
            near = nearest(name, _POLICY)
            meant = f" Did you mean {near!r}?" if near else ""
            yield f"Service has no option {shown(name)}.{meant} Its options are: {', '.join(_POLICY)}."
        if self.ready not in ("startup", "always", "never"):
            yield f"ready is {shown(self.ready)}; it must be 'startup', 'always' or 'never'."
        if not isinstance(self.critical, bool):
            yield "critical must be True or False."
        for name, value, least in (
            ("ttl", self.ttl, 0.0),
            ("stale_for", self.stale_for, 0.0),
            ("timeout", self.timeout, 0.001),
        ):
            if value is None and name != "stale_for":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < float("inf"):
                yield f"{name} must be a number of seconds, at least {least:g}."


@dataclasses.dataclass(frozen=True, slots=True)
class CheckSource:
    """Where a check comes from: ready to be made, or why it cannot be.

    Args:
        name: the class's name, as shown.
        make: gives the check to run; may raise anything.
        ttl: how long the check wants its result held (seconds); None where it does not say.
        timeout: how long the check gives itself (seconds).
        alias: the database alias that the check names, for telling a database's error.
        error: what is wrong with the declaration; None when nothing is.
        database: the alias of the database that the check uses; None if it is not a check of a database.
    """

    name: str
    make: Callable[[], HealthCheck]
    ttl: float | None = None
    timeout: float = _DEFAULT_TIMEOUT
    alias: str = dataclasses.field(default="default", repr=False)
    error: Problem | None = None
    database: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceNode:
    """A service in its place in the tree, with its policy resolved to numbers (seconds)."""

    path: tuple[str, ...]
    sources: tuple[CheckSource, ...]
    ready: ReadyPolicy
    critical: bool
    ttl: float
    stale_for: float
    timeout: float


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """All services, in groups."""

    members: Mapping[str, ServiceNode | Tree]

    def services(self) -> Iterator[ServiceNode]:
        """Every service, depth first."""
        for member in self.members.values():
            if isinstance(member, Tree):
                yield from member.services()
            else:
                yield member

    def at(self, path: Sequence[str]) -> ServiceNode | Tree | None:
        """The service or group that ``path`` leads to."""
        node: ServiceNode | Tree | None = self
        for name in path:
            node = node.members.get(name) if isinstance(node, Tree) else None
        return node


def place(service: Service, path: tuple[str, ...]) -> ServiceNode:
    """``service`` with everything that it leaves open settled."""
    sources = tuple(source_of(spec) for spec in service.checks)
    ttls = [source.ttl for source in sources if source.ttl is not None]
    return ServiceNode(
        path=path,
        sources=sources,
        ready=service.ready,
        critical=service.critical,
        ttl=service.ttl if service.ttl is not None else _spread(max(ttls)) if ttls else DEFAULT_TTL,
        stale_for=service.stale_for,
        timeout=service.timeout
        if service.timeout is not None
        else max((source.timeout for source in sources), default=_DEFAULT_TIMEOUT),
    )


def _spread(ttl: float) -> float:
    # What is asked of somebody else, the processes of a fleet should not ask in step.
    return ttl * random.uniform(1 - SPREAD, 1)  # noqa: S311 - nothing depends on its being hard to guess


def source_of(spec: CheckSpec) -> CheckSource:
    """Read one declared check. What is wrong with it becomes its error, never an exception."""
    options: Mapping[str, Any] = {}
    given: Any = spec
    if isinstance(spec, tuple):
        if len(spec) != 2 or not isinstance(spec[1], Mapping) or not isinstance(spec[0], str | type):
            return _broken(not_a_pair(spec))
        given, options = spec
    if isinstance(given, str):
        found = _imported(given)
        if isinstance(found, CheckSource):
            return found
        given = found
    if isinstance(given, type) and issubclass(given, HealthCheck):
        return _source_of_class(given, options)
    if isinstance(given, HealthCheck):
        return _source(given, {}, lambda: given)
    return _broken(not_a_check(given))


def _source_of_class(cls: type[HealthCheck], options: Mapping[str, Any]) -> CheckSource:
    wrong = option_problem(cls, options)
    return _source(cls, options, lambda: cls(**options)) if wrong is None else _broken(wrong, cls.__name__)


def _source(
    check: HealthCheck | type[HealthCheck], options: Mapping[str, Any], make: Callable[[], HealthCheck]
) -> CheckSource:
    name = (check if isinstance(check, type) else type(check)).__name__
    alias = _alias(check, options)
    database = database_of(check, alias)
    given = options.get("alias", _attribute(check, "alias"))
    if database is not None and not isinstance(given, str):
        return _broken(problem(f"{name} takes an alias of the DATABASES setting, and got {shown(given)}"), name)
    ttl, timeout = _ttl(check, options), _timeout(check, options)
    return CheckSource(name, make, ttl, timeout, alias, database=database)


def _imported(path: str) -> object:
    """Return what the dotted path leads to, or a source that reports why it leads nowhere."""
    is_dotted_path = "." in path and all(map(str.isidentifier, path.split(".")))
    if not is_dotted_path or not is_showable(path):
        # The value of a variable, perhaps.
        return _broken(not_a_path(path))
    try:
        return import_string(path)
    except BaseException as error:
        return _broken(import_problem(path, error), path.rpartition(".")[2])


def misdeclared(source: CheckSource) -> Iterator[Problem]:
    """Yield what is wrong with a check's declaration, for a system check to report before anything runs."""
    # Here, for settings import this module.
    from django.db import connections

    from healthguard.databases import unknown_alias

    if source.error is not None:
        yield source.error
        return
    try:
        check = source.make()
        report = getattr(check, "misdeclared", None)
        problems = list(report()) if callable(report) else []
    except BaseException as error:
        problems = [problem(f"{source.name} cannot be made with these options ({type(error).__name__})")]
    if source.database is not None and source.database not in connections:
        problems.append(unknown_alias(source.database).problem)
    yield from problems


def _attribute(check: HealthCheck | type[HealthCheck], name: str) -> object:
    try:
        return getattr(check, name, None)
    except BaseException:
        # A stranger's property may raise; that must not cost the other services their answer.
        return None


def _ttl(check: HealthCheck | type[HealthCheck], options: Mapping[str, Any]) -> float | None:
    value = options.get("ttl", _attribute(check, "ttl"))
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except OverflowError:
        # The check itself tells that it cannot be meant.
        return None


def _timeout(check: HealthCheck | type[HealthCheck], options: Mapping[str, Any]) -> float:
    value = options.get("timeout", _attribute(check, "timeout"))
    if isinstance(value, datetime.timedelta) and value > datetime.timedelta(0):
        return value.total_seconds()
    return _DEFAULT_TIMEOUT


def _alias(check: HealthCheck | type[HealthCheck], options: Mapping[str, Any]) -> str:
    value = options.get("alias", _attribute(check, "alias"))
    return value if isinstance(value, str) else "default"


def _broken(wrong: Problem, name: str = "?") -> CheckSource:
    def make() -> HealthCheck:
        raise Unhealthy.of(wrong)

    return CheckSource(name, make, error=wrong)
