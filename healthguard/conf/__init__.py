"""The HEALTHGUARD setting, typed and read on access. Its errors are reported, never raised."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeGuard

from django.apps import apps
from django.conf import settings as django_settings
from django.db import DEFAULT_DB_ALIAS
from django.utils.module_loading import import_string

from healthguard.conf.declaration_error import DeclarationError
from healthguard.conf.emptiness import is_blank
from healthguard.conf.monitor import MonitorSettings, monitor_errors
from healthguard.conf.tokens import token_errors, usable_tokens
from healthguard.providers import PROVIDERS
from healthguard.secret_values.showable import is_showable, shown
from healthguard.service import Service, ServiceNode, Tree, declaration_errors, resolve_service
from healthguard.status import Code, Fault, Problem

SETTING = "HEALTHGUARD"
KEYS = ("SERVICES", "DEADLINE", "DETAILS_TOKENS", "PUBLIC", "DRAIN_FILE", "INLINE", "MOUNT", "MONITOR")

OWN_SERVICE = "healthguard"
"""The service that appears only if the declaration itself, or the URLconf, is broken."""

RESERVED = frozenset(
    {
        *("status", "services", "checked_at", "age_seconds", "duration_ms", "checks", "draining"),
        *("live", "startup", "ready", OWN_SERVICE),
    }
)
"""The names that a service cannot have, because they are keys of the answer or segments of a path."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_LONG_NAME = 20
_DUMMY_ENGINE = "django.db.backends.dummy"


_Errors: TypeAlias = "Iterator[DeclarationError]"


class Settings:
    """The keys of the setting, one typed property each, read on access. An invalid value counts as the default."""

    @property
    def declared(self) -> Mapping[str, Any]:
        """The keys of the raw setting that have a value; empty if it is missing or is not a mapping."""
        value = getattr(django_settings, SETTING, None)
        return _with_values(value) if isinstance(value, Mapping) else {}

    @property
    def deadline(self) -> float:
        """The longest time that a request may wait (seconds). The default is below kubelet's default timeout of 1 s."""
        value = self.declared.get("DEADLINE", 0.8)
        return float(value) if _is_seconds(value) else 0.8

    @property
    def details_tokens(self) -> tuple[str, ...]:
        """The bearer tokens that give access to the details. Invalid tokens are left out."""
        return usable_tokens(self.declared.get("DETAILS_TOKENS", ()))

    @property
    def shows_services(self) -> bool:
        """True if callers without a token see the status of each service, and not only the overall status."""
        return bool(self.declared.get("PUBLIC", "services") == "services")

    @property
    def drain_file(self) -> str | None:
        """The path of the file whose existence takes the pod out of rotation; None if none is declared."""
        value = self.declared.get("DRAIN_FILE")
        return os.fspath(value) if isinstance(value, str | os.PathLike) and _is_path(value) else None

    @property
    def mount(self) -> str | None:
        """The path, like ``/api/health``, that adaptors answer in addition to those of the URLconf; None if unset."""
        value = self.declared.get("MOUNT")
        return value if _is_url_path(value) else None

    @property
    def inline(self) -> bool:
        """True if checks run on the caller's thread and on its database connections, as tests need it."""
        return self.declared.get("INLINE", False) is True

    @property
    def monitor(self) -> MonitorSettings:
        """The options of the monitor."""
        return MonitorSettings.of(self.declared.get("MONITOR"))

    def tree(self) -> Tree:
        """Return the declared services, or the default ones if none are declared."""
        services = self.declared["SERVICES"] if "SERVICES" in self.declared else default_services()
        return _tree(services) if isinstance(services, Mapping) else Tree({})


settings = Settings()


def default_services() -> dict[str, Any]:
    """Return the services if none are declared: secret key, every database, every AI key in the environment."""
    services: dict[str, Any] = {"django_config": "healthguard.checks.SecretKey"}
    declared = django_settings.DATABASES
    databases = {
        alias: [
            ("health_check.checks.Database", {"alias": alias}),
            *_table_checks(alias, database),
        ]
        # Pass non-dict entries on; the checks report them.
        for alias, database in (declared if isinstance(declared, Mapping) else {"default": declared}).items()
        if not isinstance(database, Mapping)
        or database.get("ENGINE", _DUMMY_ENGINE) not in ("", _DUMMY_ENGINE)
        or (alias == DEFAULT_DB_ALIAS and _has_empty_url())
    }
    if databases:
        services["database"] = databases["default"] if set(databases) == {"default"} else databases
    keys = {
        # If the endpoint is not in the environment, only the project's code has it: the key cannot be verified here.
        provider.name: (
            "healthguard.checks.AIProviderKey",
            {"provider": provider.name, "verify": not provider.resolve_endpoint().missing},
        )
        for provider in PROVIDERS.values()
        if any(variable in os.environ for variable in provider.variables)
    }
    if keys:
        services["ai_providers"] = keys
    return services


def _has_empty_url() -> bool:
    """Return True if DATABASE_URL exists and is empty. A project without a database does not have this variable."""
    url = os.environ.get("DATABASE_URL")
    return url is not None and not url.strip()


def _table_checks(alias: str, database: Any) -> Iterator[Any]:
    """Yield the checks of migrations and models for one database.

    They are instances and not paths, because an instance caches what it reads from the code.
    """
    from healthguard.database.schema.from_models import keeps_tables

    test = database.get("TEST") if isinstance(database, Mapping) else None
    # This is how Django declares a replica: https://docs.djangoproject.com/en/stable/topics/testing/advanced/
    mirrored = test.get("MIRROR") if isinstance(test, Mapping) else None
    mirror_of = mirrored if isinstance(mirrored, str) else None
    may_be_foreign = alias != DEFAULT_DB_ALIAS and mirror_of is None
    yield import_string("healthguard.checks.AppliedMigrations")(
        alias, mirror_of=mirror_of, may_be_foreign=may_be_foreign
    )
    try:
        has_tables = not apps.models_ready or keeps_tables(mirror_of or alias)
    except Exception:
        # A database router raised. The check gets the same error, and reports it.
        has_tables = True
    if has_tables:
        yield import_string("healthguard.checks.ModelSchema")(alias, mirror_of=mirror_of, may_be_foreign=may_be_foreign)


def _tree(declared: Mapping[str, Any], path: tuple[str, ...] = ()) -> Tree:
    members: dict[str, ServiceNode | Tree] = {}
    for name, value in declared.items():
        if not _is_name(name):
            continue
        here = (*path, name)
        if isinstance(value, Mapping):
            group = _tree(value, here)
            # A group without services must not appear as a healthy section. It is reported as an error.
            if group.members:
                members[name] = group
        else:
            members[name] = resolve_service(_with_valid_policy(_service(value)), here)
    return Tree(members)


def _service(value: Any) -> Service:
    return value if isinstance(value, Service) else Service(value)


def _with_valid_policy(service: Service) -> Service:
    """Return ``service``, or its checks with the default policy if its options are invalid (reported as an error)."""
    return Service(*service.checks) if any(service.policy_errors()) else service


def errors() -> list[DeclarationError]:
    """Return all errors of the declaration. This constructs the checks."""
    monitor = settings.declared.get("MONITOR", {})
    return [*_structural_errors(), *monitor_errors(monitor), *_check_errors(settings.tree())]


def _structural_errors() -> list[DeclarationError]:
    declared = getattr(django_settings, SETTING, None)
    if declared is None:
        return []
    if not isinstance(declared, Mapping):
        return [
            DeclarationError("E001", f"{SETTING} is not a dict.", f"Declare it as {SETTING} = {{'SERVICES': {{…}}}}.")
        ]
    general_errors = [*_key_errors(declared), *_empty_value_warnings(declared), *_value_errors(_with_values(declared))]
    return [*general_errors, *_service_errors(declared["SERVICES"])] if "SERVICES" in declared else general_errors


def global_problem() -> Problem | None:
    """Return the problem of the declaration as a whole; None if it has none.

    The problem of a single check is not included, because its service reports it. Neither are the errors of MONITOR,
    because only the monitor reads it.
    """
    structural_errors = [error for error in _structural_errors() if not error.is_warning]
    if not structural_errors:
        return None
    return Problem(
        Code.INVALID_DECLARATION,
        Fault.CONFIG,
        " ".join(error.message for error in structural_errors[:5]),
        f"{structural_errors[0].hint} Run 'python manage.py check' to list all errors in the setting.",
        {"checks": [f"healthguard.{error.id}" for error in structural_errors]},
    )


def _key_errors(declared: Mapping[str, Any]) -> _Errors:
    for key in declared:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key).upper(), KEYS, 1)
            question = f"Did you mean {near[0]!r}? " if near else ""
            yield DeclarationError(
                "E002",
                f"{SETTING} has an unknown key {shown(key)}.",
                f"{question}Use only these keys: {', '.join(KEYS)}.",
            )


def _with_values(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys without those whose value is empty, because a variable is not set. They count as missing.

    Empty services are not left out, because they would be replaced with the default ones.
    """
    return {key: value for key, value in declared.items() if key == "SERVICES" or not is_blank(value)}


def _empty_value_warnings(declared: Mapping[str, Any]) -> _Errors:
    """Yield a warning for each empty value whose loss would be noticed only when it is needed."""
    if "DETAILS_TOKENS" in declared and is_blank(declared["DETAILS_TOKENS"]):
        yield DeclarationError(
            "W002",
            f"{SETTING}['DETAILS_TOKENS'] is empty, and gives no access to details.",
            "Set it to a list of bearer tokens, or remove it.",
        )
    # None is the documented form for a place without draining.
    if isinstance(declared.get("DRAIN_FILE"), str) and is_blank(declared["DRAIN_FILE"]):
        yield DeclarationError(
            "W006",
            f"{SETTING}['DRAIN_FILE'] is empty, so nothing takes a pod out of rotation before it stops.",
            "Set the environment variable that the path comes from, or remove it.",
        )


def _value_errors(declared: Mapping[str, Any]) -> _Errors:
    if "DEADLINE" in declared and not _is_seconds(declared["DEADLINE"]):
        yield DeclarationError(
            "E003",
            f"{SETTING}['DEADLINE'] is not a positive number.",
            "Set it to a number of seconds below the timeout of the probe, like 0.8.",
        )
    yield from token_errors(declared.get("DETAILS_TOKENS", ()))
    if declared.get("PUBLIC", "services") not in ("services", "status"):
        yield DeclarationError(
            "E006", f"{SETTING}['PUBLIC'] is neither 'services' nor 'status'.", "Set it to one of these two values."
        )
    if "DRAIN_FILE" in declared and not _is_path(declared["DRAIN_FILE"]):
        yield DeclarationError(
            "E007", f"{SETTING}['DRAIN_FILE'] is not a path.", "Set it to the path of a file, or remove it."
        )
    if "MOUNT" in declared and not _is_url_path(declared["MOUNT"]):
        yield DeclarationError(
            "E015",
            f"{SETTING}['MOUNT'] is not a path like '/api/health'.",
            "Set it to an absolute URL path other than '/', or remove it.",
        )
    if not isinstance(declared.get("INLINE", False), bool):
        yield DeclarationError(
            "E008", f"{SETTING}['INLINE'] is not True or False.", "Set it to True in tests only, or remove it."
        )


def _service_errors(services: object, path: tuple[str, ...] = ()) -> _Errors:
    if not isinstance(services, Mapping):
        yield DeclarationError("E009", f"{_entry(path)} is not a dict.", "Set it to a dict of services by name.")
        return
    if not services:
        yield DeclarationError(
            "E010", f"{_entry(path)} is empty, so nothing would be checked.", "Declare a service in it, or remove it."
        )
    for name, value in services.items():
        here = (*path, name)
        if not _is_name(name):
            yield DeclarationError(
                "E011",
                f"{_entry(here)}: this is not a valid name for a service.",
                f"Use only letters, digits, _ and -, and none of these reserved names: {', '.join(sorted(RESERVED))}.",
            )
        elif isinstance(value, Mapping):
            yield from _service_errors(value, here)
        else:
            yield from _policy_errors(_service(value), here)


def _policy_errors(service: Service, path: tuple[str, ...]) -> _Errors:
    if not service.checks:
        yield DeclarationError(
            "E012", f"{_entry(path)} has no checks, so nothing would be checked.", "Add a check, or remove the service."
        )
    for message in service.policy_errors():
        yield DeclarationError("E013", f"{_entry(path)}: {message}", f"Fix this Service(…) in the {SETTING} setting.")


def _entry(path: tuple[str, ...]) -> str:
    # Slow, because nothing from the environment may be shown. Called only for an error.
    return f"{SETTING}['SERVICES']" + "".join(f"[{shown(name)}]" for name in path)


def _check_errors(tree: Tree) -> _Errors:
    for service in tree.services():
        for source in service.sources:
            for problem in declaration_errors(source):
                yield DeclarationError("E014", f"{_entry(service.path)}: {problem.message}", problem.hint)


def _is_name(name: object) -> bool:
    is_name = isinstance(name, str) and _NAME.fullmatch(name) is not None and name not in RESERVED
    # The names of services are public, so a text that looks like a key must not be one.
    return is_name and (len(str(name)) < _LONG_NAME or is_showable(str(name)))


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_url_path(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith("/") and bool(value.strip("/"))


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and bool(str(value))
