"""A secret that is declared instead of a name appears in no message, log line, repr, label or evidence."""

from __future__ import annotations

import itertools
import logging
import string
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import assume, given
from hypothesis import strategies as st

from example_project.deployment import anthropic_key, openai_key
from healthguard import Service
from healthguard.checks import (
    AIProviderKey,
    AppliedMigrations,
    CredentialExchange,
    DatabaseName,
    EnvironmentVariable,
    HTTPEndpoint,
    ModelSchema,
    RequiredColumns,
    RequiredTables,
    SecretKey,
)
from healthguard.http.handler import Request, respond
from healthguard.runtime import log
from healthguard.secret_values.showable import HIDDEN, is_showable, shown, shown_path
from healthguard.service import source_of
from tests.support.system_check_messages import own_messages

TOKEN = "details-token-0123456789"

SECRETS = {
    "an AI key": anthropic_key(),
    "another": openai_key(),
    "a URL": "postgres://app:Tr0ub4dor-3@db.internal:5432/shop",
    "hexadecimal": "9f86d081884c7d659a2feaa0c55ad015",
    "letters and digits": "aB3xK9mQ2pL7vR4t",
    "a JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "base64": "dGhpcyBpcyBub3QgYSBuYW1l+/8=",
    "a password that is a word": "sunshine",
    "a UUID": "550e8400-e29b-41d4-a716-446655440000",
}

PLACES: dict[str, Callable[[Any], Any]] = {
    "a check": lambda secret: secret,
    "a dotted path with options": lambda secret: (secret, {}),
    "the name of a database": DatabaseName,
    "the alias of DatabaseName": lambda secret: DatabaseName("shop", secret),
    "the alias of RequiredTables": lambda secret: RequiredTables(["a"], secret),
    "a table": lambda secret: RequiredTables([secret]),
    "the table of columns": lambda secret: RequiredColumns(secret, ["a"]),
    "a column": lambda secret: RequiredColumns("customers", [secret]),
    "a type": lambda secret: RequiredColumns("customers", {"name": secret}),
    "the alias of AppliedMigrations": AppliedMigrations,
    "the alias of ModelSchema": ModelSchema,
    "an app": lambda secret: ModelSchema(apps=[secret]),
    "what ModelSchema leaves out": lambda secret: ModelSchema(exclude=[secret]),
    "mirror_of of ModelSchema": lambda secret: ModelSchema(mirror_of=secret),
    "mirror_of of AppliedMigrations": lambda secret: AppliedMigrations(mirror_of=secret),
    "a variable": EnvironmentVariable,
    "a pattern": lambda secret: EnvironmentVariable("PATH", secret),
    "min_bytes": lambda secret: EnvironmentVariable("PATH", min_bytes=secret),
    "min_bytes of SecretKey": SecretKey,
    "a provider": AIProviderKey,
    "the place of a key": lambda secret: AIProviderKey("openai", secret),
    "share": lambda secret: AIProviderKey("openai", share=secret),
    "verify": lambda secret: AIProviderKey("openai", verify=secret),
    "a URL": HTTPEndpoint,
    "a segment of a URL's path": lambda secret: HTTPEndpoint(f"http://127.0.0.1:1/hooks/{secret}"),
    "a method": lambda secret: HTTPEndpoint("/x", secret),
    "the name of a header": lambda secret: HTTPEndpoint("http://127.0.0.1:1/x", headers={secret: "x"}),
    "a path in JSON": lambda secret: HTTPEndpoint("/api/health/live", expect={secret: "x"}),
    "a pattern in JSON": lambda secret: HTTPEndpoint("/api/health/live", expect={"status": secret}),
    "a status": lambda secret: HTTPEndpoint("/x", expect_status=secret),
    "the URL of an exchange": lambda secret: CredentialExchange(secret, ["openai"]),
    "a provider of an exchange": lambda secret: CredentialExchange("/x", [secret]),
    "ready": lambda secret: Service("tests.support.strange_checks.Fine", ready=secret),
    "ttl": lambda secret: Service("tests.support.strange_checks.Fine", ttl=secret),
}


# A word that is a segment of a path is shown as a part of the path.
CASES = [
    (place, kind)
    for place in PLACES
    for kind in SECRETS
    if not (place == "a segment of a URL's path" and kind in ("a URL", "a password that is a word"))
]


@pytest.mark.parametrize(("place", "kind"), CASES)
@pytest.mark.django_db
def test_secret_instead_of_a_name_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str, kind: str
) -> None:
    """The test covers system checks, a response with details, the log, repr and labels."""
    secret = SECRETS[kind]
    monkeypatch.setenv("THE_PASSWORD", secret)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    log.forget()
    declared = PLACES[place](secret)
    services = {"one": declared}
    with (
        override_settings(HEALTHGUARD={"SERVICES": services, "INLINE": True, "DETAILS_TOKENS": [TOKEN]}),
        caplog.at_level(logging.DEBUG),
    ):
        texts = [f"{message.msg} {message.hint}" for message in own_messages()]
        response = respond(Request("GET", "", "", f"Bearer {TOKEN}"))
        assert log.flush(60)
        assert b'"checks"' in response.body
    texts += [response.body.decode(), caplog.text, repr(declared) if not isinstance(declared, str | tuple) else ""]
    texts.append(str(getattr(declared, "labels", "")))
    texts.append(repr(source_of(declared)) if not isinstance(declared, Service) else repr(declared))
    for text in texts:
        assert secret not in text
        # A long part of the secret, such as the end of a URL, is not shown either.
        assert secret[12:] not in text or len(secret) < 20


@pytest.mark.parametrize("name", ["SERVICES", "a key"])
def test_secret_instead_of_a_key_of_the_setting_is_not_shown(name: str) -> None:
    """The secret is an unknown key, or an invalid name of a service."""
    secret = SECRETS["a URL"]
    declared = {"SERVICES": {secret: 5}} if name == "SERVICES" else {secret: 5}
    with override_settings(HEALTHGUARD=declared):
        messages = [f"{message.msg} {message.hint}" for message in own_messages()]
        assert messages
        assert secret not in "".join(messages)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "default",
            "rsolv_platform_prod",
            "shop2024",
            "db.sqlite3",
            "customers.admin_level",
            "k8s_prod",
            "oauth2client",
        ),
        *(
            "healthguard.checks.AIProviderKey",
            "health_check.contrib.celery.Ping",
            "AZURE_OPENAI_API_KEY",
            "numeric(10, 2)",
        ),
        *(
            "character varying(20)",
            "timestamp with time zone",
            "test_gw0_12345678",
            "utf8mb4",
            "measurement_y2006m02",
            "events_p20240101",
            "backup_20240131235959",
            "Größe",
            "read-replica-1",
            "int8[]",
        ),
        *("items.0.name", "$", "healthguard_test_4194304", "AWS_S3_BUCKET"),
    ],
)
def test_plain_name_is_shown(name: str) -> None:
    assert is_showable(name)
    assert shown(name) == repr(name)


@given(st.text(string.ascii_letters + string.digits, min_size=20, max_size=80))
def test_random_text_is_not_shown(text: str) -> None:
    """A random key does not count as a name, unless it happens to consist of letters and one number."""
    assume(sum(one.isdigit() != other.isdigit() for one, other in itertools.pairwise(text)) > 2)
    assert shown(text) == HIDDEN


def test_value_of_a_secret_variable_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is hidden even if it has the form of a name."""
    assert shown("sunshine") == "'sunshine'"
    monkeypatch.setenv("DB_PASSWORD", "sunshine")
    assert shown("sunshine") == HIDDEN


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (5, "5"),
        (True, "True"),
        (12345678901234567890, HIDDEN),
        (["a", "s3cr3t/x"], f"['a', {HIDDEN}]"),
        ({"a": 1}, "{'a'}"),
        (b"bytes", "(a bytes)"),
        (object(), "(a object)"),
        (list("ab" * 20), "[" + "'a', 'b', " * 10 + "…]"),
    ],
)
def test_value_that_is_not_a_text_is_shown_by_its_type(value: object, text: str) -> None:
    """Short numbers are shown, and the members of collections one by one."""
    assert shown(value) == text


def test_path_of_a_webhook_is_not_shown() -> None:
    """The last segment of the URL of a webhook is a secret."""
    assert shown_path("/services/T024BE7LD/B024BE7LE/aB3xK9mQ2pL7vR4taB3xK9mQ") == "/services/T024BE7LD/B024BE7LE/…"
    assert shown_path("/api/v1/credentials/exchange") == "/api/v1/credentials/exchange"
