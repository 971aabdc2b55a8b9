"""A simulated failure: the declaration of the project, in which the checks of one service are replaced by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from healthguard.checks.base import Check
from healthguard.conf import default_services, settings
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.service import Service
from healthguard.service.selection import select
from healthguard.status import Problem


@dataclasses.dataclass(repr=False)
class SimulatedFailure(Check):
    """A check that fails.

    Args:
        problem: the problem that it reports.
        degraded: True if it is degraded, and not unhealthy.
    """

    problem: Problem = dataclasses.field(repr=False)
    degraded: bool = dataclasses.field(default=False, repr=False)

    def run(self) -> None:
        """Report the problem.

        Raises:
            Unhealthy: always, unless ``degraded`` is True.
            Degraded: always, if ``degraded`` is True.
        """
        raise (Degraded if self.degraded else Unhealthy).of(self.problem)


def simulate_failure(name: str, problem: Problem, *, degraded: bool) -> dict[str, Any]:
    """Return the HEALTHGUARD setting with which a service fails.

    Args:
        name: the name of the service, or of a group of services.
        problem: the problem of the service.
        degraded: True if the service is degraded, and not unhealthy.

    Raises:
        UnknownNameError: no service or group has this name.
    """
    failing = {
        service.path: Service(
            SimulatedFailure(problem, degraded),
            ready=service.ready,
            critical=service.critical,
            ttl=service.ttl,
            stale_for=service.stale_for,
            timeout=service.timeout,
            scope=service.scope,
        )
        for service in select(settings.tree(), [name]).services()
    }
    declared = settings.declared
    services = declared["SERVICES"] if "SERVICES" in declared else default_services()
    return {"INLINE": True, **declared, "SERVICES": _replaced(services, failing)}


def _replaced(
    services: Mapping[str, Any], failing: Mapping[tuple[str, ...], Service], path: tuple[str, ...] = ()
) -> dict[str, Any]:
    replaced: dict[str, Any] = {}
    for name, value in services.items():
        here = (*path, name)
        replaced[name] = _replaced(value, failing, here) if isinstance(value, Mapping) else failing.get(here, value)
    return replaced
