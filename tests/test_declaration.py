"""A wrong declaration is told by a system check with an id, a message and a hint; and it never turns green."""

from __future__ import annotations

import base64
import json
import secrets
import string
import subprocess
import sys
import uuid

import pytest
from django.core.checks import WARNING, run_checks
from django.test import override_settings

from example_project.deployment import openai_key
from healthguard import Service, conf, log
from healthguard.access import bears_token
from healthguard.checks import AIProviderKey, HTTPEndpoint, SecretKey
from healthguard.conf import settings
from healthguard.respond import Request, respond
from tests import strange_checks as strange
from tests.sites import Site

FINE = {"fine": strange.Fine}
STRONG = "a-long-enough-token"

WRONG = [
    ("E001", []),
    ("E001", "services"),
    ("E002", {"SERVICE": FINE}),
    ("E002", {"SERVICES": FINE, "deadline": 1}),
    *(
        ("E003", {"SERVICES": FINE, "DEADLINE": value})
        for value in (0, -1, "1", None, True, float("inf"), float("nan"))
    ),
    *(("E004", {"SERVICES": FINE, "DETAILS_TOKENS": value}) for value in (STRONG, None, 5)),
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
    *(("E015", {"SERVICES": FINE, "MOUNT": value}) for value in ("api/health", "", "/", 5, ["/x"])),
    *(("E006", {"SERVICES": FINE, "PUBLIC": value}) for value in ("all", True, None)),
    *(("E007", {"SERVICES": FINE, "DRAIN_FILE": value}) for value in ("", 5)),
    *(("E008", {"SERVICES": FINE, "INLINE": value}) for value in ("yes", 1, None)),
    *(("E009", {"SERVICES": value}) for value in (None, [strange.Fine], "x")),
    *(("E010", {"SERVICES": value}) for value in ({}, {"group": {}, **FINE})),
    *(
        ("E011", {"SERVICES": {**FINE, name: strange.Fine}})
        for name in ("status", "services", "ready", "live", "startup", "healthguard", "a/b", "", "ü", "a b", 5, None)
    ),
    ("E011", {"SERVICES": {**FINE, "group": {"status": strange.Fine}}}),
    *(("E012", {"SERVICES": {**FINE, "empty": value}}) for value in ([], Service())),
    *(
        ("E013", {"SERVICES": {**FINE, "odd": Service(strange.Fine, **policy)}})
        for policy in (
            {"ready": "sometimes"},
            {"critical": "no"},
            {"ttl": -1},
            {"ttl": "5"},
            {"timeout": 0},
            {"stale_for": None},
            {"timeout": float("inf")},
        )
    ),
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
            SecretKey(min_bytes="64"),
            HTTPEndpoint("things"),
            HTTPEndpoint("/things", expect={"status": "("}),
            ("healthguard.checks.CredentialExchange", {"url": "/exchange", "providers": "anthropic"}),
            strange.RaisesInConstructor,
        )
    ),
]


def ask(path: str = "") -> tuple[int, dict]:
    answer = respond(Request("GET", path))
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(("error", "declaration"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_wrong_declaration(error, declaration) -> None:
    with override_settings(HEALTHGUARD=declaration):
        messages = [message for message in run_checks() if message.id.startswith("healthguard.")]
        assert [message.id for message in messages] == [f"healthguard.{error}"]
        assert all(message.msg and message.hint for message in messages)
        status, body = ask()
        assert (status, body["status"]) == (503, "unhealthy")
        assert ask("ready")[0] == 503
        assert ask("live")[0] == 200


GENERATORS = {
    "token_urlsafe": lambda: secrets.token_urlsafe(32),
    "token_hex": lambda: secrets.token_hex(16),
    "base64": lambda: base64.b64encode(secrets.token_bytes(24)).decode(),
    "base32": lambda: base64.b32encode(secrets.token_bytes(20)).decode(),
    "a UUID": lambda: str(uuid.uuid4()),
    "letters and digits": lambda: "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16)),
    "letters": lambda: "".join(secrets.choice(string.ascii_lowercase) for _ in range(24)),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_generated_tokens_are_accepted(name: str) -> None:
    """No token of a common generator is taken for a placeholder."""
    tokens = [GENERATORS[name]() for _ in range(3000)]
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DETAILS_TOKENS": tokens}):
        assert len(settings.details_tokens) == len(tokens)


@pytest.mark.parametrize("key", [openai_key(), "sk-proj-Ab3dEf6hIj9kLmN0pQrS"])
def test_key_in_the_place_of_a_service_name_is_not_public(key: str) -> None:
    """Key and value were swapped: the name of a service is seen by everybody."""
    with override_settings(HEALTHGUARD={"SERVICES": {**FINE, key: strange.Fine}}):
        (message,) = [message for message in run_checks() if message.id.startswith("healthguard.")]
        assert message.id == "healthguard.E011"
        assert key not in message.msg + message.hint
        for path in ("", "nope"):
            assert key not in respond(Request("GET", path)).body.decode()


@pytest.mark.parametrize("token", ["", None, "\n", "  "])
def test_missing_token_is_a_warning_and_opens_nothing(token) -> None:
    """A laptop or CI without the variable is not an outage: `check` warns, answers stay green."""
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DETAILS_TOKENS": [token, STRONG]}, DEBUG=False):
        (message,) = [message for message in run_checks() if message.id.startswith("healthguard.")]
        assert (message.id, message.level) == ("healthguard.W002", WARNING)
        assert ask()[0] == ask("ready")[0] == 200
        for given in ("", "None", str(token)):
            assert not bears_token(f"Bearer {given}")
        assert bears_token(f"Bearer {STRONG}")


def test_token_with_a_flaw_opens_nothing_and_is_not_shown() -> None:
    """The flaw and the position of the token are reported, never the token."""
    token = f"{STRONG}\n"
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DETAILS_TOKENS": [STRONG, token]}):
        (message,) = [message for message in run_checks() if message.id.startswith("healthguard.")]
        assert "['DETAILS_TOKENS'][1] ends in a line break" in message.msg
        assert STRONG not in message.msg + message.hint
        assert settings.details_tokens == (STRONG,)


def test_every_id_has_a_test() -> None:
    import inspect
    import re

    declared = set(re.findall(r'"(E\d{3})"', inspect.getsource(conf)))
    assert {error for error, _ in WRONG} == declared


@pytest.mark.parametrize(
    "declaration",
    [
        None,
        {"SERVICES": FINE},
        {"SERVICES": {"fine": strange.Fine()}},
        {"SERVICES": {"fine": "tests.strange_checks.Fine"}},
        {"SERVICES": {"fine": ("tests.strange_checks.Fine", {})}},
        {"SERVICES": {"fine": (strange.Fine, {})}},
        {"SERVICES": {"fine": [strange.Fine, "tests.strange_checks.Fine", (strange.Fine, {})]}},
        {"SERVICES": {"fine": Service(strange.Fine, strange.Fine())}},
        {"SERVICES": {"fine": Service([strange.Fine, strange.Fine()], ready="always", ttl=0, timeout=0.5)}},
        {"SERVICES": {"a-1": {"b_2": {"c": strange.Fine}}}, "DETAILS_TOKENS": (STRONG,), "DRAIN_FILE": None},
    ],
)
def test_a_right_declaration_is_silent(declaration) -> None:
    with override_settings(HEALTHGUARD=declaration):
        assert [message for message in run_checks() if message.id.startswith("healthguard.")] == []
        if declaration is not None:
            assert ask()[0] == 200


def test_what_is_wrong_with_one_check_leaves_the_others_right() -> None:
    with override_settings(HEALTHGUARD={"SERVICES": {**FINE, "odd": "no.such.Check"}}):
        assert ask()[1]["services"] == {"fine": "healthy", "odd": "unhealthy"}


@pytest.mark.parametrize("services", [{"group": {}}, {"group": {"bad name": strange.Fine}}])
def test_a_group_of_which_nothing_is_left_is_not_green(services) -> None:
    with override_settings(HEALTHGUARD={"SERVICES": {**FINE, **services}}):
        assert ask()[0] == 503
        assert ask("group")[0] == 404


@pytest.mark.parametrize("databases", [{"default": "postgres://app@h/x"}, {"other": {}}, None, "postgres://"])
def test_databases_that_are_wrong_do_not_hide_the_rest(databases, tmp_path) -> None:
    """A site of its own: Django reads DATABASES once."""
    site = Site(tmp_path).write(f"INSTALLED_APPS = ['healthguard']\nDATABASES = {databases!r}\n")
    code = (
        "import django; django.setup()\n"
        "from healthguard.respond import Request, respond\n"
        "print(respond(Request('GET', '')).body.decode().strip())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=site.folder, env=site.env, capture_output=True, text=True, check=False
    )
    services = json.loads(done.stdout.splitlines()[-1]).get("services")
    assert services["django_config"] == "healthy", done.stderr
    assert services.get("database") == (None if isinstance(databases, dict) and "other" in databases else "unhealthy")


def test_what_is_wrong_as_a_whole_is_a_service_of_its_own() -> None:
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DEADLIN": 1}):
        assert ask()[1]["services"] == {"fine": "healthy", "healthguard": "unhealthy"}


class Furious(dict):
    """A setting that raises when it is read."""

    def get(self, *args):
        raise RuntimeError(strange.SECRET)


def test_a_setting_that_raises_is_no_exception_page_and_not_green(caplog) -> None:
    with override_settings(HEALTHGUARD=Furious(SERVICES=FINE)):
        assert ask() == (503, {"status": "unhealthy"})
        assert ask("live")[0] == 200
    assert log.flush(60)
    assert "RuntimeError" in caplog.text
    assert strange.SECRET not in caplog.text


def test_a_typo_gets_the_right_word() -> None:
    with override_settings(HEALTHGUARD={"SERVCES": FINE}):
        (message,) = [message for message in run_checks() if message.id == "healthguard.E002"]
        assert "'SERVICES'" in message.hint


def test_a_short_token_opens_nothing() -> None:
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "DETAILS_TOKENS": ["", "short"]}):
        for token in ("", "short"):
            answer = respond(Request("GET", "", "", f"Bearer {token}"))
            assert b"checks" not in answer.body


def test_the_middleware_must_come_first() -> None:
    ours = "healthguard.middleware.HealthGuardMiddleware"
    common = "django.middleware.common.CommonMiddleware"
    with override_settings(MIDDLEWARE=[common, ours]):
        (message,) = [message for message in run_checks() if message.id == "healthguard.W001"]
        assert common in message.msg
        assert message.hint
    with override_settings(MIDDLEWARE=[ours, common]):
        assert "healthguard.W001" not in [message.id for message in run_checks()]


def test_importing_it_touches_no_setting_and_no_app_registry() -> None:
    """So that a settings module may do it."""
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


def test_all_is_what_is_public() -> None:
    import healthguard
    import healthguard.checks

    for module in (healthguard, healthguard.checks):
        assert sorted(module.__all__) == module.__all__ or set(module.__all__) == set(module.__all__)
        for name in module.__all__:
            assert getattr(module, name) is not None


def test_a_provider_whose_address_is_not_in_the_environment_is_not_asked_by_default(monkeypatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "0123456789abcdef0123456789abcdef")
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    _, options = conf.default_services()["ai_providers"]["azure_openai"]
    assert options == {"provider": "azure_openai", "verify": False}
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com")
    _, options = conf.default_services()["ai_providers"]["azure_openai"]
    assert options == {"provider": "azure_openai", "verify": True}
