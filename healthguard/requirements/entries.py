"""A requirement as an object of the JSON file, and back. Options with their default value are left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from healthguard.providers.catalog import PROVIDERS
from healthguard.providers.provider import Provider
from healthguard.requirements.database import DatabaseRequirement
from healthguard.requirements.fields import Fields, RequirementsError
from healthguard.requirements.key import KeyRequirement, plain_provider
from healthguard.requirements.requirement import Requirement
from healthguard.requirements.secret_key import MIN_BYTES, SecretKeyRequirement
from healthguard.requirements.variable import VariableRequirement
from healthguard.secret_values.patterns import is_pattern

Entry: TypeAlias = Mapping[str, Any]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,252}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FLAGS = {flag.name: flag.value for flag in (re.IGNORECASE, re.MULTILINE, re.DOTALL, re.VERBOSE, re.ASCII) if flag.name}


def entry_of(requirement: Requirement) -> Entry:
    """Return the object of a requirement.

    Raises:
        RequirementsError: it is of a class of its own, which a file cannot contain.
    """
    kind = next((kind for kind, (cls, _, _) in _KINDS.items() if type(requirement) is cls), None)
    if kind is None:
        raise RequirementsError(
            f"A requirement of the class {type(requirement).__name__} cannot be written. Use a VariableRequirement."
        )
    options = {name: value for name, value in _KINDS[kind][1](requirement).items() if value not in _EMPTY}
    return {"kind": kind, "names": [*requirement.names], "declared_by": requirement.declared_by, **options}


def requirement_in(entry: object, place: str) -> Requirement:
    """Return the requirement in an object.

    Args:
        entry: the JSON value that must be the object.
        place: the file, and the path of the object in it, for errors.

    Raises:
        RequirementsError: the object is invalid.
    """
    fields = Fields(entry, place)
    kind = fields.text("kind")
    if kind not in _KINDS:
        raise fields.error("kind", f"must be one of {', '.join(_KINDS)}")
    names = _names(fields, "names")
    if not names:
        raise fields.error("names", "must contain at least one variable")
    requirement = _KINDS[kind][2](fields, names, fields.text("declared_by", ""))
    fields.finish()
    return requirement


_EMPTY: tuple[object, ...] = (None, [], "")


def _variable_options(requirement: Any) -> Entry:
    return {
        "pattern": requirement.pattern,
        "flags": sorted(name for name, flag in _FLAGS.items() if requirement.flags & flag),
        "min_bytes": None if requirement.min_bytes == 1 else requirement.min_bytes,
        "allow_sha256": sorted(requirement.allowed),
    }


def _variable(fields: Fields, names: tuple[str, ...], declared_by: str) -> Requirement:
    pattern = fields.optional_text("pattern")
    if pattern is not None and not is_pattern(pattern):
        raise fields.error("pattern", "must be a regular expression")
    flags = fields.texts("flags", ())
    if not set(flags) <= set(_FLAGS):
        raise fields.error("flags", f"must contain only {', '.join(_FLAGS)}")
    allowed = frozenset(fields.texts("allow_sha256", ()))
    if not all(map(_DIGEST.fullmatch, allowed)):
        raise fields.error("allow_sha256", "must contain only SHA-256 digests, in lower case")
    return VariableRequirement(
        names,
        declared_by,
        pattern=pattern,
        flags=sum({_FLAGS[name] for name in flags}),
        min_bytes=fields.integer("min_bytes", 1),
        allowed=allowed,
    )


def _secret_key_options(requirement: Any) -> Entry:
    return {"min_bytes": None if requirement.min_bytes == MIN_BYTES else requirement.min_bytes}


def _secret_key(fields: Fields, names: tuple[str, ...], declared_by: str) -> Requirement:
    return SecretKeyRequirement(names, declared_by, min_bytes=fields.integer("min_bytes", MIN_BYTES))


def _database_options(requirement: Any) -> Entry:
    alias = None if requirement.alias == "default" else requirement.alias
    return {"database": requirement.database, "alias": alias}


def _database(fields: Fields, names: tuple[str, ...], declared_by: str) -> Requirement:
    database = fields.text("database")
    if not database:
        raise fields.error("database", "must not be empty")
    return DatabaseRequirement(names, declared_by, database=database, alias=fields.text("alias", "default"))


def _key_options(requirement: Any) -> Entry:
    provider = plain_provider(requirement.provider)
    is_known = PROVIDERS.get(provider.name) == provider
    return {
        "provider": provider.name if is_known else _provider_options(provider),
        "is_verified": None if requirement.is_verified else False,
    }


def _provider_options(provider: Provider) -> Entry:
    options = {
        "name": provider.name,
        "title": provider.title,
        "variables": [*provider.variables],
        "skips_empty": provider.skips_empty or None,
        "base_url_variables": [*provider.base_url_variables],
        "is_gateway": provider.is_gateway or None,
        "formats": [*provider.formats],
        "prefixes": [*provider.prefixes],
    }
    return {name: value for name, value in options.items() if value not in _EMPTY}


def _key(fields: Fields, names: tuple[str, ...], declared_by: str) -> Requirement:
    value = fields.raw("provider")
    if isinstance(value, str) and value not in PROVIDERS:
        raise fields.error("provider", "is not an AI provider that this version of healthguard knows")
    provider = PROVIDERS[value] if isinstance(value, str) else _provider(fields.nested(value, "provider"))
    return KeyRequirement(names, declared_by, provider=provider, is_verified=fields.flag("is_verified", default=True))


def _provider(fields: Fields) -> Provider:
    formats = fields.texts("formats", ())
    if not all(map(is_pattern, formats)):
        raise fields.error("formats", "must contain only regular expressions")
    provider = Provider(
        name=fields.text("name"),
        title=fields.text("title", ""),
        variables=_names(fields, "variables", ()),
        skips_empty=fields.flag("skips_empty", default=False),
        base_url="",
        base_url_variables=_names(fields, "base_url_variables", ()),
        is_gateway=fields.flag("is_gateway", default=False),
        formats=formats,
        prefixes=fields.texts("prefixes", ()),
    )
    fields.finish()
    return provider


def _names(fields: Fields, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
    names = fields.texts(name, default)
    if not all(map(_NAME.fullmatch, names)):
        raise fields.error(name, "must contain only names of environment variables")
    return names


_Options: TypeAlias = Callable[[Any], Entry]
_Read: TypeAlias = Callable[[Fields, tuple[str, ...], str], Requirement]

_KINDS: dict[str, tuple[type[Requirement], _Options, _Read]] = {
    "database": (DatabaseRequirement, _database_options, _database),
    "key": (KeyRequirement, _key_options, _key),
    "secret_key": (SecretKeyRequirement, _secret_key_options, _secret_key),
    "variable": (VariableRequirement, _variable_options, _variable),
}
