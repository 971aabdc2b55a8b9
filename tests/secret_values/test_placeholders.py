"""Placeholders and references are found in the values that people commit, and not in random values."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

import pytest
from django.test import override_settings

from healthguard.checks import EnvironmentVariable, SecretKey
from healthguard.providers import PROVIDERS
from healthguard.secret_values import values, variable_names
from healthguard.secret_values.placeholders import Nature
from healthguard.status import CheckResult, Fault, Status
from tests.support import placeholder_corpus as corpus
from tests.support.amounts import some_of
from tests.support.fixture_types import RunCheck
from tests.support.keys import forms, maker
from tests.support.random_values import KEYS, PASSWORDS, Make
from tests.support.results import problem_of

CheckVariable = Callable[[str, str], CheckResult]
"""``check_variable(name, value)`` runs the check of a variable that has the value."""

NAMES = ("STRIPE_API_KEY", "AUTH_TOKEN", "CLIENT_SECRET", "SECRET_KEY")
FOUND = {"variable_placeholder", "variable_corrupted"}
ALL_KEYS = {**KEYS, **{form: maker(pattern) for provider in PROVIDERS.values() for form, pattern in forms(provider)}}
KEYS_OF_A_FORMAT, PASSWORDS_OF_A_GENERATOR = some_of(700), some_of(1_000)


def flat(groups: Mapping[str, list[str]]) -> list[str]:
    """Return the values of all groups."""
    return [value for group in groups.values() for value in group]


@pytest.fixture
def check_variable(result: RunCheck, monkeypatch: pytest.MonkeyPatch) -> CheckVariable:
    """Return a function that runs the check of a variable with a value."""

    def check(name: str, value: str) -> CheckResult:
        monkeypatch.setenv(name, value)
        return result(EnvironmentVariable(name))

    return check


@pytest.mark.parametrize(("number", "value"), list(enumerate(flat(corpus.SECRETS))))
def test_placeholder_of_the_corpus_is_found_in_a_key(check_variable: CheckVariable, number: int, value: str) -> None:
    """Keys, tokens and secrets are random, so a value that consists of words or is a reference is unhealthy."""
    outcome = check_variable(NAMES[number % len(NAMES)], value)
    assert outcome.problem is not None
    assert (outcome.problem.code in FOUND, outcome.problem.fault) == (True, Fault.CONFIG)
    assert outcome.status is Status.UNHEALTHY
    assert len(value) < 20 or value not in repr(outcome)


@pytest.mark.parametrize("value", corpus.PASSWORDS["asked for"])
def test_placeholder_of_the_corpus_is_found_in_a_password(check_variable: CheckVariable, value: str) -> None:
    """A text that asks for a password, or refers to one, is unhealthy."""
    outcome = check_variable("DB_PASSWORD", value)
    assert outcome.problem is not None
    assert outcome.problem.code in FOUND
    assert outcome.status is Status.UNHEALTHY


@pytest.mark.parametrize("value", corpus.PASSWORDS["well-known defaults"])
def test_placeholder_of_the_corpus_is_a_default_password(check_variable: CheckVariable, value: str) -> None:
    """A well-known default password is only degraded, because it works."""
    outcome = check_variable("DB_PASSWORD", value)
    assert outcome.problem is not None
    assert outcome.problem.code == "variable_placeholder"
    assert outcome.status is Status.DEGRADED


@pytest.mark.parametrize("value", corpus.ADDRESSES)
def test_placeholder_of_the_corpus_is_found_in_an_address(check_variable: CheckVariable, value: str) -> None:
    """Each part of an address has rules of its own."""
    outcome = check_variable("DATABASE_URL", value)
    assert outcome.problem is not None
    assert outcome.problem.code in FOUND


@pytest.mark.parametrize("value", corpus.SECRET_KEYS)
def test_placeholder_of_the_corpus_is_found_in_secret_key(result: RunCheck, value: str) -> None:
    """A placeholder is unhealthy even if it is long enough."""
    with override_settings(SECRET_KEY=value):
        outcome = result(SecretKey())
    assert outcome.problem is not None
    assert outcome.problem.code in {"secret_key_placeholder", "secret_key_corrupted"}
    assert outcome.status is Status.UNHEALTHY


def test_corpus_has_at_least_550_different_placeholders() -> None:
    placeholders = [*flat(corpus.SECRETS), *flat(corpus.PASSWORDS), *corpus.ADDRESSES, *corpus.SECRET_KEYS]
    assert len(set(placeholders)) >= 550
    assert len(corpus.SECRETS) >= 10


def false_alarms(makers: Mapping[str, Make], name: str, count: int) -> Iterator[str]:
    """Yield a line for each random value that has a flaw as the value of the variable ``name``."""
    nature = variable_names.nature_of(name)
    assert nature is not None
    for title, make in makers.items():
        rng = random.Random(title)
        for _ in range(count):
            value = make(rng)
            flaw = values.corruption(value, names=[name], prefixes=values.COMMON_PREFIXES)
            flaw = flaw or values.placeholder(value, nature=nature) or values.mock(value, nature=nature)
            if flaw is not None:
                yield f"{title}: {value} {flaw.what}"


@pytest.mark.usefixtures("untraced")
def test_random_keys_of_real_formats_are_healthy(record_property: Callable[[str, object], None]) -> None:
    """At most one in 10,000 random keys has a flaw."""
    alarms = list(false_alarms(ALL_KEYS, "SERVICE_API_KEY", KEYS_OF_A_FORMAT))
    tried = len(ALL_KEYS) * KEYS_OF_A_FORMAT
    record_property("count", f"{len(alarms)} false alarms in {tried} random keys of {len(ALL_KEYS)} formats")
    assert len(ALL_KEYS) >= 90
    assert len(alarms) * 10_000 <= tried, alarms


@pytest.mark.usefixtures("untraced")
def test_random_passwords_and_passphrases_are_healthy(record_property: Callable[[str, object], None]) -> None:
    """At most one in 1,000 random passwords has a flaw."""
    alarms = list(false_alarms(PASSWORDS, "DB_PASSWORD", PASSWORDS_OF_A_GENERATOR))
    tried = len(PASSWORDS) * PASSWORDS_OF_A_GENERATOR
    record_property("count", f"{len(alarms)} false alarms in {tried} random passwords of {len(PASSWORDS)} generators")
    assert len(alarms) * 1_000 <= tried, alarms


@pytest.mark.parametrize(
    "password",
    [
        *("$wSGQAn8A2jj", "correct-horse-battery-staple", "correct horse battery staple", "Tr0ub4dor&3", "$ecure9Qx!"),
        *(
            "hG7-kL2-pQ9",
            "abcdef-ghijkl-mnopqr",
            "my-sample-garden-walks",
            "change-trains-in-crewe",
            "[k9Lq2xZ]",
            "<7fJ2qLx",
        ),
        *(
            "Sommer-in-Berlin-1987",
            "kein-geheimnis-bleibt",
            "x9*xx*9x",
            "%Qx72kLm%",
            "(Hk29dmx)",
            "@Kd82jsx@",
            "Regen#Bogen7",
        ),
    ],
)
def test_password_that_a_person_may_have_is_healthy(check_variable: CheckVariable, password: str) -> None:
    """A password may consist of words, of a phrase or of punctuation."""
    assert check_variable("DB_PASSWORD", password).status is Status.HEALTHY


@pytest.mark.parametrize(
    "key",
    [
        *(
            "sk_test_BqLokikJOvBiIHlWgHolfQzX",
            "rzp_test_1DP5mmOlF5G5ag",
            "test_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM",
            "key-3ax6xnjp29jd6",
        ),
        *("sample9-8fJ2kQ91xZpL0vTqWm4RtYbN7hGs3dEa", "AAAAB3NzaC1yc2EAAAADAQABAAABgQDf8kQ91xZpL0vTqWm4RtYbN7hGs3dEa"),
        '{"type": "service_account", "project_id": "shop"}',
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n-----END PRIVATE KEY-----\n",
    ],
)
def test_key_with_a_placeholder_word_and_a_random_rest_is_healthy(check_variable: CheckVariable, key: str) -> None:
    """A mode like ``test`` is not a flaw unless the rest of the key consists of words as well."""
    assert check_variable("SERVICE_API_KEY", key).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("DB_PASSWORD_FILE", "/run/secrets/db"),
            ("VAULT_PATH", "secret/data/app"),
            ("SECRET_ARN", "arn:aws:secretsmanager:x"),
        ),
        *(("GOOGLE_APPLICATION_CREDENTIALS", "/run/secrets/gcp.json"), ("PGSSLKEY", "/etc/ssl/client.key")),
        *(
            ("JWT_PRIVATE_KEY", "/etc/keys/jwt.pem"),
            ("STATIC_URL", "/app/static/"),
            ("MEDIA_URL", "/media/"),
            ("PWD", "/app"),
        ),
        *(
            ("CACHE_URL", "locmemcache://"),
            ("EMAIL_URL", "consolemail://"),
            ("LOG_FORMAT", "{time} ${level} {{x}}"),
            ("OLDPWD", "/"),
        ),
        *(
            ("CACHE_KEY", "session"),
            ("AUTH_HEADER", "Bearer 9b1f4c2e7a6d4f0b"),
            ("POD_LABEL_KEY", "app.example.com/broken"),
            ("FEATURES", '{"beta": true}\n'),
            ("REPLICAS", '["a", "b"]\n'),
            ("OPTIONS", "{}\n"),
            ("ROUTING_KEY", "orders.created"),
            ("PARTITION_KEY", "tenant_id"),
            ("S3_KEY", "backups/db"),
        ),
        *(
            ("PAD_TOKEN", "[PAD]"),
            ("EOS_TOKEN", "end"),
            ("MASK_TOKEN", "[MASK]"),
            ("PASSWORD_RESET_SALT", "accounts.reset"),
        ),
        *(
            ("DATABASE_URL", "postgres://app:Tr0ub4dor@db:5432/shop"),
            ("DATABASE_URL", "postgres://test@localhost/test"),
        ),
        *(
            ("DATABASE_URL", "postgres://app:p%40ss%2Fw0rd9x@db/shop?sslmode=require"),
            ("DATABASE_URL", "sqlite:///db.sqlite3"),
        ),
        *(
            ("REDIS_URL", "redis://redis:6379/0"),
            ("SENTRY_DSN", "https://9b1f4c2e7a6d4f0b8e3c5a1d2f7b6e90@o1.ingest.sentry.io/4"),
        ),
        *(
            ("CALLBACK_URL", "https://example.com/{id}/x"),
            ("API_URL", "https://api.example.com/v1"),
            ("LOGIN_URL", "/your/account/"),
            ("LOGIN_URL", "password_change"),
            ("DB_DSN", "host=db user=app"),
        ),
        *(
            ("HOMEPAGE_URL", "https://user.example.com/@test"),
            ("KAFKA_URL", "kafka+ssl://broker:9096"),
            ("DEFAULT_FROM", "test@x.y"),
        ),
    ],
)
def test_value_of_another_variable_is_healthy(check_variable: CheckVariable, name: str, value: str) -> None:
    """A path, the name of a vault and a template of the application are valid if the variable is not a secret."""
    assert check_variable(name, value).problem is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # Addresses of IPv6 in brackets.
        ("CACHE_URL", "redis://[::1]:6379/0"),
        ("CACHE_URL", "redis://[::1]"),
        ("DATABASE_URL", "postgres://app:Tr0ub4dor@[fd00::a]/shop"),
        ("DATABASE_URL", "host=[::1] dbname=shop"),
        ("BIND_URL", "[::1]"),
        ("BIND_URL", "[fe80::1%eth0]"),
        ("BIND", "[2001:db8::1]:8000"),
        # Lists and mappings in the forms of JSON, YAML and Python.
        ("DB_CREDENTIALS", '{"user": "app", "retries": 1}'),
        ("DB_CREDENTIALS", "{'user': 'app', 'retries': 1}"),
        ("DB_CREDENTIALS", "{user: app, retries: 1}"),
        ("NODE_URL", "[a.internal, b.internal]"),
        ("NODE_URL", "['a.internal']"),
        ("NODE_URL", "{a: b}"),
        ("CACHE_KEY", "{user, locale}"),
        ("DB_PASSWORD", "{kq7Zr2mVx7Lk4Tn9}"),
        # Fields that the application fills in.
        ("LOG_FORMAT", "{message}"),
        ("SLUG_TEMPLATE", "{id}"),
        ("NAME_PATTERN", "{0}"),
    ],
)
def test_value_in_brackets_is_not_a_placeholder(check_variable: CheckVariable, name: str, value: str) -> None:
    """Addresses, data and formats have brackets, too."""
    assert check_variable(name, value).problem is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "{your-key}") for name in ("API_KEY", "DB_PASSWORD", "LOG_LEVEL", "CACHE_URL", "LOG_FORMAT")),
        *((name, "{API_KEY}") for name in ("API_KEY", "DB_PASSWORD", "LOG_LEVEL", "CACHE_URL", "LOG_FORMAT")),
        *((name, "{{ value }}") for name in ("API_KEY", "LOG_LEVEL", "CACHE_URL", "LOG_FORMAT")),
        *((name, "<your-key>") for name in ("API_KEY", "LOG_LEVEL", "CACHE_URL")),
        *((name, "${VAR}") for name in ("API_KEY", "LOG_LEVEL", "CACHE_URL", "LOG_FORMAT")),
        ("AWS_REGION", "{region}"),
        ("DB_PASSWORD", "[your password]"),
        ("DB_PASSWORD", "{password: changeme}"),
        ("DB_CREDENTIALS", "[your, key]"),
        ("CACHE_URL", "redis://[your-host]:6379"),
        ("API_KEY", "[a, b]"),
    ],
)
def test_placeholder_in_brackets_is_found(check_variable: CheckVariable, name: str, value: str) -> None:
    """Words in brackets that ask for a value, and templates, are placeholders in any variable."""
    problem = check_variable(name, value).problem
    assert problem is not None
    assert problem.code in FOUND


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("DB_PASSWORD", "/run/secrets/x", "DB_PASSWORD_FILE"),
        ("API_KEY", "op://vault/item", "resolves such references"),
        ("API_KEY", "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]", "Decrypt"),
        ("API_KEY", "{cipher}2f1e", "Decrypt"),
        ("API_KEY", "@Microsoft.KeyVault(VaultName=x;SecretName=y)", "identity"),
        ("API_KEY", "projects/p/secrets/k", "resolves such references"),
        ("API_KEY", "os.environ['KEY']", "nothing evaluates"),
        ("DATABASE_URL", "postgres://app:${PASSWORD}@db/x", "docker compose"),
        ("LOG_LEVEL", "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]", "Decrypt"),
    ],
)
def test_unresolved_reference_is_corrupted(check_variable: CheckVariable, name: str, value: str, hint: str) -> None:
    """The hint names the program that should have resolved the reference."""
    outcome = check_variable(name, value)
    found = problem_of(outcome)
    assert outcome.status is Status.UNHEALTHY
    assert found.code == "variable_corrupted"
    assert hint in found.hint


@pytest.mark.parametrize("nature", Nature)
@pytest.mark.parametrize("part", ["a/", "[[", "secret", "x1", "${", "kzq", "<a", "{{a ", "!a ", "_A", "-", "a.", "../"])
def test_check_of_a_long_value_ends(part: str, nature: Nature) -> None:
    """No rule takes time that grows faster than the value. If one did, this test would exceed its time limit."""
    for length in (400, 2_000, 4_000, 130_000):
        value = part * (length // len(part))
        values.placeholder(value, nature=nature)
        values.corruption(value, names=["NAME"], prefixes=values.COMMON_PREFIXES)
        values.address_flaw(value)


@pytest.mark.parametrize("value", ["1", "yes", "True"])
@pytest.mark.parametrize("name", ["MYSQL_ALLOW_EMPTY_PASSWORD", "MARIADB_RANDOM_ROOT_PASSWORD", "USE_AUTH_TOKEN"])
def test_switch_that_concerns_a_secret_is_healthy(check_variable: CheckVariable, name: str, value: str) -> None:
    """The value of a variable that switches something on or off is not a secret."""
    assert check_variable(name, value).problem is None


def test_secret_of_one_digit_is_a_placeholder(check_variable: CheckVariable) -> None:
    """A value like that of a switch is invalid as a password."""
    assert problem_of(check_variable("USER_PASSWORD", "1")).code == "variable_placeholder"
