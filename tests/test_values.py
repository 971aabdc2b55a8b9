"""What is wrong with a secret's value is found, and nothing is found in a real one."""

from __future__ import annotations

import base64
import random
import string

import pytest
from django.core.management.utils import get_random_secret_key
from hypothesis import given
from hypothesis import strategies as st

from healthguard import values
from healthguard.providers import PROVIDERS
from healthguard.values import Kind

ALNUM = string.ascii_letters + string.digits
SHAPES = {
    "anthropic": lambda rng: "sk-ant-api03-" + _random(rng, ALNUM + "_-", 93) + "AA",
    "openai": lambda rng: "sk-proj-" + _random(rng, ALNUM + "_-", 74) + "T3BlbkFJ" + _random(rng, ALNUM + "_-", 74),
    "openai-old": lambda rng: "sk-" + _random(rng, ALNUM, 20) + "T3BlbkFJ" + _random(rng, ALNUM, 20),
    "hex32": lambda rng: _random(rng, "0123456789abcdef", 32),
    "alnum40": lambda rng: _random(rng, ALNUM, 40),
    "urlsafe64": lambda rng: _random(rng, ALNUM + "_-", 86),
}
PREFIXES = {name.partition("-")[0]: PROVIDERS[name].prefixes for name in ("anthropic", "openai")}


def _random(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choices(alphabet, k=length))


@pytest.mark.parametrize("shape", SHAPES)
def test_random_keys_are_no_placeholders_and_not_corrupted(shape: str) -> None:
    rng = random.Random(20250917)
    prefixes = PREFIXES.get(shape.partition("-")[0], ())
    for _ in range(20_000):
        key = SHAPES[shape](rng)
        assert values.placeholder(key, prefixes=prefixes) is None, key
        assert values.corruption(key, names=["KEY"], prefixes=("sk-ant-",), is_token=True) is None, key


def test_djangos_own_secret_keys_are_good() -> None:
    """Its alphabet holds $(*_ and so now and then what looks like a reference or a mask."""
    for _ in range(20_000):
        key = get_random_secret_key()
        assert values.placeholder(key) is None, key
        assert values.corruption(key, names=["SECRET_KEY"]) is None, key
    for key in ("$(q+r3nnh%*n2f%dmq05wpc!te)p7dj8@!j4em(f1i$p_u(h()", "a$(b_c)d" * 7, "q***" + "z8&1k@4w" * 6):
        assert values.placeholder(key) is None
        assert values.corruption(key) is None


@pytest.mark.parametrize(
    "value",
    [
        *(
            "mock",
            "mock-anthropic-key",
            "sk-ant-mock-key-for-testing",
            "test",
            "dummy",
            "changeme",
            "change-me",
            "Change_Me-Change_Me-Change_Me-Change_Me",
        ),
        *(
            "your-api-key-here",
            "sk-your-openai-api-key",
            "sk-ant-your_anthropic_api_key_goes_here_please",
            "replace me",
        ),
        *("none", "None", "null", "undefined", "<your key>", "${ANTHROPIC_API_KEY}", "{{ key }}", "$(KEY)", "$KEY"),
        *(
            "%KEY%",
            "@KEY@",
            "{key}",
            "********",
            "xxxxxxxx",
            "sk-ant-xxxxxxxxxxxx",
            "sk-...",
            "sk-ant-",
            "aaaaaaaaaaaa",
        ),
        *("sk-ant-api03-0000000000000000000000", "1234567890", "sk-1234567890abcdef", "abcdefghijklmnop"),
        *("example-key", "sample.key", "todo", "redacted", "AKIAIOSFODNN7EXAMPLE", "fake-key-123", " mock \n"),
    ],
)
def test_placeholders_are_found(value: str) -> None:
    flaw = values.placeholder(value, prefixes=(*PROVIDERS["anthropic"].prefixes, *PROVIDERS["openai"].prefixes))
    assert flaw is not None
    assert flaw.kind is Kind.PLACEHOLDER


@pytest.mark.parametrize(
    "value",
    [
        "sk_test_4eC39HqLyjWDarjtT1zdp7dd",  # a mode at Stripe, not a mock
        "contest-Winner-8fJ2kQ91xZpL0vTqWm4RtYbN7hGs3dEa",
        "a1b2-test-9f8e7d6c5b4a39281706f5e4d3c2b1a0",  # long, and not made of words alone
        "postgres://app:Tr0ub4dor@db.internal:5432/prod",
    ],
)
def test_what_merely_holds_a_word_is_no_placeholder(value: str) -> None:
    assert values.placeholder(value) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("sk-ant-key\n", "line break"),
        ("sk-ant-key\r\n", "line break"),
        (" sk-ant-key", "white space"),
        ("\ufeffsk-ant-key", "byte-order mark"),
        ("sk-ant\u200bkey", "zero-width"),
        ("sk-ant-key\u00a0", "no-break space"),
        ("sk-änt-key", "outside ASCII"),
        ('"sk-ant-key"', "quotes"),
        ("'sk-ant-key'", "quotes"),
        ("Bearer sk-ant-key", "Bearer"),
        ("ANTHROPIC_API_KEY=sk-ant-key", "ANTHROPIC_API_KEY="),
        ("export ANTHROPIC_API_KEY=sk-ant-key", "white space"),
        ("$(ANTHROPIC_API_KEY)", "reference"),
        ("sk-ant\x00key", "control"),
        (base64.b64encode(b"sk-ant-api03-key").decode(), "base64"),
    ],
)
def test_corruption_is_found_and_named(value: str, says: str) -> None:
    flaw = values.corruption(value, names=["ANTHROPIC_API_KEY"], prefixes=("sk-ant-",), is_token=True)
    assert flaw is not None
    assert flaw.kind is Kind.CORRUPTED
    assert says in flaw.what
    assert value.strip() not in flaw.what + flaw.remedy


@pytest.mark.parametrize(
    "value",
    [
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
        '{"type": "service_account",\n "project": "x"}',
        "pässwörd",
        "a value with blanks inside",
        "postgres://u:p@h/db?options=-c%20x",
    ],
)
def test_what_a_variable_may_hold_is_not_corrupted(value: str) -> None:
    assert values.corruption(value, names=["NAME"], prefixes=values.COMMON_PREFIXES) is None
    assert values.blank(value) is None


@given(st.text(max_size=200))
def test_no_value_is_ever_told(value: str) -> None:
    for flaw in (
        values.corruption(value, names=["N"], prefixes=("sk-",), is_token=True),
        values.placeholder(value),
        values.blank(value),
    ):
        if flaw is not None and len(value) > 12:
            assert value not in flaw.what + flaw.remedy


def test_a_fingerprint_tells_pods_apart_and_nothing_else() -> None:
    first = values.fingerprint("sk-ant-one", "secret")
    assert first == values.fingerprint("sk-ant-one", "secret")
    assert first != values.fingerprint("sk-ant-two", "secret")
    assert first != values.fingerprint("sk-ant-one", "other")
    assert len(first) == 8
    assert set(first) <= set("0123456789abcdef")
