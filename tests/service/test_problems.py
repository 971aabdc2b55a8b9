"""A mistake in a declared check is reported by the system checks and by the response, with the likely correction."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

import pytest
from django.test import override_settings
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.checks import AppliedMigrations, DatabaseName, ModelSchema, RequiredTables, SecretKey
from healthguard.http.handler import Request, respond
from tests.support import strange_checks as strange
from tests.support.system_check_messages import hint_of, own_messages

OURS = "healthguard.checks."


def report_of(value: object) -> tuple[str, str, str, str]:
    """Return the message and the hint of the system check, and the message and code in the response."""
    with override_settings(HEALTHGUARD={"SERVICES": {"odd": value}}, DEBUG=True):
        (message,) = own_messages()
        response = respond(Request("GET", ""))
        check = json.loads(response.body)["odd"]["checks"][0]
    assert response.status == 503
    return message.msg, hint_of(message), check["message"], check["code"]


@dataclasses.dataclass
class ThirdPartyCheck(HealthCheck):
    url: str
    retries: int = 3

    def run(self) -> None:
        pass


MISTAKES: dict[str, tuple[Any, str, str]] = {
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
    "a stranger's option": ((ThirdPartyCheck, {"ulr": "x"}), "'ulr'", "Did you mean 'url'?"),
    "an option that is no text": ((SecretKey, {5: 1}), "no option 5", "min_bytes"),
    "typing error in a class": (f"{OURS}RequiredTabels", "has no attribute", f"'{OURS}RequiredTables'"),
    "wrong case": (f"{OURS}required_tables", "has no attribute", f"'{OURS}RequiredTables'"),
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
def test_mistake_is_reported_with_a_correction(mistake: str) -> None:
    value, words, correction = MISTAKES[mistake]
    message, hint, response_message, code = report_of(value)
    assert words.lower() in message.lower()
    assert correction in hint
    assert response_message in message
    assert code == ("unknown_alias" if "alias" in mistake else "invalid_declaration")


WRONG_TYPES: dict[str, tuple[type[HealthCheck], dict[str, object]]] = {
    "tables": (RequiredTables, {"tables": "customers"}),
    "name": (DatabaseName, {"name": 5}),
    "alias": (DatabaseName, {"name": "x", "alias": 5}),
    "alias of models": (ModelSchema, {"alias": None}),
    "list as alias": (AppliedMigrations, {"alias": ["default"]}),
    "min_bytes": (SecretKey, {"min_bytes": "64"}),
}


@pytest.mark.parametrize("option", WRONG_TYPES)
def test_option_of_a_wrong_type_is_reported(option: str) -> None:
    message, hint, _, code = report_of(WRONG_TYPES[option])
    assert code in ("invalid_declaration", "unknown_alias")
    assert message
    assert hint


@pytest.mark.parametrize(
    ("option", "meant"), [("timout", "timeout"), ("TTL", "ttl"), ("readiness", "ready"), ("is_critical", "critical")]
)
def test_unknown_option_of_a_service_is_reported(option: str, meant: str) -> None:
    options: dict[str, Any] = {option: 1}
    with override_settings(HEALTHGUARD={"SERVICES": {"fine": Service(strange.Fine, **options)}}):
        (message,) = own_messages()
        assert respond(Request("GET", "")).status == 503
    assert message.id == "healthguard.E013"
    assert f"no option {option!r}" in message.msg
    assert f"Did you mean {meant!r}?" in message.msg


def test_signature_of_a_service_has_its_options() -> None:
    """Editors and type checkers read the signature, although the constructor accepts unknown options."""
    options = ["ready", "critical", "ttl", "stale_for", "timeout", "scope"]
    assert list(inspect.signature(Service).parameters) == ["checks", *options]


@pytest.mark.parametrize("secret", ["sk-proj-Ab3dEf6hIj9kLmN0pQrS", "p4ssW0rd!x9Zq"])
def test_secret_instead_of_an_option_is_not_shown(secret: str) -> None:
    shown = report_of((RequiredTables, {secret: ["x"]}))
    assert secret not in repr(shown)
    assert secret not in repr(report_of((RequiredTables, {"tables": ["x"], "alias": secret})))
    assert secret not in repr(report_of(secret))


class TakesAnything(HealthCheck):
    def __init__(self, **options: object) -> None:
        self.options = options

    def run(self) -> None:
        pass


class AliasOfSomethingElse(HealthCheck):
    """A check like one of a cache or a broker, whose alias is not that of a database."""

    alias = "no_database"

    def run(self) -> None:
        pass


@pytest.mark.parametrize(
    "value", [(TakesAnything, {"whatever": 1}), AliasOfSomethingElse, (ThirdPartyCheck, {"url": "x"})]
)
def test_valid_declaration_of_a_third_party_check_is_accepted(value: object) -> None:
    with override_settings(HEALTHGUARD={"SERVICES": {"fine": value}}):
        assert own_messages() == []
        assert respond(Request("GET", "")).status == 200
