"""A service: one or more checks under one name, and the policy for them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar, cast

from health_check.base import HealthCheck

from healthguard.secret_values.showable import nearest, shown

CheckSpec: TypeAlias = "HealthCheck | type[HealthCheck] | str | tuple[type[HealthCheck] | str, Mapping[str, Any]]"
"""A check as it is declared: an instance, a class, a dotted path, or one of these two with options."""

_POLICY = ("ready", "critical", "ttl", "stale_for", "timeout", "scope")

ReadyPolicy: TypeAlias = Literal["startup", "always", "never"]
Scope: TypeAlias = Literal["pod", "process"]
"""The processes that a result is about: all workers of the server, or only the one that has found it."""

DEFAULT_TTL = 5.0
"""The time for which a result is fresh if neither the service nor a check sets it (seconds)."""
DEFAULT_STALE_FOR = 60.0
"""The additional time for which a stale result may be served while the next run is in flight (seconds)."""

_Init = TypeVar("_Init", bound=Callable[..., None])


def _keep_unknown_options(init: _Init) -> _Init:
    """Store unknown options for :meth:`Service.policy_errors`. An exception would abort the import of the settings."""

    @functools.wraps(init)
    def tolerant_init(self: Service, *checks: Any, **options: Any) -> None:
        self.unknown_options = tuple(name for name in options if name not in _POLICY)
        init(self, *checks, **{name: value for name, value in options.items() if name in _POLICY})

    return cast("_Init", tolerant_init)


class Service:
    """One or more checks that run in order, on one thread, with one timeout and one ttl.

    Args:
        checks: instances, classes, dotted paths, or ``(path, {options})``, as in django-health-check. A list counts as
            its members.
        ready: the effect of a failure on the pod. ``"startup"`` keeps the pod out of rotation until it has been ready
            once, ``"always"`` takes it out whenever the service fails, ``"never"`` only reports the failure.
        critical: False if a failure counts only as degraded.
        ttl: the time for which a result is fresh (seconds). By default the longest ttl of the checks, minus up to 10 %
            jitter: 300 for a check that calls an AI provider. 5 if no check sets one.
        stale_for: the additional time for which a stale result may be served while the next run is in flight (seconds).
        timeout: the longest time that a run may take (seconds). By default the longest of its checks, which is
            5 if none sets one.
        scope: ``"process"`` for checks of the worker process itself, like its memory: each worker runs them and uses
            its own results. With ``"pod"`` one worker runs the checks, and all use the result. By default ``"process"``
            if the class of a check has this attribute, otherwise ``"pod"``.
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
        scope: Scope | None = None,
    ) -> None:
        self.checks: tuple[CheckSpec, ...] = tuple(
            spec for argument in checks for spec in (argument if isinstance(argument, list) else [argument])
        )
        self.ready = ready
        self.critical = critical
        self.ttl = ttl
        self.stale_for = stale_for
        self.timeout = timeout
        self.scope = scope

    def __repr__(self) -> str:
        # Without the checks: the repr of a third-party check may raise, or contain a secret.
        return f"<Service: {len(self.checks)} checks, ready={shown(self.ready)}>"

    def policy_errors(self) -> Iterator[str]:
        """Yield one sentence for each invalid option."""
        for name in self.unknown_options:
            near = nearest(name, _POLICY)
            question = f" Did you mean {near!r}?" if near else ""
            yield f"Service has no option {shown(name)}.{question} Its options are: {', '.join(_POLICY)}."
        if self.ready not in ("startup", "always", "never"):
            yield f"ready is {shown(self.ready)}; it must be 'startup', 'always' or 'never'."
        if self.scope not in (None, "pod", "process"):
            yield f"scope is {shown(self.scope)}; it must be 'pod' or 'process'."
        if not isinstance(self.critical, bool):
            yield "critical must be True or False."
        for name, value, minimum in (
            ("ttl", self.ttl, 0.0),
            ("stale_for", self.stale_for, 0.0),
            ("timeout", self.timeout, 0.001),
        ):
            if value is None and name != "stale_for":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value < float("inf"):
                yield f"{name} must be a number of seconds, at least {minimum:g}."
