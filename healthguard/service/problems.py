"""The problems of a declared check that can be found without running it: its path, its class and its options."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from health_check.base import HealthCheck

from healthguard.secret_values.showable import nearest, shown
from healthguard.status import Code, Fault, Problem

_CHECKS = "healthguard.checks"
_DJANGO_HEALTH_CHECK_CHECKS = "health_check.checks"
_DATABASE_CHECKS = frozenset({f"{_DJANGO_HEALTH_CHECK_CHECKS}.Database"})
_MAX_OPTIONS_SHOWN = 5


def problem(message: str, hint: str = "") -> Problem:
    """Return a problem of the declaration; ``message`` is a sentence without its period."""
    hint = f"{hint} " if hint else ""
    return Problem(
        Code.INVALID_DECLARATION,
        Fault.CONFIG,
        f"{message[0].upper()}{message[1:]}.",
        f"{hint}Fix this entry of the HEALTHGUARD setting.",
    )


def database_of(check: HealthCheck | type[HealthCheck], alias: str) -> str | None:
    """Return the alias of the database that a check uses; None if it is not a check of a database."""
    cls = check if isinstance(check, type) else type(check)
    for base in cls.__mro__:
        path = f"{base.__module__}.{base.__qualname__}"
        if path in _DATABASE_CHECKS or (base.__module__.startswith(f"{_CHECKS}.") and hasattr(cls, "alias")):
            return alias
    return None


def option_problem(cls: type[HealthCheck], options: Mapping[str, Any]) -> Problem | None:
    """Return the problem of a check's options if some are unknown, or required ones are missing; None otherwise."""
    parameters = _parameters(cls)
    if parameters is None:
        return None
    names = [name for name, parameter in parameters.items() if parameter.kind in _NAMED]
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    unknown = [name for name in options if not isinstance(name, str) or (name not in names and not takes_any)]
    missing = [
        name
        for name, parameter in parameters.items()
        if parameter.kind in _NAMED and parameter.default is inspect.Parameter.empty and name not in options
    ]
    if not unknown and not missing:
        return None
    return problem(
        f"{cls.__name__} {' and '.join(_option_errors(unknown, missing))}", _option_hint(cls, names, unknown, missing)
    )


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _parameters(cls: type[HealthCheck]) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(cls).parameters
    except BaseException:
        # If the signature cannot be read, the class is called without this check of its options.
        return None


def _option_errors(unknown: list[Any], missing: list[str]) -> Iterator[str]:
    if unknown:
        noun = "option" if len(unknown) == 1 else "options"
        yield f"has no {noun} {', '.join(map(shown, unknown[:_MAX_OPTIONS_SHOWN]))}"
    if missing:
        noun = "option" if len(missing) == 1 else "options"
        yield f"needs the {noun} {', '.join(map(shown, missing[:_MAX_OPTIONS_SHOWN]))}"


def _option_hint(cls: type[HealthCheck], names: list[str], unknown: list[Any], missing: list[str]) -> str:
    # The most likely intention is a required option that is missing.
    near = [nearest(name, missing) or nearest(name, names) for name in unknown if isinstance(name, str)]
    if not any(near) and len(unknown) == len(missing) == 1:
        near = list(missing)
    suggested = list(dict.fromkeys(name for name in near if name))
    question = f"Did you mean {', '.join(map(repr, suggested))}? " if suggested else ""
    return f"{question}The options of {cls.__name__} are: {', '.join(names) or 'none'}."


def import_problem(path: str, error: BaseException) -> Problem:
    """Return the problem of a dotted path that cannot be imported. Its hint suggests the path with the closest name."""
    module, _, name = path.rpartition(".")
    if isinstance(error, ModuleNotFoundError) and error.name and _is_within(module, error.name):
        message = f"{shown(path)} cannot be imported: there is no module {shown(error.name)}"
    elif isinstance(error, ImportError) and module in sys.modules and not hasattr(sys.modules[module], name):
        message = f"{shown(path)} cannot be imported: {shown(module)} has no attribute {shown(name)}"
    else:
        # This includes errors of the module itself, like a missing driver. Only the class of the exception is shown,
        # because its text may contain a secret.
        message = f"{shown(path)} cannot be imported ({type(error).__name__})"
    return problem(message, suggestion(path))


def _is_within(module: str, missing: str) -> bool:
    return module == missing or module.startswith(f"{missing}.")


def suggestion(declared: str) -> str:
    """Return a question that suggests the check whose name is closest to ``declared``, a path or a name.

    It is empty if no name is close.
    """
    module, _, name = declared.rpartition(".")
    candidates = {**_checks_in(module), **_checks_in(_DJANGO_HEALTH_CHECK_CHECKS), **_checks_in(_CHECKS)}
    near = _equal_but_for_case(name, candidates) or nearest(name, candidates)
    return f"Did you mean '{candidates[near]}'?" if near else ""


def _equal_but_for_case(name: str, candidates: Mapping[str, str]) -> str | None:
    plain = name.replace("_", "").lower()
    return next((candidate for candidate in candidates if candidate.lower() == plain), None)


def _checks_in(module: str) -> dict[str, str]:
    """Return the paths of the checks in a module, by their names; empty if the module has not been imported."""
    members = vars(sys.modules[module]) if module in sys.modules else {}
    return {
        name: f"{module}.{name}"
        for name, member in list(members.items())
        if isinstance(member, type) and issubclass(member, HealthCheck) and member is not HealthCheck
    }


def not_a_check(value: object) -> Problem:
    """Return the problem of a value that is not a check. Its hint explains the correct form."""
    if isinstance(value, type):
        # The name of a class comes from the code, so it may be shown.
        return problem(
            f"the class {value.__name__} is not a check: it must be a subclass of health_check.base.HealthCheck",
            suggestion(value.__name__),
        )
    hints: dict[type, str] = {
        dict: "Write a check with options as (path, {options}). A list cannot contain a group of services.",
        list: "Write the checks of a service as one list.",
        set: "Write the checks of a service as a list.",
        frozenset: "Write the checks of a service as a list.",
        bytes: "Write the path as a string.",
    }
    hint = hints.get(type(value), "")
    if type(value).__name__ == "Service":
        hint = "Write Service(check, check) instead of the list, or give each Service its own name."
    elif callable(value):
        hint = "Write a subclass of health_check.base.HealthCheck with a run() method."
    return problem(f"a {type(value).__name__} is not a check: it must be a health_check.base.HealthCheck", hint)


def not_a_path(text: str) -> Problem:
    """Return the problem of a text that is not a dotted path.

    The text is not shown, because it may be the value of an environment variable.
    """
    return problem("a string that is not a dotted path is declared as a check", suggestion(text[:100]))


def not_a_pair(spec: tuple[object, ...]) -> Problem:
    """Return the problem of a tuple that is not (path, {options})."""
    if len(spec) != 2 or not isinstance(spec[1], Mapping):
        checks = sum(isinstance(member, HealthCheck | type | str) for member in spec)
        hint = "Write several checks as a list: [check, check]." if checks > 1 else ""
        return problem("a tuple that declares a check must be (path, {options})", hint)
    hint = "Pass the options to the instance itself." if isinstance(spec[0], HealthCheck) else ""
    return problem("the first member of (path, {options}) must be a dotted path or a class", hint)
