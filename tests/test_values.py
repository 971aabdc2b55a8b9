"""What is wrong with a secret's value is found, and nothing is found in a real one."""

from __future__ import annotations

import base64
import random

import pytest
from django.core.management.utils import get_random_secret_key
from hypothesis import given
from hypothesis import strategies as st

from healthguard import values
from healthguard.placeholders import Nature
from healthguard.providers import PROVIDERS
from healthguard.values import Kind
from tests.keys import forms, maker

ALL_PREFIXES = tuple(prefix for provider in PROVIDERS.values() for prefix in provider.prefixes)
FORMS = {form: (provider, pattern) for provider in PROVIDERS.values() for form, pattern in forms(provider)}
RANDOM_KEYS = 100_000
"""How many are tried in all: some 5 s."""


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("form", FORMS)
def test_random_keys_are_no_placeholders_and_not_corrupted(form: str) -> None:
    """Rules that hit by chance would call a customer's real key a mock, one in so many pods."""
    provider, pattern = FORMS[form]
    make, rng = maker(pattern), random.Random(form)
    for _ in range(RANDOM_KEYS // len(FORMS)):
        key = make(rng)
        assert values.placeholder(key, prefixes=provider.prefixes) is None, key
        assert values.corruption(key, names=provider.variables, prefixes=ALL_PREFIXES, is_token=True) is None, key


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("length", [32, 43, 64, 86])
def test_random_tokens_of_no_form_are_good(length: int) -> None:
    make, rng = maker(rf"[\w-]{{{length}}}"), random.Random(length)
    for _ in range(5_000):
        token = make(rng)
        assert values.placeholder(token) is None, token
        assert values.corruption(token, prefixes=ALL_PREFIXES, is_token=True) is None, token


@pytest.mark.usefixtures("untraced")
def test_djangos_own_secret_keys_are_good() -> None:
    """Its alphabet holds $(*_ and so now and then what looks like a reference or a mask."""
    for _ in range(10_000):
        key = get_random_secret_key()
        assert values.placeholder(key) is None, key
        assert values.corruption(key, names=["SECRET_KEY"]) is None, key
    for key in ("$(q+r3nnh%*n2f%dmq05wpc!te)p7dj8@!j4em(f1i$p_u(h()", "a$(b_c)d" * 7, "q***" + "z8&1k@4w" * 6):
        assert values.placeholder(key) is None
        assert values.corruption(key) is None


# By the rule that finds it.
PLACEHOLDERS = {
    "null word": ["none", "None", "NULL", "null", "nil", "undefined", "true", "False"],
    "template": [
        *("<your key>", "<ANTHROPIC_API_KEY>", "{key}", "{{ key }}", "{{ .Values.apiKey }}", "${ANTHROPIC_API_KEY}"),
        *("${KEY:-default}", "$(KEY)", "$(cat /run/secrets/key)", "$KEY", "%KEY%", "@KEY@"),
    ],
    "mask": ["********", "xxxxxxxx", "XXXX-XXXX-XXXX", "####", "...", "sk...", "•" * 8, "____", "abc...xyz", "…"],
    "few characters": ["aaaaaaaaaaaa", "abababababab", "1111", "0", "-"],
    "filler": [
        *("xxxxxxxxxxxx", "8fJ2xxxxxx", "a***b", "0000000000000000000000", "1234567890", "1234567890abcdef"),
        *("abcdefghijklmnop", "8fJ2kQ91xZpL0vTqWm4R***4RtYbN7hGs3dEa", "api-0000000000-key"),
    ],
    "words": [
        *("mock", "mock-anthropic-key", "mock-key-for-testing", "test", "test-key", "TEST_KEY", "dummy", "dummy.key"),
        *("fake-key-123", "example-key", "sample.key", "placeholder", "changeme", "change-me", "change_me_please"),
        *("Change_Me-Change_Me-Change_Me-Change_Me", "replace me", "replace-with-real-key", "your-api-key-here"),
        *("your_anthropic_api_key_goes_here_please_thanks", "insert-key", "todo", "redacted", " mock \n"),
    ],
}
PUBLISHED = ["AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]


def test_there_are_enough_of_them() -> None:
    assert sum(map(len, PLACEHOLDERS.values())) >= 32


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("rule", PLACEHOLDERS)
def test_placeholders_are_found(rule: str, name: str) -> None:
    """Alone, and after whatever the provider's keys begin with."""
    prefixes = PROVIDERS[name].prefixes
    for value in [prefix + body for prefix in ("", *prefixes) for body in PLACEHOLDERS[rule]]:
        flaw = values.placeholder(value, prefixes=prefixes)
        assert flaw is not None, value
        assert flaw.kind is Kind.PLACEHOLDER


@pytest.mark.parametrize("value", [*PUBLISHED, *ALL_PREFIXES])
def test_published_examples_and_bare_prefixes_are_found(value: str) -> None:
    assert values.placeholder(value, prefixes=ALL_PREFIXES) is not None


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
        ("export ANTHROPIC_API_KEY=sk-ant-key", "ANTHROPIC_API_KEY="),
        ("sk-ant\tkey", "white space"),
        ("Authorization: Bearer sk-ant-key", "white space"),
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


# What happens to a key on its way, and what is said of it then.
BROKEN = {
    "newline": ("{key}\n", "ends in a line break"),
    "crlf": ("{key}\r\n", "ends in a line break"),
    "cr": ("{key}\r", "ends in a line break"),
    "blank": ("{key} ", "begins or ends with white space"),
    "tab before": ("\t{key}", "begins or ends with white space"),
    "blanks inside": ("{half} {half}", "holds white space"),
    "wrapped": ("{half}\n{half}", "holds white space"),
    "control": ("{half}\x1b{half}", "holds a control character"),
    "null": ("{key}\x00", "holds a control character"),
    "byte-order mark": ("\ufeff{key}", "holds a byte-order mark"),
    "zero-width": ("{half}\u200b{half}", "holds a zero-width space"),
    "no-break": ("{key}\u00a0", "holds a no-break space"),
    "typographic quotes": ("“{key}”", "holds a character outside ASCII"),
    "en dash": ("{half}–{half}", "holds a character outside ASCII"),
    "double quotes": ('"{key}"', "is wrapped in quotes"),
    "single quotes": ("'{key}'", "is wrapped in quotes"),
    "backticks": ("`{key}`", "is wrapped in quotes"),
    "quotes and a newline": ('"{key}"\n', "ends in a line break"),
    "bearer": ("Bearer {key}", "begins with 'Bearer '"),
    "name": ("OUR_KEY={key}", "begins with 'OUR_KEY='"),
    "export": ("export OUR_KEY={key}", "begins with 'OUR_KEY='"),
    "reference": ("$(OUR_KEY)", "holds a reference"),
    "reference inside": ("{half}$(OUR_KEY_2)", "holds a reference"),
}


@pytest.mark.parametrize("form", FORMS)
def test_whatever_breaks_a_key_is_named(form: str) -> None:
    _, pattern = FORMS[form]
    rng = random.Random(form)
    for text, says in BROKEN.values():
        key = maker(pattern)(rng)
        value = text.replace("{key}", key).replace("{half}", key[: len(key) // 2])
        flaw = values.corruption(value, names=["OTHER_KEY", "OUR_KEY"], prefixes=ALL_PREFIXES, is_token=True)
        assert flaw is not None, value
        assert flaw.what.startswith(says)
        assert key[:16] not in flaw.what + flaw.remedy


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_is_still_base64_is_found_by_its_prefix(form: str) -> None:
    """Also one that echo gave a line break before; but no key that is base64 by nature."""
    _, pattern = FORMS[form]
    rng = random.Random(form)
    for _ in range(500):
        key = maker(pattern)(rng)
        is_found = key.startswith(ALL_PREFIXES)
        for text in (key, key + "\n"):
            flaw = values.corruption(base64.b64encode(text.encode()).decode(), prefixes=ALL_PREFIXES, is_token=True)
            assert (flaw is not None) == is_found
            assert flaw is None or flaw.what == "is still base64"


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
        *(values.placeholder(value, nature=nature) for nature in Nature),
        values.corruption(value, names=["N"], is_secret=False, is_address=True),
        values.address_flaw(value),
        values.address_flaw(f"postgres://{value}@db/x"),
        values.blank(value),
    ):
        if flaw is not None and len(value) > 12:
            assert value not in flaw.what + flaw.remedy


@pytest.mark.parametrize(
    "value", ["ᴹᵃʳᵗ-ᴷᵉʸ", "ＫＥＹ", "²³", "İstanbul", "\udc80\udcff", "ß" * 30, "ﬁle", "ⅫⅫ", "a\u0301" * 9, "؀", "٣٤٥"]
)
@pytest.mark.parametrize("nature", Nature)
def test_letters_of_any_kind_are_judged(value, nature) -> None:
    """No character makes a rule fail: a secret of random bytes may hold any."""
    values.placeholder(value, nature=nature)
    values.placeholder(f"your-{value}-key", nature=nature)
    values.address_flaw(f"postgres://app:{value}@db/x")


def test_a_fingerprint_tells_pods_apart_and_nothing_else() -> None:
    first = values.fingerprint("sk-ant-one", "secret")
    assert first == values.fingerprint("sk-ant-one", "secret")
    assert first != values.fingerprint("sk-ant-two", "secret")
    assert first != values.fingerprint("sk-ant-one", "other")
    assert len(first) == 8
    assert set(first) <= set("0123456789abcdef")
