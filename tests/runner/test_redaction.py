"""The redaction of messages of third-party checks: no secret of the settings or the environment is shown."""

from __future__ import annotations

import base64
import json
import random
from collections import UserList, deque
from typing import Any

import pytest
from django.test import override_settings
from django.utils.functional import lazystr

from healthguard.runner.redaction import MASK, redact

SECRET = "s3cr3t-v4lue"

SETTINGS: dict[str, dict[str, Any]] = {
    "a mapping below a secret name": {"API_KEYS": {"acme": SECRET}},
    "a list of mappings below a secret name": {"PARTNER_TOKENS": [{"acme": SECRET}]},
    "a tuple in a mapping": {"CREDENTIALS_OF": {"a": {"b": (1, SECRET)}}},
    "a set": {"SIGNING_KEYS": {SECRET}},
    "a secret name in a plain mapping": {"SERVICE": {"url": "x", "password": SECRET}},
    "bytes": {"BYTES_SECRET": SECRET.encode()},
    "a lazy text": {"LAZY_PASSWORD": lazystr(SECRET)},
    "the query of a URL": {"CACHE_AT": f"redis://h/0?password={SECRET}&db=1"},
    "the user of a URL": {"BROKER": f"amqp://app:{SECRET}@h//"},
    "a connection string": {"PG_DSN": f"host=h password={SECRET} user=x"},
    "a quoted connection string": {"DSN_TEXT": f"host=h password = '{SECRET}' user=x"},
    "a URL in a list in a mapping": {"NODES": {"all": [f"https://u:{SECRET}@h"]}},
    "a comma in a connection string": {"PG_DSN": f"host=h password={SECRET},x user=x"},
    "the key of a mapping below a secret name": {"CUSTOMER_KEYS": {"tok_live_abcdef123456": "acme"}},
    "a deque": {"DEQ_TOKENS": deque([SECRET])},
    "a sequence of a class of its own": {"ROTATED_KEYS": UserList([SECRET])},
    "the values of a mapping": {"CURRENT_TOKENS": {"acme": SECRET}.values()},
    "a mapping as JSON": {"API_KEYS_JSON": json.dumps({"acme": [SECRET]})},
    "a secret name in JSON": {"SERVICE_JSON": json.dumps({"acme": {"api_token": SECRET}})},
    "the channel of a monitor": {"HEALTHGUARD": {"MONITOR": {"NOTIFY": [SECRET]}}},
    "the channel of a monitor for other services": {"HEALTHGUARD": {"MONITOR": {"NOTIFY_NONCRITICAL": (SECRET,)}}},
    "white space around it": {"ECHOED_TOKEN": f"{SECRET}\n"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_secret_in_a_setting_is_masked(name: str) -> None:
    """All values below a name that indicates a secret are masked, and all passwords within other values."""
    with override_settings(**SETTINGS[name]):
        secret = "tok_live_abcdef123456" if name.startswith("the key") else SECRET
        secret = f"{SECRET},x" if name.startswith("a comma") else secret
        assert redact(f"cannot use {secret} there") == f"cannot use {MASK} there"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PLAIN_SECRET", SECRET),
        ("CELERY_BROKER", f"redis://:{SECRET}@h/0"),
        ("CACHE_URL", f"redis://h/0?password={SECRET}"),
        ("PG_DSN", f"host=h password={SECRET}"),
        ("API_KEYS", f'{{"acme": "{SECRET}"}}'),
        ("PARTNERS", f'[{{"name": "acme", "password": "{SECRET}"}}]'),
        ("SLACK_WEBHOOK", SECRET),
        ("WEBHOOK_FOR_ALERTS", SECRET),
        ("ESCAPED_URL", "postgres://u:s3cr3t%2Dv4lue@h/x"),
    ],
)
def test_secret_in_the_environment_is_masked(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """The values of secret variables are masked as a whole, and passwords within the values of other variables."""
    monkeypatch.setenv(variable, value)
    assert redact(f"cannot use {SECRET} there") == f"cannot use {MASK} there"


PART = "Vq3zN8rT5wXb7Yc2KdLm9Pf4"


@pytest.mark.parametrize(
    "url",
    [
        f"https://hooks.slack.com/services/T024BE7LH/B024BE7LJ/{PART}",
        f"slack://T024BE7LH/A1BRTD4JD/{PART}/",
        f"discord://4174216298/{PART}?tts=no",
        f"json://a.example/path?token={PART}",
    ],
)
def test_secret_part_of_a_channel_is_masked(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Libraries show the path of a URL without its scheme, or call another URL with the same token."""
    monkeypatch.setenv("ALERT_WEBHOOK", url)
    assert redact(f"cannot use {url} there") == f"cannot use {MASK} there"
    assert PART not in redact(f"Max retries exceeded with url: /services/T024BE7LH/{PART} (timed out)")


def test_words_in_a_secret_url_are_not_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_WEBHOOK", "https://authentication-service.internal/notifications/production")
    text = "cannot resolve authentication-service.internal for notifications"
    assert redact(text) == text


PEM_LINES = [base64.b64encode(random.Random(number).randbytes(48)).decode() for number in range(9)]
PEM = "\n".join(["-----BEGIN PRIVATE KEY-----", *PEM_LINES, "-----END PRIVATE KEY-----", ""])


@pytest.mark.parametrize(
    "text",
    [
        f"{PEM}",
        f"{PEM!r}",
        f"{PEM.encode()!r}",
        json.dumps(PEM),
        PEM.replace("\n", "\r\n"),
        PEM_LINES[3],
        repr("\n".join(PEM.splitlines()[:4])),
    ],
    ids=["plain", "repr", "bytes", "JSON", "other line breaks", "one line", "cut"],
)
def test_secret_of_several_lines_is_masked(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """It is masked in each form in which a message contains it."""
    monkeypatch.setenv("JWT_PRIVATE_KEY", PEM)
    shown = redact(f"cannot load {text} there")
    assert MASK in shown
    assert [line for line in PEM_LINES if line[:20] in shown] == []


@pytest.mark.parametrize("secret", ["qu'o\"te-v4lue", "back\\slash-v4lue", "gr\u00fcn-v4lue", "t\tab-v4lue"])
def test_secret_with_escaped_characters_is_masked(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("ODD_PASSWORD", secret)
    for text in (secret, repr(secret), ascii(secret), json.dumps(secret)):
        assert "v4lue" not in redact(f"cannot use {text} there")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no way to postgres://app:p@ss/w:rd@db:5432/x", f"no way to postgres://{MASK}@db:5432/x"),
        ("redis://h/0?db=1&password=abc&x=1", f"redis://h/0?db=1&password={MASK}&x=1"),
        ("host=h password='a b' user=x", f"host=h password={MASK} user=x"),
        ("host=h password='a\\'b c' user=x", f"host=h password={MASK} user=x"),
        ("host=h password=ab,cdef user=x", f"host=h password={MASK} user=x"),
        ('{"user": "app", "password": "hunter2"}', f'{{"user": "app", "password": {MASK}}}'),
        ("X-Api-Key: abcdef was refused", f"X-Api-Key: {MASK} was refused"),
        ("Authorization: Bearer abcdef", f"Authorization: {MASK} {MASK}"),
        ("run with --password hunter2 now", f"run with --password {MASK} now"),
        (
            "author=Meyer monkey=banana primary_key=id max_tokens=4096",
            "author=Meyer monkey=banana primary_key=id max_tokens=4096",
        ),
        ("api_key = abc; retries = 3", f"api_key = {MASK}; retries = 3"),
        ("Connection to db.internal refused (port 5432)", "Connection to db.internal refused (port 5432)"),
        ("see http://h/path?page=2", "see http://h/path?page=2"),
    ],
    # pytest puts the id of a test into an environment variable.
    ids=lambda value: "",
)
def test_password_that_is_in_no_setting_is_masked(text: str, shown: str) -> None:
    """A value after the name of a password, or at the position of a password in a URL, is masked."""
    assert redact(text) == shown


def test_plain_settings_are_not_secrets() -> None:
    """Options of a secret and words like "true" are not masked, because they are ordinary words."""
    plain = {
        "CACHES": {"default": {"KEY_PREFIX": "prod", "BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        "SOME_API": {"enabled": "true", "timeout": 5},
        "AUTH_USER_MODEL": "auth.User",
    }
    with override_settings(**plain):
        text = "the production database of auth.User says true"
        assert redact(text) == text


def test_short_secret_is_masked_as_a_word(settings: Any) -> None:
    """A short secret may also be a part of an ordinary word, which is not masked."""
    settings.MAIL_PASSWORD = "prod"
    assert redact("prod is not the product") == f"{MASK} is not the product"


def test_working_folder_is_not_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable PWD contains the working folder, and not a password."""
    monkeypatch.setenv("PWD", "/srv/app")
    assert redact("no file /srv/app/x") == "no file /srv/app/x"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        '{"a": [' * 100_000,
        "/A1b2C3d4E5f6G7h8" * 60_000,
        "A1b2\n" * 200_000,
        "://a:" * 200_000,
        "a" * 1_000_000,
        "password" * 100_000,
        ("x" * 39 + " " * 8) * 20_000,
    ],
)
def test_long_text_is_cut(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The redaction takes linear time. In quadratic time, these texts would take hours."""
    monkeypatch.setenv("LONG_VALUE", text[:100_000])
    monkeypatch.setenv("LONG_SECRET", text[:100_000])
    assert len(redact(text)) <= 500


def test_setting_that_contains_itself_is_searched_to_a_limited_depth(settings: Any) -> None:
    loop: dict[str, Any] = {"password": SECRET}
    loop["again"] = loop
    settings.LOOP = loop
    assert SECRET not in redact(SECRET)


def test_range_is_not_searched(settings: Any) -> None:
    """Its numbers are not secrets, and there may be any number of them."""
    settings.TOKEN_SIZES = range(10**15)
    assert redact("nothing") == "nothing"
