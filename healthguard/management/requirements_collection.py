"""The requirements of the declaration in the settings."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from healthguard import conf
from healthguard.conf import settings
from healthguard.http.mount import mounts
from healthguard.management.declaration import read_settings
from healthguard.management.errors import UsageError
from healthguard.requirements.requirement import Requirement, Requirements
from healthguard.runtime.text import escaped
from healthguard.secret_values.showable import is_showable
from healthguard.service import CheckSource, Tree

_MAX_ERRORS = 5
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
"""The names that people give to variables, and that no secret has."""


def declared_requirements() -> Requirements:
    """Return the requirements of the declaration. No check is run, and no variable needs to be set.

    Raises:
        UsageError: the declaration or the URLconf is invalid.
    """
    with read_settings():
        errors = [error for error in conf.errors() if not error.is_warning]
        tree = settings.tree() if "SERVICES" in settings.declared else Tree({})
    if errors:
        texts = " ".join(error.message for error in errors[:_MAX_ERRORS])
        raise UsageError(f"{texts} {errors[0].hint} Run 'python manage.py check' to list all errors in the setting.")
    return Requirements(tuple(_variables(tree)), tuple(_mount_paths()), settings.deadline, settings.drain_file)


def has_declared_services() -> bool:
    """Return True if the setting declares services.

    The default services depend on the variables of this process, so they require nothing: a key that is set on the
    machine of a developer is not a need of a deployment.
    """
    with read_settings():
        return "SERVICES" in settings.declared


def _variables(tree: Tree) -> Iterator[Requirement]:
    for service in tree.services():
        name = "/".join(service.path)
        for source in service.sources:
            for requirement in _needs_of(source, name):
                yield dataclasses.replace(requirement, declared_by=f"{name}: {source.name}")


def _needs_of(source: CheckSource, service: str) -> list[Requirement]:
    """Return the requirements of a check; none if it has no method ``needs()``.

    Raises:
        UsageError: its method raises an exception, or returns something else.
    """
    place = f"{service}: the method needs() of {source.name}"
    try:
        method = getattr(source.make(), "needs", None)
        needs = method() if callable(method) else ()
        members = [*needs] if isinstance(needs, Iterable) else [needs]
    except (Exception, SystemExit) as error:
        raise UsageError(f"{place} raised {type(error).__name__}. Fix the method of the check.") from error
    requirements = [member for member in members if isinstance(member, Requirement)]
    if len(requirements) < len(members):
        raise UsageError(f"{place} must return requirements, such as VariableRequirement(('NAME',)).")
    if not all(_can_be_written(name) for requirement in requirements for name in requirement.names):
        raise UsageError(
            f"{place} returned a name that may be a secret, so it cannot be written. Declare the name of a variable, "
            "in capitals and with underscores."
        )
    return requirements


def _can_be_written(name: object) -> bool:
    return isinstance(name, str) and (_VARIABLE.fullmatch(name) is not None or is_showable(name))


def _mount_paths() -> Iterator[str]:
    """Yield the paths of the mounts; none if one of them depends on the request, as with a language prefix.

    Raises:
        UsageError: the URLconf cannot be imported, so the paths are not known.
    """
    found = mounts()
    if found.problem is not None:
        raise UsageError(f"{found.problem.message} {found.problem.hint}")
    if all(mount.is_static for mount in found.mounts):
        yield from dict.fromkeys(escaped(mount.prefix.strip("/")) for mount in found.mounts)
