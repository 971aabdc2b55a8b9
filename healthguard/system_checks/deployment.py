"""The system checks of a deployment: ``manage.py check --deploy`` reports the problems of the declared services.

Other commands, like ``migrate`` and ``runserver``, do not run system checks that are registered with ``deploy=True``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Error

from healthguard.conf import settings
from healthguard.probes.once import report_once
from healthguard.service import ServiceNode, Tree
from healthguard.service.selection import offline
from healthguard.status import CheckResult, Code, Problem, ServiceReport, Status

_REPORTED_ELSEWHERE = frozenset({Code.NOT_RUN, Code.INVALID_DECLARATION})
"""The problems that another message or another system check reports."""


def check_environment(
    app_configs: Sequence[AppConfig] | None, databases: Collection[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report what is wrong with secrets, variables and the name of the database, without a network or a database."""
    tree = settings.tree().filtered(lambda service: _without_databases(service, databases or ()))
    return list(_messages(offline(tree)[0]))


def check_databases(
    app_configs: Sequence[AppConfig] | None, databases: Collection[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report what is wrong with the databases that ``--database`` names: tables, columns and migrations."""
    if not databases:
        return []
    return list(_messages(settings.tree().filtered(lambda service: _with_databases(service, databases))))


def _without_databases(service: ServiceNode, aliases: Collection[str]) -> ServiceNode | None:
    """Return a service with the checks that use none of these databases."""
    sources = tuple(source for source in service.sources if source.database not in aliases)
    return dataclasses.replace(service, sources=sources) if sources else None


def _with_databases(service: ServiceNode, aliases: Collection[str]) -> ServiceNode | None:
    """Return a service with the checks that use one of these databases."""
    sources = tuple(source for source in service.sources if source.database in aliases)
    return dataclasses.replace(service, sources=sources) if sources else None


def _messages(tree: Tree) -> Iterator[CheckMessage]:
    """Yield one message per problem that the checks of these services find."""
    for service in report_once(tree).services():
        for result in service.checks:
            if result.problem is not None and result.problem.code not in _REPORTED_ELSEWHERE:
                yield _message(service, result, result.problem)


def _message(service: ServiceReport, result: CheckResult, problem: Problem) -> CheckMessage:
    is_error = result.status is not Status.DEGRADED and not service.weight.is_serving
    return (Error if is_error else checks.Warning)(
        problem.message,
        hint=problem.hint,
        obj=f"{service.name} {result.check}",
        id=f"healthguard.{problem.code}",
    )
