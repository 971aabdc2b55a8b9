"""A service: checks under one name, and the policy for them. And the tree that services form."""

from __future__ import annotations

import dataclasses
import datetime
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from django.utils.module_loading import import_string
from health_check.base import HealthCheck

from healthguard.declared import is_showable, shown
from healthguard.exceptions import Unhealthy
from healthguard.freshness import SPREAD
from healthguard.status import Fault, Problem

CheckSpec: TypeAlias = "HealthCheck | type[HealthCheck] | str | tuple[type[HealthCheck] | str, Mapping[str, Any]]"
"""A check as it is declared: an instance, a class, a dotted path, or one of these two with options."""

_DEFAULT_TIMEOUT: float = HealthCheck.timeout.total_seconds()

ReadyPolicy: TypeAlias = Literal["startup", "always", "never"]

DEFAULT_TTL = 5.0
"""How long a result is fresh where neither the service nor a check says (seconds)."""
DEFAULT_STALE_FOR = 60.0
"""How much longer it may be served while the next run is under way (seconds)."""


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
        """What is wrong with the policy, a sentence each."""
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
    """

    name: str
    make: Callable[[], HealthCheck]
    ttl: float | None = None
    timeout: float = _DEFAULT_TIMEOUT
    alias: str = dataclasses.field(default="default", repr=False)
    error: Problem | None = None


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
        if len(spec) != 2 or not isinstance(spec[1], Mapping):
            return _broken("a check in brackets must be (path, {options})")
        given, options = spec
        if not isinstance(given, str | type):
            return _broken("the first of (path, {options}) must be a dotted path or a class")
    if isinstance(given, str):
        found = _imported(given)
        if isinstance(found, CheckSource):
            return found
        given = found
    if isinstance(given, type) and issubclass(given, HealthCheck):
        cls = given
        return CheckSource(
            cls.__name__, lambda: cls(**options), _ttl(cls, options), _timeout(cls, options), _alias(cls, options)
        )
    if isinstance(given, HealthCheck):
        check = given
        return CheckSource(type(check).__name__, lambda: check, _ttl(check, {}), _timeout(check, {}), _alias(check, {}))
    return _broken(f"{_kind(given)} is not a check: it must be a health_check.base.HealthCheck")


def _imported(path: str) -> object:
    """Return what the dotted path leads to, or a source that reports why it leads nowhere."""
    is_dotted_path = "." in path and all(map(str.isidentifier, path.split(".")))
    if not is_dotted_path or not is_showable(path):
        # The value of a variable, perhaps.
        return _broken("a text that is not a dotted path stands in the place of a check")
    try:
        return import_string(path)
    except BaseException as error:
        # The module's own errors too: a missing driver, say. Only the class, because the text may hold anything.
        return _broken(f"{shown(path)} cannot be imported ({type(error).__name__})", path.rpartition(".")[2])


def misdeclared(source: CheckSource) -> Iterator[Problem]:
    """What a check has to say against its own declaration, for a system check to tell before anything runs."""
    if source.error is not None:
        yield source.error
        return
    try:
        check = source.make()
        tell = getattr(check, "misdeclared", None)
        problems = list(tell()) if callable(tell) else []
    except BaseException as error:
        problems = [_problem(f"{source.name} cannot be made with these options ({type(error).__name__})")]
    yield from problems


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


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


def _problem(message: str) -> Problem:
    return Problem(
        "misdeclared",
        Fault.CONFIG,
        f"{message[0].upper()}{message[1:]}.",
        "Mend it in the HEALTHGUARD setting; 'python manage.py check' tells where.",
    )


def _broken(message: str, name: str = "?") -> CheckSource:
    problem = _problem(message)

    def make() -> HealthCheck:
        raise Unhealthy.of(problem)

    return CheckSource(name, make, error=problem)
