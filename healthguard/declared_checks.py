"""The mistakes in a declared check that can be found without running it: its path, its class and its options."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from health_check.base import HealthCheck

from healthguard.declared import nearest, shown
from healthguard.status import Fault, Problem

_CHECKS = "healthguard.checks"
_THEIR_CHECKS = "health_check.checks"
_DATABASE_CHECKS = frozenset({f"{_THEIR_CHECKS}.Database"})
_MANY = 5


def problem(message: str, hint: str = "") -> Problem:
    """Return a problem of the declaration; ``message`` is a sentence without its full stop."""
    hint = f"{hint} " if hint else ""
    return Problem(
        "misdeclared",
        Fault.CONFIG,
        f"{message[0].upper()}{message[1:]}.",
        f"{hint}Correct it in the HEALTHGUARD setting; 'python manage.py check' names the place.",
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
    """Return what is wrong with the names of a check's options: unknown ones, and required ones that are missing."""
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
        f"{cls.__name__} {' and '.join(_faults(unknown, missing))}", _option_hint(cls, names, unknown, missing)
    )


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _parameters(cls: type[HealthCheck]) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(cls).parameters
    except BaseException:
        # A class whose signature cannot be read is made as it is.
        return None


def _faults(unknown: list[Any], missing: list[str]) -> Iterator[str]:
    if unknown:
        few = "option" if len(unknown) == 1 else "options"
        yield f"has no {few} {', '.join(map(shown, unknown[:_MANY]))}"
    if missing:
        few = "option" if len(missing) == 1 else "options"
        yield f"needs the {few} {', '.join(map(shown, missing[:_MANY]))}"


def _option_hint(cls: type[HealthCheck], names: list[str], unknown: list[Any], missing: list[str]) -> str:
    # A required option that is missing is the likeliest to be meant.
    near = [nearest(name, missing) or nearest(name, names) for name in unknown if isinstance(name, str)]
    if not any(near) and len(unknown) == len(missing) == 1:
        near = list(missing)
    meant = list(dict.fromkeys(name for name in near if name))
    question = f"Did you mean {', '.join(map(repr, meant))}? " if meant else ""
    return f"{question}The options of {cls.__name__} are: {', '.join(names) or 'none'}."


def import_problem(path: str, error: BaseException) -> Problem:
    """Return why a dotted path leads nowhere, with the path that was probably meant."""
    module, _, name = path.rpartition(".")
    if isinstance(error, ModuleNotFoundError) and error.name and _is_within(module, error.name):
        message = f"{shown(path)} cannot be imported: there is no module {shown(error.name)}"
    elif isinstance(error, ImportError) and module in sys.modules and not hasattr(sys.modules[module], name):
        message = f"{shown(path)} cannot be imported: {shown(module)} has nothing of the name {shown(name)}"
    else:
        # The module's own errors too: a missing driver, say. Only the class, because the text may hold anything.
        message = f"{shown(path)} cannot be imported ({type(error).__name__})"
    return problem(message, suggestion(path))


def _is_within(module: str, missing: str) -> bool:
    return module == missing or module.startswith(f"{missing}.")


def suggestion(given: str) -> str:
    """Return a sentence that names the check which ``given`` is nearly the path or name of; empty if none is."""
    module, _, name = given.rpartition(".")
    candidates = {**_checks_in(module), **_checks_in(_THEIR_CHECKS), **_checks_in(_CHECKS)}
    near = _same(name, candidates) or nearest(name, candidates)
    return f"Did you mean '{candidates[near]}'?" if near else ""


def _same(name: str, candidates: Mapping[str, str]) -> str | None:
    plain = name.replace("_", "").lower()
    return next((known for known in candidates if known.lower() == plain), None)


def _checks_in(module: str) -> dict[str, str]:
    """Return the paths of the checks in a module that has been imported, by their names."""
    members = vars(sys.modules[module]) if module in sys.modules else {}
    return {
        name: f"{module}.{name}"
        for name, member in list(members.items())
        if isinstance(member, type) and issubclass(member, HealthCheck) and member is not HealthCheck
    }


def not_a_check(value: object) -> Problem:
    """Return that ``value`` is not a check, with how it is probably meant."""
    if isinstance(value, type):
        # A class's name comes from the code.
        return problem(
            f"the class {value.__name__} is not a check: it must be a health_check.base.HealthCheck",
            suggestion(value.__name__),
        )
    hints: dict[type, str] = {
        dict: "Write a check with options as (path, {options}). A group of services must not stand in a list.",
        list: "Write the checks of a service as one list.",
        set: "Write the checks of a service as a list.",
        frozenset: "Write the checks of a service as a list.",
        bytes: "Write the path as a text.",
    }
    hint = hints.get(type(value), "")
    if type(value).__name__ == "Service":
        hint = "Write Service(check, check) in the place of the list, or give each Service a name of its own."
    elif callable(value):
        hint = "Write a subclass of health_check.base.HealthCheck with a method run()."
    return problem(f"a {type(value).__name__} is not a check: it must be a health_check.base.HealthCheck", hint)


def not_a_path(text: str) -> Problem:
    """Return that ``text`` is not a dotted path. It is not shown, because it may be the value of a variable."""
    return problem("a text that is not a dotted path stands in the place of a check", suggestion(text[:100]))


def not_a_pair(spec: tuple[object, ...]) -> Problem:
    """Return what is wrong with a tuple that is not (path, {options})."""
    if len(spec) != 2 or not isinstance(spec[1], Mapping):
        checks = sum(isinstance(member, HealthCheck | type | str) for member in spec)
        hint = "Write several checks as a list: [check, check]." if checks > 1 else ""
        return problem("a check in brackets must be (path, {options})", hint)
    hint = "Give the options to the instance itself." if isinstance(spec[0], HealthCheck) else ""
    return problem("the first of (path, {options}) must be a dotted path or a class", hint)
