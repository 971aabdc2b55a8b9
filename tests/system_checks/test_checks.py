"""The system checks of the HEALTHGUARD setting. An invalid declaration is never healthy."""

from __future__ import annotations

import base64
import inspect
import json
import random
import re
import string
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.checks import ERROR, WARNING, run_checks
from django.test import override_settings

import healthguard
import healthguard.checks
from example_project.deployment import openai_key
from healthguard import Service, conf
from healthguard.checks import AIProviderKey, HTTPEndpoint, SecretKey
from healthguard.conf import settings
from healthguard.http.authorization import bears_token
from healthguard.http.handler import Request, respond
from healthguard.runtime import log
from tests.support import strange_checks as strange
from tests.support.sites import Site
from tests.support.system_check_messages import hint_of, own_messages

FINE = {"fine": strange.Fine}
STRONG = "a-long-enough-token"

PROPERTIES = ("deadline", "details_tokens", "shows_services", "drain_file", "inline", "mount", "monitor")
INVALID_POLICIES: tuple[dict[str, Any], ...] = (
    {"ready": "sometimes"},
    {"critical": "no"},
    {"ttl": -1},
    {"ttl": "5"},
    {"timeout": 0},
    {"stale_for": None},
    {"timeout": float("inf")},
)
INVALID: list[tuple[str, object]] = [
    ("E001", []),
    ("E001", "services"),
    ("E002", {"SERVICE": FINE}),
    ("E002", {"SERVICES": FINE, "deadline": 1}),
    *(("E003", {"SERVICES": FINE, "DEADLINE": value}) for value in (0, -1, "1", True, float("inf"), float("nan"))),
    *(("E004", {"SERVICES": FINE, "DETAILS_TOKENS": value}) for value in (STRONG, 5)),
    *(
        ("E005", {"SERVICES": FINE, "DETAILS_TOKENS": [value]})
        for value in (
            "short",
            "é" * 20,
            STRONG.encode(),
            "$(HEALTHGUARD_TOKEN)",
            "changeme-changeme",
            "<your-token-here>",
            "${HEALTHGUARD_TOKEN}",
            "xxxxxxxxxxxxxxxxxxxx",
            f"{STRONG}\n",
            f" {STRONG}",
            f'"{STRONG}"',
            f"HEALTHGUARD_TOKEN {STRONG}",
            "prefix-${HEALTHGUARD_TOKEN}",
            "%(HEALTHGUARD_TOKEN)s",
            "#{HEALTHGUARD_TOKEN}#",
            "__HEALTHGUARD_TOKEN__",
            "HEALTHGUARD_TOKEN",
            "{{HEALTHGUARD_TOKEN",
            "<your-token-here",
            "[your-token-here]",
            "PLEASE_CHANGE_THIS_TOKEN",
            "changemechangeme",
            "super-secret-token",
            "passwordpassword",
            "your_secret_token_of_at_least_32_characters",
            "vault:secret/data/x#token",
            "op://vault/item/field",
            "ENC[AES256_GCM,data:abcdef]",
        )
    ),
    *(("E015", {"SERVICES": FINE, "MOUNT": value}) for value in ("api/health", "/", 5, ["/x"])),
    *(("E006", {"SERVICES": FINE, "PUBLIC": value}) for value in ("all", True)),
    *(("E007", {"SERVICES": FINE, "DRAIN_FILE": value}) for value in (5, ["/x"])),
    *(("E008", {"SERVICES": FINE, "INLINE": value}) for value in ("yes", 1)),
    *(("E009", {"SERVICES": value}) for value in (None, [strange.Fine], "x")),
    ("E010", {"SERVICES": {}}),
    ("E010", {"SERVICES": {"group": {}, **FINE}}),
    *(
        ("E011", {"SERVICES": {**FINE, name: strange.Fine}})
        for name in ("status", "services", "ready", "live", "startup", "healthguard", "a/b", "", "ü", "a b", 5, None)
    ),
    ("E011", {"SERVICES": {**FINE, "group": {"status": strange.Fine}}}),
    ("E012", {"SERVICES": {**FINE, "empty": []}}),
    ("E012", {"SERVICES": {**FINE, "empty": Service()}}),
    *(("E013", {"SERVICES": {**FINE, "odd": Service(strange.Fine, **policy)}}) for policy in INVALID_POLICIES),
    *(
        ("E014", {"SERVICES": {**FINE, "odd": value}})
        for value in (
            "no.such.Check",
            "SecretKey",
            "os.path.join",
            int,
            5,
            None,
            object(),
            ("healthguard.checks.SecretKey",),
            ("healthguard.checks.SecretKey", {"min": 5}),
            (SecretKey, [50]),
            (5, {}),
            AIProviderKey("antropic"),
            ("healthguard.checks.EnvironmentVariable", {"name": "X", "pattern": "("}),
            ("healthguard.checks.RequiredTables", {"tables": "customers"}),
            SecretKey(min_bytes="64"),  # type: ignore[arg-type]
            HTTPEndpoint("things"),
            HTTPEndpoint("/things", expect={"status": "("}),
            ("healthguard.checks.CredentialExchange", {"url": "/exchange", "providers": "anthropic"}),
            strange.RaisesInConstructor,
        )
    ),
]


def get(path: str = "") -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON of a response."""
    response = respond(Request("GET", path))
    return response.status, json.loads(response.body)


@pytest.mark.parametrize(("error", "declaration"), INVALID, ids=lambda value: value if isinstance(value, str) else "")
def test_invalid_declaration_is_reported_and_unhealthy(error: str, declaration: object) -> None:
    with override_settings(HEALTHGUARD=declaration):
        messages = own_messages()
        assert [message.id for message in messages] == [f"healthguard.{error}"]
        assert all(message.msg and message.hint for message in messages)
        assert "hunter2" not in str(messages)
        status, body = get()
        assert (status, body["status"]) == (503, "unhealthy")
        assert get("ready")[0] == 503
        assert get("live")[0] == 200


GENERATORS: dict[str, Callable[[random.Random], str]] = {
    "token_urlsafe": lambda rng: base64.urlsafe_b64encode(rng.randbytes(32)).decode().rstrip("="),
    "token_hex": lambda rng: rng.randbytes(16).hex(),
    "base64": lambda rng: base64.b64encode(rng.randbytes(24)).decode(),
    "base32": lambda rng: base64.b32encode(rng.randbytes(20)).decode(),
    "a UUID": lambda rng: str(uuid.UUID(bytes=rng.randbytes(16), version=4)),
    "letters and digits": lambda rng: "".join(rng.choices(string.ascii_letters + string.digits, k=16)),
    "letters": lambda rng: "".join(rng.choices(string.ascii_lowercase, k=24)),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_generated_tokens_are_accepted(name: str) -> None:
    """Tokens of common generators are not mistaken for placeholders."""
    rng = random.Random(name)
    tokens = [GENERATORS[name](rng) for _ in range(3000)]
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DETAILS_TOKENS": tokens}):
        assert len(settings.details_tokens) == len(tokens)


@pytest.mark.parametrize("token", ["kv/uxpqLjqB8daks6j9s2Py8s33jvLsf", "KV/T3JFWzeKavK8an0LHYWphz1hzFv1O"])
def test_base64_that_begins_like_a_path_in_a_vault_is_accepted(token: str) -> None:
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DETAILS_TOKENS": [token]}):
        assert settings.details_tokens == (token,)


@pytest.mark.parametrize("key", [pytest.param(openai_key(), id="key0"), "sk-proj-Ab3dEf6hIj9kLmN0pQrS"])
def test_key_instead_of_a_service_name_is_not_shown(key: str) -> None:
    """The name of a service is public, so a key that is declared as one must not be shown."""
    with override_settings(HEALTHGUARD={"SERVICES": {**FINE, key: strange.Fine}}):
        (message,) = own_messages()
        assert message.id == "healthguard.E011"
        assert key not in message.msg + hint_of(message)
        for path in ("", "nope"):
            assert key not in respond(Request("GET", path)).body.decode()


@pytest.mark.parametrize("token", ["", None, "\n", "  "])
def test_missing_token_is_a_warning_and_gives_no_access(token: str | None) -> None:
    """A laptop without the variable is not an outage, so the responses stay healthy."""
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DETAILS_TOKENS": [token, STRONG]}, DEBUG=False):
        (message,) = own_messages()
        assert (message.id, message.level) == ("healthguard.W002", WARNING)
        assert get()[0] == get("ready")[0] == 200
        for given in ("", "None", str(token)):
            assert not bears_token(f"Bearer {given}")
        assert bears_token(f"Bearer {STRONG}")


def test_token_with_a_flaw_gives_no_access_and_is_not_shown() -> None:
    """The message contains the flaw and the position of the token, and not the token itself."""
    token = f"{STRONG}\n"
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DETAILS_TOKENS": [STRONG, token]}):
        (message,) = own_messages()
        assert "['DETAILS_TOKENS'][1] ends with a line break" in message.msg
        assert STRONG not in message.msg + hint_of(message)
        assert settings.details_tokens == (STRONG,)


def test_every_id_has_a_test() -> None:
    sources = inspect.getsource(conf) + inspect.getsource(conf.monitor) + inspect.getsource(conf.tokens)
    declared = set(re.findall(r'"(E\d{3})"', sources))
    assert {error for error, _ in INVALID} | {"E016"} == declared


@pytest.mark.parametrize(
    "declaration",
    [
        {"SERVICES": FINE},
        {"SERVICES": {"fine": strange.Fine()}},
        {"SERVICES": {"fine": "tests.support.strange_checks.Fine"}},
        {"SERVICES": {"fine": ("tests.support.strange_checks.Fine", {})}},
        {"SERVICES": {"fine": (strange.Fine, {})}},
        {"SERVICES": {"fine": [strange.Fine, "tests.support.strange_checks.Fine", (strange.Fine, {})]}},
        {"SERVICES": {"fine": Service(strange.Fine, strange.Fine())}},
        {"SERVICES": {"fine": Service([strange.Fine, strange.Fine()], ready="always", ttl=0, timeout=0.5)}},
        {"SERVICES": {"a-1": {"b_2": {"c": strange.Fine}}}, "DETAILS_TOKENS": (STRONG,), "DRAIN_FILE": None},
    ],
)
def test_valid_declaration_is_accepted(declaration: dict[str, Any]) -> None:
    with override_settings(HEALTHGUARD=declaration):
        assert own_messages() == []
        assert get()[0] == 200


EMPTY = {
    "DEADLINE": None,
    "DETAILS_TOKENS": "W002",
    "PUBLIC": None,
    "DRAIN_FILE": "W006",
    "INLINE": None,
    "MOUNT": None,
    "MONITOR": None,
}


@pytest.mark.parametrize("key", EMPTY)
def test_empty_value_is_the_same_as_a_missing_key(key: str) -> None:
    """A variable that is not set is not an outage. Where its absence would be noticed too late, a warning is given."""
    with override_settings(HEALTHGUARD={"SERVICES": FINE}):
        missing = {name: getattr(settings, name) for name in PROPERTIES}
    with override_settings(HEALTHGUARD={"SERVICES": FINE, key: ""}):
        messages = [(message.id, message.level) for message in own_messages()]
        assert messages == ([] if EMPTY[key] is None else [(f"healthguard.{EMPTY[key]}", WARNING)])
        assert {name: getattr(settings, name) for name in PROPERTIES} == missing
        assert get()[0] == get("ready")[0] == 200


def test_every_optional_key_may_be_empty() -> None:
    assert {*EMPTY, "SERVICES"} == set(conf.KEYS)


@pytest.mark.parametrize("key", EMPTY)
def test_value_of_none_is_the_same_as_a_missing_key(key: str) -> None:
    with override_settings(HEALTHGUARD={"SERVICES": FINE, key: None}):
        assert [message.id for message in own_messages() if message.level >= ERROR] == []
        assert get()[0] == get("ready")[0] == 200


def test_setting_of_none_is_no_declaration() -> None:
    with override_settings(HEALTHGUARD=None):
        assert own_messages() == []


def test_invalid_check_does_not_affect_other_services() -> None:
    with override_settings(HEALTHGUARD={"SERVICES": {**FINE, "odd": "no.such.Check"}}):
        assert get()[1]["services"] == {"fine": "healthy", "odd": "unhealthy"}


@pytest.mark.parametrize("services", [{"group": {}}, {"group": {"bad name": strange.Fine}}])
def test_group_without_a_valid_service_is_unhealthy(services: dict[str, Any]) -> None:
    with override_settings(HEALTHGUARD={"SERVICES": {**FINE, **services}}):
        assert get()[0] == 503
        assert get("group")[0] == 404


@pytest.mark.parametrize("databases", [{"default": "postgres://app@h/x"}, {"other": {}}, None, "postgres://"])
def test_invalid_databases_setting_does_not_hide_other_services(databases: object, tmp_path: Path) -> None:
    """The test runs another process, because Django reads DATABASES only once."""
    patient = "HEALTHGUARD = {'DEADLINE': 60}"
    site = Site(tmp_path).write(f"INSTALLED_APPS = ['healthguard']\nDATABASES = {databases!r}\n{patient}\n")
    code = (
        "import django; django.setup()\n"
        "from healthguard.http.handler import Request, respond\n"
        "print(respond(Request('GET', '')).body.decode().strip())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=site.folder, env=site.env, capture_output=True, text=True, check=False
    )
    services = json.loads(done.stdout.splitlines()[-1]).get("services")
    assert services["django_config"] == "healthy", done.stderr
    assert services.get("database") == (None if isinstance(databases, dict) and "other" in databases else "unhealthy")


def test_error_outside_all_services_is_shown_as_a_service() -> None:
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DEADLIN": 1}):
        assert get()[1]["services"] == {"fine": "healthy", "healthguard": "unhealthy"}


class RaisesWhenRead(dict[str, Any]):
    """A setting that raises when it is read."""

    def get(self, *args: Any) -> Any:
        raise RuntimeError(strange.SECRET)


def test_setting_that_raises_is_a_503_and_its_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log contains the class of the exception, and not the message, which may be a secret."""
    with override_settings(HEALTHGUARD=RaisesWhenRead(SERVICES=FINE)):
        assert get() == (503, {"status": "unhealthy"})
        assert get("live")[0] == 200
    assert log.flush(60)
    assert "RuntimeError" in caplog.text
    assert strange.SECRET not in caplog.text


def test_misspelled_key_is_reported_with_the_correct_one() -> None:
    with override_settings(HEALTHGUARD={"SERVCES": FINE}):
        (message,) = [message for message in run_checks() if message.id == "healthguard.E002"]
        assert "'SERVICES'" in hint_of(message)


def test_short_token_gives_no_access() -> None:
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DETAILS_TOKENS": ["", "short"]}):
        for token in ("", "short"):
            response = respond(Request("GET", "", "", f"Bearer {token}"))
            assert b"checks" not in response.body


def test_middleware_that_is_not_the_first_is_a_warning() -> None:
    ours = "healthguard.middleware.HealthGuardMiddleware"
    common = "django.middleware.common.CommonMiddleware"
    with override_settings(MIDDLEWARE=[common, ours]):
        (message,) = [message for message in run_checks() if message.id == "healthguard.W001"]
        assert common in message.msg
        assert message.hint
    with override_settings(MIDDLEWARE=[ours, common]):
        assert "healthguard.W001" not in [message.id for message in run_checks()]


def test_import_accesses_neither_settings_nor_app_registry() -> None:
    """Therefore a settings module may import the package and its checks."""
    code = (
        "import healthguard, healthguard.checks\n"
        "from django.conf import settings\nfrom django.apps import apps\n"
        "import sys\n"
        "assert not settings.configured and not apps.ready\n"
        "assert 'httpx' not in sys.modules and 'psycopg' not in sys.modules\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_all_contains_only_names_that_exist() -> None:
    modules: tuple[ModuleType, ...] = (healthguard, healthguard.checks)
    for module in modules:
        assert len(set(module.__all__)) == len(module.__all__)
        assert [name for name in module.__all__ if getattr(module, name, None) is None] == []
        assert set(module.__all__) <= set(dir(module))


def test_provider_without_a_base_url_is_not_verified_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "0123456789abcdef0123456789abcdef")
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    _, options = conf.default_services()["ai_providers"]["azure_openai"]
    assert options == {"provider": "azure_openai", "verify": False}
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com")
    _, options = conf.default_services()["ai_providers"]["azure_openai"]
    assert options == {"provider": "azure_openai", "verify": True}
