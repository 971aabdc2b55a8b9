"""The interpretation of a declared check: its constructor and limits, or the problem of its declaration."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.module_loading import import_string
from health_check.base import HealthCheck

from healthguard.exceptions import Unhealthy
from healthguard.secret_values.showable import is_showable, shown
from healthguard.service.problems import (
    database_of,
    import_problem,
    not_a_check,
    not_a_pair,
    not_a_path,
    option_problem,
    problem,
)
from healthguard.service.service import CheckSpec
from healthguard.status import Problem

DEFAULT_TIMEOUT: float = HealthCheck.timeout.total_seconds()
"""The timeout of a check that does not set one (seconds)."""
_GRACE_SECONDS = 1.0
"""The additional time for a check that sets its own timeout, so that the check reports it first; as in
django-health-check."""


@dataclasses.dataclass(frozen=True, slots=True)
class CheckSource:
    """A declared check: its constructor, or the problem of its declaration.

    Args:
        name: the name of its class, as shown.
        make: the function that returns the check to run. It may raise any exception.
        ttl: the time for which the check's result is fresh (seconds); None if the check does not set it.
        timeout: the longest time that the check may take (seconds).
        alias: the database alias in the check's options, used in messages about database errors.
        error: the problem of the declaration; None if there is none.
        database: the alias of the database that the check uses; None if it is not a check of a database.
        check_class: its class; None if there is a problem of the declaration.
        is_about_process: True if its class says that it checks the process, and not the pod.
    """

    name: str
    make: Callable[[], HealthCheck]
    ttl: float | None = None
    timeout: float = DEFAULT_TIMEOUT
    alias: str = dataclasses.field(default="default", repr=False)
    error: Problem | None = None
    database: str | None = dataclasses.field(default=None, repr=False)
    check_class: type[HealthCheck] | None = dataclasses.field(default=None, repr=False)
    is_about_process: bool = dataclasses.field(default=False, repr=False)


def source_of(spec: CheckSpec) -> CheckSource:
    """Return the source of one declared check. A mistake becomes the source's error, never an exception."""
    options: Mapping[str, Any] = {}
    check: Any = spec
    if isinstance(spec, tuple):
        if len(spec) != 2 or not isinstance(spec[1], Mapping) or not isinstance(spec[0], str | type):
            return _broken(not_a_pair(spec))
        check, options = spec
    if isinstance(check, str):
        imported = _imported(check)
        if isinstance(imported, CheckSource):
            return imported
        check = imported
    if isinstance(check, type) and issubclass(check, HealthCheck):
        return _source_of_class(check, options)
    if isinstance(check, HealthCheck):
        return _source(check, {}, lambda: check)
    return _broken(not_a_check(check))


def _source_of_class(cls: type[HealthCheck], options: Mapping[str, Any]) -> CheckSource:
    error = option_problem(cls, options)
    return _source(cls, options, lambda: cls(**options)) if error is None else _broken(error, cls.__name__)


def _source(
    check: HealthCheck | type[HealthCheck], options: Mapping[str, Any], make: Callable[[], HealthCheck]
) -> CheckSource:
    check_class = check if isinstance(check, type) else type(check)
    name = check_class.__name__
    alias = _alias(check, options)
    database = database_of(check, alias)
    declared_alias = options.get("alias", _attribute(check, "alias"))
    if database is not None and not isinstance(declared_alias, str):
        message = f"{name} expects an alias of the DATABASES setting, but got {shown(declared_alias)}"
        return _broken(problem(message), name)
    ttl, timeout = _ttl(check, options), _timeout(check, options)
    is_about_process = _attribute(check, "scope") == "process"
    return CheckSource(
        name,
        make,
        ttl,
        timeout,
        alias,
        database=database,
        check_class=check_class,
        is_about_process=is_about_process,
    )


def _imported(path: str) -> object:
    """Return the object at the dotted path, or a source with an error if it cannot be imported."""
    is_dotted_path = "." in path and all(map(str.isidentifier, path.split(".")))
    if not is_dotted_path or not is_showable(path):
        # It may be the value of an environment variable, so it is not shown.
        return _broken(not_a_path(path))
    try:
        return import_string(path)
    except BaseException as error:
        return _broken(import_problem(path, error), path.rpartition(".")[2])


def declaration_errors(source: CheckSource) -> Iterator[Problem]:
    """Yield the problems of a check's declaration. A system check reports them before anything runs."""
    # Imported here because settings modules import this module.
    from django.db import connections

    from healthguard.database.queries import unknown_alias

    if source.error is not None:
        yield source.error
        return
    try:
        check = source.make()
        report = getattr(check, "declaration_errors", None)
        problems = list(report()) if callable(report) else []
    except BaseException as error:
        problems = [problem(f"{source.name} cannot be constructed with these options ({type(error).__name__})")]
    if source.database is not None and source.database not in connections:
        problems.append(unknown_alias(source.database).problem)
    yield from problems


def offline_source(source: CheckSource) -> CheckSource | None:
    """Return the source of the part of a check that needs neither a network nor a database; None if there is none.

    A check has such a part if it has a method ``offline()`` that returns a check.
    """
    if source.error is not None:
        return source
    try:
        make = getattr(source.make(), "offline", None)
        check = make() if callable(make) else None
    except BaseException as error:
        # A run of the service reports it.
        return dataclasses.replace(source, make=functools.partial(_raise, error), database=None)
    return None if check is None else dataclasses.replace(source, make=lambda: check, database=None)


def _raise(error: BaseException) -> HealthCheck:
    raise error


def _attribute(check: HealthCheck | type[HealthCheck], name: str) -> object:
    try:
        return getattr(check, name, None)
    except BaseException:
        # A property of a third-party check may raise. That must not affect the other services.
        return None


def _ttl(check: HealthCheck | type[HealthCheck], options: Mapping[str, Any]) -> float | None:
    value = options.get("ttl", _attribute(check, "ttl"))
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except OverflowError:
        # The check itself reports it as invalid.
        return None


def _timeout(check: HealthCheck | type[HealthCheck], options: Mapping[str, Any]) -> float:
    value = options.get("timeout", _attribute(check, "timeout"))
    if isinstance(value, datetime.timedelta) and value > datetime.timedelta(0) and value is not HealthCheck.timeout:
        return value.total_seconds() + _GRACE_SECONDS
    return DEFAULT_TIMEOUT


def _alias(check: HealthCheck | type[HealthCheck], options: Mapping[str, Any]) -> str:
    value = options.get("alias", _attribute(check, "alias"))
    return value if isinstance(value, str) else "default"


def _broken(error: Problem, name: str = "?") -> CheckSource:
    def make() -> HealthCheck:
        raise Unhealthy.of(error)

    return CheckSource(name, make, error=error)
