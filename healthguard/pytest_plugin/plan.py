"""The plan for one check: the part of it that a test can run, and the databases that it uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from django.db import DEFAULT_DB_ALIAS, connections

from healthguard.probes.once import report_once
from healthguard.service import CheckSource, ServiceNode, Tree
from healthguard.service.check_source import offline_source
from healthguard.status import ServiceReport

_DUMMY_ENGINE = "django.db.backends.dummy"
_NEEDS_DEPLOYMENT = "It needs the environment of a deployment. Run it there with --healthguard=deployment."
_NO_NAME = "The settings do not contain the name of the database, and a test uses another database."


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """The plan for one check.

    Args:
        service: the service of the check.
        source: the source of the check that is run.
        databases: the aliases of the databases that it may use.
        skip_reason: the reason why it is not run; None if it is run.
    """

    service: ServiceNode
    source: CheckSource
    databases: tuple[str, ...] = ()
    skip_reason: str | None = None

    def run(self) -> ServiceReport:
        """Run the check on this thread and its database connections, and return a report with only this check."""
        service = dataclasses.replace(self.service, sources=(self.source,))
        report = report_once(Tree({service.path[-1]: service}), is_inline=True)
        # Beside it, the report contains the problem of an invalid declaration, which has an item of its own.
        return next(one for one in report.services() if one.path == service.path)


def plan_check(service: ServiceNode, source: CheckSource, *, is_deployment: bool) -> Plan:
    """Return the plan for a check.

    Call it before the test databases are created. A check of the database of a deployment cannot query it from a test.
    The part of it that needs no connection is run instead, with the settings as they are now.

    Args:
        service: the service of the check.
        source: the source of the check.
        is_deployment: True if this process has the environment of a deployment.
    """
    if not _needs_deployment(source):
        return Plan(service, source, _databases(source))
    if not is_deployment:
        return Plan(service, source, skip_reason=_NEEDS_DEPLOYMENT)
    if source.database is None:
        return Plan(service, source, _databases(source))
    part = offline_source(source)
    return Plan(service, source, skip_reason=_NO_NAME) if part is None else Plan(service, part)


def _needs_deployment(source: CheckSource) -> bool:
    """Return True if the check has the attribute ``needs_deployment``, and it is true."""
    try:
        return source.error is None and bool(getattr(source.make(), "needs_deployment", False))
    except Exception:
        # A run of the check reports why it cannot be made.
        return False


def _databases(source: CheckSource) -> tuple[str, ...]:
    """Return the aliases of the databases that a check may use: all, unless it is a check of one database."""
    usable = [alias for alias in connections if connections.settings[alias]["ENGINE"] != _DUMMY_ENGINE]
    if source.database is None:
        return tuple(usable)
    needed = _with_required([source.database])
    return tuple(alias for alias in usable if alias in needed)


def _with_required(aliases: Iterable[str]) -> set[str]:
    """Return the aliases, and those without which Django does not create their test databases."""
    waiting, found = list(aliases), set[str]()
    while waiting:
        alias = waiting.pop()
        if alias in found or alias not in connections:
            continue
        found.add(alias)
        test = connections.settings[alias]["TEST"]
        waiting += [test["MIRROR"]] if test["MIRROR"] else test.get("DEPENDENCIES", [DEFAULT_DB_ALIAS])
    return found
