"""The HEALTHGUARD setting, typed, read on access. What is wrong with it is told, never raised."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeGuard

from django.apps import apps
from django.conf import settings as django_settings
from django.db import DEFAULT_DB_ALIAS
from django.utils.module_loading import import_string

from healthguard import values
from healthguard.declared import is_showable, shown
from healthguard.placeholders import Nature
from healthguard.providers import PROVIDERS
from healthguard.service import Service, ServiceNode, Tree, misdeclared, place
from healthguard.status import Fault, Problem

SETTING = "HEALTHGUARD"
KEYS = ("SERVICES", "DEADLINE", "DETAILS_TOKENS", "PUBLIC", "DRAIN_FILE", "INLINE", "MOUNT")
MIN_TOKEN_BYTES = 16

OWN_SERVICE = "healthguard"
"""The service that appears only when the declaration itself, or the URLconf, is wrong."""

RESERVED = frozenset(
    {
        *("status", "services", "checked_at", "age_seconds", "duration_ms", "checks", "draining"),
        *("live", "startup", "ready", OWN_SERVICE),
    }
)
"""What stands in the answer, or in a path, and so cannot be the name of a service."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_LONG_NAME = 20
_MAX_WORDS = 200
_LISTS = (list, tuple, set, frozenset)
# References of shells, Helm, Python, vaults and the like, and the name of a variable in the place of its value.
_REFERENCE = re.compile(
    r"\$[({][A-Za-z_]{3}|\{\{\s*[\w.]{3}|%\([A-Za-z_]{3}|#\{[A-Za-z_]{3}|^[<(\[][a-z]+[-_ ][a-z]|^(op|vault|secret|ref\+\w+)://"
    r"|^vault:|^ENC\[|^_*[A-Z][A-Z0-9]*(_+[A-Z0-9]+)+_*$"
)
# Nothing but words that ask for a token, at least one of which says so.
_WORDS = re.compile(
    r"(?=.*(change|replace|insert|your|please|secret|password|undefined))"
    r"((please|change|replace|insert|put|this|your|my|me|it|now|here|in|a|the|of|at|least|super|very|secret|tokens?|key"
    r"|password|undefined|random|characters|bytes|(?<=[-_. ])\d{1,2}(?=[-_. ]))[-_. ]*)+",
    re.IGNORECASE,
)
_DUMMY_ENGINE = "django.db.backends.dummy"


@dataclasses.dataclass(frozen=True, slots=True)
class DeclarationError:
    """Something wrong with the setting.

    Args:
        id: the number of the system check that reports it.
        message: what is wrong, and where.
        hint: the remedy.
    """

    id: str
    message: str
    hint: str

    @property
    def is_warning(self) -> bool:
        """True if nothing depends on it but convenience: it turns no answer red."""
        return self.id.startswith("W")


_Found: TypeAlias = "Iterator[DeclarationError]"


class Settings:
    """The setting's keys, one typed property each, read when asked for. A wrong value gives the default."""

    @property
    def declared(self) -> Mapping[str, Any]:
        """The setting as it stands; empty where there is none, or none that can be read."""
        value = getattr(django_settings, SETTING, None)
        return value if isinstance(value, Mapping) else {}

    @property
    def deadline(self) -> float:
        """How long a request may wait (seconds): under kubelet's default timeout of 1 s."""
        value = self.declared.get("DEADLINE", 0.8)
        return float(value) if _is_seconds(value) else 0.8

    @property
    def details_tokens(self) -> tuple[str, ...]:
        """The bearer tokens that open the details. A token with a flaw opens nothing."""
        value = self.declared.get("DETAILS_TOKENS", ())
        if not isinstance(value, _LISTS):
            return ()
        return tuple(token for token in value if not _is_blank(token) and _token_flaw(token) is None)

    @property
    def shows_services(self) -> bool:
        """Whether those without a token see a status a service, or only the overall one."""
        return bool(self.declared.get("PUBLIC", "services") == "services")

    @property
    def drain_file(self) -> str | None:
        """The file whose existence takes the pod out."""
        value = self.declared.get("DRAIN_FILE")
        return os.fspath(value) if isinstance(value, str | os.PathLike) and _is_path(value) else None

    @property
    def mount(self) -> str | None:
        """The path at which adaptors answer beside what the URLconf shows, like ``/api/health``."""
        value = self.declared.get("MOUNT")
        return value if _is_url_path(value) else None

    @property
    def inline(self) -> bool:
        """Whether checks run in the caller's thread, on its connections: for tests."""
        return self.declared.get("INLINE", False) is True

    def tree(self) -> Tree:
        """The declared services, or the default ones where none are declared."""
        services = self.declared["SERVICES"] if "SERVICES" in self.declared else default_services()
        return _tree(services) if isinstance(services, Mapping) else Tree({})


settings = Settings()


def default_services() -> dict[str, Any]:
    """What is checked where nothing is declared: secret key, every database, every AI key in the environment."""
    services: dict[str, Any] = {"django_config": "healthguard.checks.SecretKey"}
    declared = django_settings.DATABASES
    databases = {
        alias: [
            ("health_check.checks.Database", {"alias": alias}),
            *_checks_of_tables(alias, database),
        ]
        # What is no dict is left to the checks, which fail of it.
        for alias, database in (declared if isinstance(declared, Mapping) else {"default": declared}).items()
        if not isinstance(database, Mapping)
        or database.get("ENGINE", _DUMMY_ENGINE) not in ("", _DUMMY_ENGINE)
        or (alias == DEFAULT_DB_ALIAS and _has_empty_url())
    }
    if databases:
        services["database"] = databases["default"] if set(databases) == {"default"} else databases
    keys = {
        # Where its address is not in the environment, it is in the code, and nobody here can ask there.
        provider.name: (
            "healthguard.checks.AIProviderKey",
            {"provider": provider.name, "verify": not provider.place().missing},
        )
        for provider in PROVIDERS.values()
        if any(variable in os.environ for variable in provider.variables)
    }
    if keys:
        services["ai_providers"] = keys
    return services


def _has_empty_url() -> bool:
    """Return True if DATABASE_URL is set to nothing. A project without a database has no such variable."""
    url = os.environ.get("DATABASE_URL")
    return url is not None and not url.strip()


def _checks_of_tables(alias: str, database: Any) -> Iterator[Any]:
    """What tells whether migrations and models' tables are there; instances, for they remember what the code has."""
    from healthguard.schema.from_models import keeps_tables

    test = database.get("TEST") if isinstance(database, Mapping) else None
    # Django's own way to declare a replica: https://docs.djangoproject.com/en/stable/topics/testing/advanced/
    mirrored = test.get("MIRROR") if isinstance(test, Mapping) else None
    like = mirrored if isinstance(mirrored, str) else None
    is_other = alias != DEFAULT_DB_ALIAS and like is None
    yield import_string("healthguard.checks.AppliedMigrations")(alias, like=like, may_be_foreign=is_other)
    try:
        has_tables = not apps.models_ready or keeps_tables(like or alias)
    except Exception:
        # A router that raises: the check meets the same error, and tells it.
        has_tables = True
    if has_tables:
        yield import_string("healthguard.checks.ModelSchema")(alias, like=like, may_be_foreign=is_other)


def _tree(declared: Mapping[str, Any], path: tuple[str, ...] = ()) -> Tree:
    members: dict[str, ServiceNode | Tree] = {}
    for name, value in declared.items():
        if not _is_name(name):
            continue
        here = (*path, name)
        if isinstance(value, Mapping):
            group = _tree(value, here)
            # Of a group without a service there is nothing to tell but that: an error, and no healthy section.
            if group.members:
                members[name] = group
        else:
            members[name] = place(_with_sound_policy(_service(value)), here)
    return Tree(members)


def _service(value: Any) -> Service:
    return value if isinstance(value, Service) else Service(value)


def _with_sound_policy(service: Service) -> Service:
    """``service``, or its checks with the default policy if its own cannot be read, which is told as an error."""
    return Service(*service.checks) if any(service.policy_errors()) else service


def errors() -> list[DeclarationError]:
    """Everything that is wrong with the declaration. To find it, the checks are made."""
    return [*_errors_of_form(), *_errors_of_checks(settings.tree())]


def _errors_of_form() -> list[DeclarationError]:
    declared = getattr(django_settings, SETTING, None)
    if declared is None:
        return []
    if not isinstance(declared, Mapping):
        return [DeclarationError("E001", f"{SETTING} is not a dict.", f"Write {SETTING} = {{'SERVICES': {{…}}}}.")]
    found = [*_key_errors(declared), *_value_errors(declared)]
    return [*found, *_service_errors(declared["SERVICES"])] if "SERVICES" in declared else found


def global_problem() -> Problem | None:
    """What is wrong with the declaration as a whole, for an answer. What concerns one check stands with its service."""
    found = [error for error in _errors_of_form() if not error.is_warning]
    if not found:
        return None
    return Problem(
        "misdeclared",
        Fault.CONFIG,
        " ".join(error.message for error in found[:5]),
        f"{found[0].hint} 'python manage.py check' tells all of it.",
        {"checks": [f"healthguard.{error.id}" for error in found]},
    )


def _key_errors(declared: Mapping[str, Any]) -> _Found:
    for key in declared:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key).upper(), KEYS, 1)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            yield DeclarationError(
                "E002", f"{SETTING} has an unknown key {shown(key)}.", f"{meant}Known are: {', '.join(KEYS)}."
            )


def _value_errors(declared: Mapping[str, Any]) -> _Found:
    if "DEADLINE" in declared and not _is_seconds(declared["DEADLINE"]):
        yield DeclarationError(
            "E003", f"{SETTING}['DEADLINE'] is not a positive number.", "Give seconds, under the probe's timeout: 0.8."
        )
    yield from _token_errors(declared.get("DETAILS_TOKENS", ()))
    if declared.get("PUBLIC", "services") not in ("services", "status"):
        yield DeclarationError(
            "E006", f"{SETTING}['PUBLIC'] is neither 'services' nor 'status'.", "Choose one of the two."
        )
    if declared.get("DRAIN_FILE") is not None and not _is_path(declared["DRAIN_FILE"]):
        yield DeclarationError("E007", f"{SETTING}['DRAIN_FILE'] is not a path.", "Give a path, or leave it out.")
    if declared.get("MOUNT") is not None and not _is_url_path(declared["MOUNT"]):
        yield DeclarationError(
            "E015", f"{SETTING}['MOUNT'] is not a path like '/api/health'.", "Begin it with a slash, or leave it out."
        )
    if not isinstance(declared.get("INLINE", False), bool):
        yield DeclarationError("E008", f"{SETTING}['INLINE'] is not True or False.", "It is meant for tests alone.")


def _token_errors(tokens: object) -> _Found:
    if not isinstance(tokens, _LISTS):
        yield DeclarationError("E004", f"{SETTING}['DETAILS_TOKENS'] is not a list.", "Write a list of tokens.")
        return
    if any(map(_is_blank, tokens)):
        yield DeclarationError(
            "W002",
            f"{SETTING}['DETAILS_TOKENS'] has an empty token, which opens nothing.",
            "Set the variable that the token comes from, if details are to be seen there.",
        )
    for position, flaw in enumerate(None if _is_blank(token) else _token_flaw(token) for token in tokens):
        if flaw is not None:
            yield DeclarationError(
                "E005",
                f"{SETTING}['DETAILS_TOKENS'][{position}] {flaw}; it opens nothing.",
                "Generate a token with: python -c 'import secrets; print(secrets.token_urlsafe(32))', and check the "
                "Secret that it is mounted from.",
            )


def _service_errors(services: object, path: tuple[str, ...] = ()) -> _Found:
    where = f"{SETTING}['SERVICES']" + "".join(f"[{shown(name)}]" for name in path)
    if not isinstance(services, Mapping):
        yield DeclarationError("E009", f"{where} is not a dict.", "Write services by name.")
        return
    if not services:
        yield DeclarationError("E010", f"{where} is empty: nothing would be checked.", "Declare a service, or drop it.")
    for name, value in services.items():
        here = f"{where}[{shown(name)}]"
        if not _is_name(name):
            yield DeclarationError(
                "E011",
                f"{here}: a service cannot have this name.",
                f"Use letters, digits, _ and -, and none of: {', '.join(sorted(RESERVED))}.",
            )
        elif isinstance(value, Mapping):
            yield from _service_errors(value, (*path, name))
        else:
            yield from _leaf_errors(_service(value), here)


def _leaf_errors(service: Service, where: str) -> _Found:
    if not service.checks:
        yield DeclarationError("E012", f"{where} has no check: nothing would be checked.", "Give it one, or drop it.")
    for message in service.policy_errors():
        yield DeclarationError("E013", f"{where}: {message}", "Correct the Service(…) in the setting.")


def _errors_of_checks(tree: Tree) -> _Found:
    for service in tree.services():
        where = f"{SETTING}['SERVICES']" + "".join(f"[{shown(name)}]" for name in service.path)
        for source in service.sources:
            for problem in misdeclared(source):
                yield DeclarationError("E014", f"{where}: {problem.message}", problem.hint)


def _is_name(name: object) -> bool:
    is_name = isinstance(name, str) and _NAME.fullmatch(name) is not None and name not in RESERVED
    # The names of services are public: what looks like a key cannot be one.
    return is_name and (len(str(name)) < _LONG_NAME or is_showable(str(name)))


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_blank(token: object) -> bool:
    """Return True if a token is missing: its variable is not set, or its Secret is empty but for a line break."""
    return token is None or (isinstance(token, str) and not token.strip())


def _token_flaw(token: object) -> str | None:
    """Return why a token cannot be used, as the end of a sentence that begins with the token; None if it can."""
    return _text_flaw(token) if isinstance(token, str) else "is not a text"


@functools.lru_cache(maxsize=64)
def _text_flaw(token: str) -> str | None:
    flaw = values.corruption(token, is_token=True) or values.placeholder(token, nature=Nature.LABEL)
    if flaw is not None:
        return flaw.what
    if _REFERENCE.search(token):
        return "holds a reference that was not resolved"
    if len(token) <= _MAX_WORDS and _WORDS.fullmatch(token):
        return "consists of words that stand for a token"
    return f"has fewer than {MIN_TOKEN_BYTES} bytes" if len(token) < MIN_TOKEN_BYTES else None


def _is_url_path(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith("/") and bool(value.strip("/"))


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and bool(str(value))
