"""A mistake in a declared check is named, with what was probably meant, by ``check`` and by the answer alike."""

from __future__ import annotations

import dataclasses
import json

import pytest
from django.core.checks import run_checks
from django.test import override_settings
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.checks import AppliedMigrations, DatabaseName, ModelSchema, RequiredTables, SecretKey
from healthguard.respond import Request, respond
from tests import strange_checks as strange

OURS = "healthguard.checks."


def found(value: object) -> tuple[str, str, str, str]:
    """Return the message and the hint of the system check, and the message and code of the answer."""
    with override_settings(HEALTHGUARD={"SERVICES": {"odd": value}}, DEBUG=True):
        (message,) = [message for message in run_checks() if message.id.startswith("healthguard.")]
        answer = respond(Request("GET", ""))
        check = json.loads(answer.body)["odd"]["checks"][0]
    assert answer.status == 503
    return message.msg, message.hint, check["message"], check["code"]


@dataclasses.dataclass
class Theirs(HealthCheck):
    url: str
    retries: int = 3

    def run(self) -> None:
        pass


MISTAKES = {
    "unknown option": ((f"{OURS}RequiredTables", {"table": ["x"]}), "no option 'table'", "Did you mean 'tables'?"),
    "unknown option of a class": ((RequiredTables, {"tabels": ["x"]}), "'tabels'", "Did you mean 'tables'?"),
    "unknown option in capitals": ((SecretKey, {"MIN_BYTES": 60}), "'MIN_BYTES'", "Did you mean 'min_bytes'?"),
    "unknown option like none": ((SecretKey, {"colour": "red"}), "no option 'colour'", "are: min_bytes"),
    "another name for an option": ((f"{OURS}DatabaseName", {"database": "x"}), "'database'", "Did you mean 'name'?"),
    "an instance with options": (
        (SecretKey(), {"min_bytes": 60}),
        "must be a dotted path or a class",
        "instance itself",
    ),
    "two unknown options": ((SecretKey, {"min": 5, "max": 6}), "no options 'min', 'max'", "min_bytes"),
    "missing option": ((f"{OURS}RequiredTables", {}), "needs the option 'tables'", "tables"),
    "missing option, class alone": (RequiredTables, "needs the option 'tables'", "tables"),
    "missing option, path alone": (f"{OURS}DatabaseName", "needs the option 'name'", "name"),
    "a stranger's option": ((Theirs, {"ulr": "x"}), "'ulr'", "Did you mean 'url'?"),
    "an option that is no text": ((SecretKey, {5: 1}), "no option 5", "min_bytes"),
    "typing error in a class": (f"{OURS}RequiredTabels", "nothing of the name", f"'{OURS}RequiredTables'"),
    "wrong case": (f"{OURS}required_tables", "nothing of the name", f"'{OURS}RequiredTables'"),
    "class of another package": ("healthguard.RequiredTables", "cannot be imported", f"'{OURS}RequiredTables'"),
    "class of django-health-check": ("health_check.checks.SecretKey", "'health_check.checks'", f"'{OURS}SecretKey'"),
    "old path of django-health-check": ("health_check.db.Database", "no module", "'health_check.checks.Database'"),
    "unknown module": ("healthguard.check.RequiredTables", "no module 'healthguard.check'", f"'{OURS}RequiredTables'"),
    "unknown package": ("health_gaurd.checks.SecretKey", "no module 'health_gaurd'", f"'{OURS}SecretKey'"),
    "name without a module": ("SecretKey", "not a dotted path", f"'{OURS}SecretKey'"),
    "name without a module, in lower case": ("secretkey", "not a dotted path", f"'{OURS}SecretKey'"),
    "a dict within a list": ([{"check": SecretKey}], "a dict is not a check", "(path, {options})"),
    "a service within a list": ([Service(SecretKey)], "a Service is not a check", "Service(check, check)"),
    "a list within a list": ([[[SecretKey]]], "a list is not a check", "one list"),
    "a set": ({SecretKey, strange.Fine}, "a set is not a check", "list"),
    "a tuple of checks": ((SecretKey, strange.Fine), "(path, {options})", "as a list"),
    "a tuple of three": ((f"{OURS}SecretKey", 60, 70), "(path, {options})", "HEALTHGUARD"),
    "a function": (lambda: True, "a function is not a check", "run()"),
    "a class that is no check": (int, "the class int is not a check", "HEALTHGUARD"),
    "unknown alias": (DatabaseName("x", alias="othr"), "'othr' is not an alias", "default"),
    "unknown alias by path": (
        (f"{OURS}RequiredTables", {"tables": ["x"], "alias": "defualt"}),
        "'defualt'",
        "'default'?",
    ),
    "unknown alias of migrations": (AppliedMigrations("Default"), "'Default'", "Did you mean 'default'?"),
    "unknown alias of models": (ModelSchema("other"), "'other' is not an alias", "default"),
    "unknown alias of theirs": (("health_check.checks.Database", {"alias": "other"}), "'other'", "default"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_by_check_and_answer(mistake) -> None:
    value, words, meant = MISTAKES[mistake]
    message, hint, told, code = found(value)
    assert words.lower() in message.lower()
    assert meant in hint
    assert told in message
    assert code == ("unknown_alias" if "alias" in mistake else "misdeclared")


WRONG_TYPES = {
    "tables": (RequiredTables, {"tables": "customers"}),
    "name": (DatabaseName, {"name": 5}),
    "alias": (DatabaseName, {"name": "x", "alias": 5}),
    "alias of models": (ModelSchema, {"alias": None}),
    "list as alias": (AppliedMigrations, {"alias": ["default"]}),
    "min_bytes": (SecretKey, {"min_bytes": "64"}),
}


@pytest.mark.parametrize("option", WRONG_TYPES)
def test_option_of_a_wrong_type(option) -> None:
    message, hint, _, code = found(WRONG_TYPES[option])
    assert code in ("misdeclared", "unknown_alias")
    assert message
    assert hint


@pytest.mark.parametrize(
    ("option", "meant"), [("timout", "timeout"), ("TTL", "ttl"), ("readiness", "ready"), ("is_critical", "critical")]
)
def test_unknown_option_of_a_service(option, meant) -> None:
    with override_settings(HEALTHGUARD={"SERVICES": {"fine": Service(strange.Fine, **{option: 1})}}):
        (message,) = [message for message in run_checks() if message.id.startswith("healthguard.")]
        assert respond(Request("GET", "")).status == 503
    assert message.id == "healthguard.E013"
    assert f"no option {option!r}" in message.msg
    assert f"Did you mean {meant!r}?" in message.msg


def test_unknown_option_keeps_the_signature() -> None:
    """Editors and type checkers still know the options of a service."""
    import inspect

    assert list(inspect.signature(Service).parameters) == ["checks", "ready", "critical", "ttl", "stale_for", "timeout"]


@pytest.mark.parametrize("secret", ["sk-proj-Ab3dEf6hIj9kLmN0pQrS", "p4ssW0rd!x9Zq"])
def test_secret_in_the_place_of_an_option_is_not_shown(secret) -> None:
    shown = found((RequiredTables, {secret: ["x"]}))
    assert secret not in repr(shown)
    assert secret not in repr(found((RequiredTables, {"tables": ["x"], "alias": secret})))
    assert secret not in repr(found(secret))


class TakesAnything(HealthCheck):
    def __init__(self, **options: object) -> None:
        self.options = options

    def run(self) -> None:
        pass


class AliasOfSomethingElse(HealthCheck):
    """Like a check of a cache or a broker, whose alias is not a database's."""

    alias = "no_database"

    def run(self) -> None:
        pass


@pytest.mark.parametrize("value", [(TakesAnything, {"whatever": 1}), AliasOfSomethingElse, (Theirs, {"url": "x"})])
def test_right_declaration_of_a_stranger_is_silent(value) -> None:
    with override_settings(HEALTHGUARD={"SERVICES": {"fine": value}}):
        assert [message for message in run_checks() if message.id.startswith("healthguard.")] == []
        assert respond(Request("GET", "")).status == 200
