"""The flaws of secret values are found, and random values have none."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthguard.providers import PROVIDERS, Provider
from healthguard.secret_values import values
from healthguard.secret_values.placeholders import Nature
from healthguard.secret_values.values import ValueFault
from tests.support.amounts import some_of
from tests.support.keys import forms, maker

ALL_PREFIXES: tuple[str, ...] = tuple(prefix for provider in PROVIDERS.values() for prefix in provider.prefixes)
FORMS: dict[str, tuple[Provider, str]] = {
    form: (provider, pattern) for provider in PROVIDERS.values() for form, pattern in forms(provider)
}
DJANGO_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*(-_=+)"
"""The characters of ``get_random_secret_key()``."""
RANDOM_KEYS = some_of(100_000)
"""The number of random keys that are tried, which takes about 5 s in CI."""


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("form", FORMS)
def test_random_keys_are_neither_placeholders_nor_corrupted(form: str) -> None:
    """A rule that matches some random keys would report the real keys of some customers as mocks."""
    provider, pattern = FORMS[form]
    make, rng = maker(pattern), random.Random(form)
    for _ in range(RANDOM_KEYS // len(FORMS)):
        key = make(rng)
        assert values.placeholder(key, prefixes=provider.prefixes) is None, key
        assert values.corruption(key, names=provider.variables, prefixes=ALL_PREFIXES, is_token=True) is None, key


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("length", [32, 43, 64, 86])
def test_random_tokens_without_a_known_format_have_no_flaw(length: int) -> None:
    make, rng = maker(rf"[\w-]{{{length}}}"), random.Random(length)
    for _ in range(some_of(5_000)):
        token = make(rng)
        assert values.placeholder(token) is None, token
        assert values.corruption(token, prefixes=ALL_PREFIXES, is_token=True) is None, token


@pytest.mark.usefixtures("untraced")
def test_secret_keys_of_django_have_no_flaw() -> None:
    """The alphabet of Django's keys includes $%(*_), so some keys resemble a reference or a mask."""
    rng = random.Random("SECRET_KEY")
    for _ in range(some_of(10_000)):
        key = "".join(rng.choices(DJANGO_ALPHABET, k=50))
        assert values.placeholder(key) is None, key
        assert values.corruption(key, names=["SECRET_KEY"]) is None, key
    for key in (
        *("$(q+r3nnh%*n2f%dmq05wpc!te)p7dj8@!j4em(f1i$p_u(h()", "a$(b_c)d" * 7, "q***" + "z8&1k@4w" * 6),
        *("@lx7%z1*-ox%(u8br4zy2bzvqvh)s9m&12%$wwnc_$mk(&urwt", "%(wkl5)s" + "z8&1k@4w!" * 5),
    ):
        assert values.placeholder(key) is None
        assert values.corruption(key) is None


# The placeholders by the rule that finds them.
PLACEHOLDERS: dict[str, list[str]] = {
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


def test_there_are_at_least_32_placeholders() -> None:
    assert sum(map(len, PLACEHOLDERS.values())) >= 32


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("rule", PLACEHOLDERS)
def test_placeholders_are_found(rule: str, name: str) -> None:
    """A placeholder is found with and without a prefix of the provider's keys."""
    prefixes = PROVIDERS[name].prefixes
    for value in [prefix + body for prefix in ("", *prefixes) for body in PLACEHOLDERS[rule]]:
        flaw = values.placeholder(value, prefixes=prefixes)
        assert flaw is not None, value
        assert flaw.kind is ValueFault.PLACEHOLDER


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
def test_value_that_only_contains_a_word_is_not_a_placeholder(value: str) -> None:
    assert values.placeholder(value) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("sk-ant-key\n", "line break"),
        ("sk-ant-key\r\n", "line break"),
        (" sk-ant-key", "whitespace"),
        ("\ufeffsk-ant-key", "byte-order mark"),
        ("sk-ant\u200bkey", "zero-width"),
        ("sk-ant-key\u00a0", "no-break space"),
        ("sk-änt-key", "non-ASCII"),
        ('"sk-ant-key"', "quotes"),
        ("'sk-ant-key'", "quotes"),
        ("Bearer sk-ant-key", "Bearer"),
        ("ANTHROPIC_API_KEY=sk-ant-key", "ANTHROPIC_API_KEY="),
        ("export ANTHROPIC_API_KEY=sk-ant-key", "ANTHROPIC_API_KEY="),
        ("sk-ant\tkey", "whitespace"),
        ("Authorization: Bearer sk-ant-key", "whitespace"),
        ("$(ANTHROPIC_API_KEY)", "reference"),
        ("sk-ant\x00key", "control"),
        (base64.b64encode(b"sk-ant-api03-key").decode(), "base64"),
    ],
)
def test_corruption_is_found_and_named(value: str, words: str) -> None:
    flaw = values.corruption(value, names=["ANTHROPIC_API_KEY"], prefixes=("sk-ant-",), is_token=True)
    assert flaw is not None
    assert flaw.kind is ValueFault.CORRUPTED
    assert words in flaw.what
    assert value.strip() not in flaw.what + flaw.remedy


# The changes that a key may undergo before it reaches the environment, and the descriptions of the flaws.
BROKEN: dict[str, tuple[str, str]] = {
    "newline": ("{key}\n", "ends with a line break"),
    "crlf": ("{key}\r\n", "ends with a line break"),
    "cr": ("{key}\r", "ends with a line break"),
    "blank": ("{key} ", "begins or ends with whitespace"),
    "tab before": ("\t{key}", "begins or ends with whitespace"),
    "blanks inside": ("{half} {half}", "contains whitespace"),
    "wrapped": ("{half}\n{half}", "contains whitespace"),
    "control": ("{half}\x1b{half}", "contains a control character"),
    "null": ("{key}\x00", "contains a control character"),
    "byte-order mark": ("\ufeff{key}", "contains a byte-order mark"),
    "zero-width": ("{half}\u200b{half}", "contains a zero-width space"),
    "no-break": ("{key}\u00a0", "contains a no-break space"),
    "typographic quotes": ("“{key}”", "contains a non-ASCII character"),
    "en dash": ("{half}–{half}", "contains a non-ASCII character"),
    "double quotes": ('"{key}"', "is wrapped in quotes"),
    "single quotes": ("'{key}'", "is wrapped in quotes"),
    "backticks": ("`{key}`", "is wrapped in quotes"),
    "quotes and a newline": ('"{key}"\n', "ends with a line break"),
    "bearer": ("Bearer {key}", "begins with 'Bearer '"),
    "name": ("OUR_KEY={key}", "begins with 'OUR_KEY='"),
    "export": ("export OUR_KEY={key}", "begins with 'OUR_KEY='"),
    "reference": ("$(OUR_KEY)", "contains an unresolved reference"),
    "reference inside": ("{half}$(OUR_KEY_2)", "contains an unresolved reference"),
}


@pytest.mark.parametrize("form", FORMS)
def test_corruption_of_a_random_key_is_named(form: str) -> None:
    _, pattern = FORMS[form]
    rng = random.Random(form)
    for text, description in BROKEN.values():
        key = maker(pattern)(rng)
        value = text.replace("{key}", key).replace("{half}", key[: len(key) // 2])
        flaw = values.corruption(value, names=["OTHER_KEY", "OUR_KEY"], prefixes=ALL_PREFIXES, is_token=True)
        assert flaw is not None, value
        assert flaw.what.startswith(description)
        assert key[:16] not in flaw.what + flaw.remedy


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_is_still_base64_is_found_by_its_prefix(form: str) -> None:
    """A key to which echo added a line break is found too, but not a key without a known prefix."""
    _, pattern = FORMS[form]
    rng = random.Random(form)
    for _ in range(500):
        key = maker(pattern)(rng)
        has_prefix = key.startswith(ALL_PREFIXES)
        for text in (key, key + "\n"):
            flaw = values.corruption(base64.b64encode(text.encode()).decode(), prefixes=ALL_PREFIXES, is_token=True)
            assert (flaw is not None) == has_prefix
            assert flaw is None or flaw.what == "is still base64-encoded"


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
def test_valid_value_of_a_variable_is_not_corrupted(value: str) -> None:
    assert values.corruption(value, names=["NAME"], prefixes=values.COMMON_PREFIXES) is None
    assert values.blank(value) is None


# A shorter value may occur in the text of a message.
@given(
    st.text(min_size=13, max_size=200),
    st.sampled_from(["{value}", "{value}\n", "mock-{value}", "<{value}>", "${{{value}}}"]),
)
@settings(deadline=None)
def test_no_value_is_ever_shown(value: str, form: str) -> None:
    flawed = form.format(value=value)
    flaws = (
        values.corruption(flawed, names=["N"], prefixes=("sk-",), is_token=True),
        values.placeholder(flawed),
        *(values.placeholder(flawed, nature=nature) for nature in Nature),
        values.corruption(flawed, names=["N"], is_secret=False, is_address=True),
        values.address_flaw(flawed),
        values.address_flaw(f"postgres://{flawed}@db/x"),
        values.blank(flawed),
    )
    texts = [flaw.what + flaw.remedy for flaw in flaws if flaw is not None]
    assert [text for text in texts if value in text] == []
    # A line break at the end is always a flaw, so the test does not pass with an empty list of texts.
    assert texts or form != "{value}\n"


@pytest.mark.parametrize(
    "value", ["ᴹᵃʳᵗ-ᴷᵉʸ", "ＫＥＹ", "²³", "İstanbul", "\udc80\udcff", "ß" * 30, "ﬁle", "ⅫⅫ", "a\u0301" * 9, "؀", "٣٤٥"]
)
@pytest.mark.parametrize("nature", Nature)
def test_unusual_characters_raise_no_exception(value: str, nature: Nature) -> None:
    """A secret of random bytes may contain any character."""
    values.placeholder(value, nature=nature)
    values.placeholder(f"your-{value}-key", nature=nature)
    values.address_flaw(f"postgres://app:{value}@db/x")


def test_fingerprint_depends_on_the_value_and_the_key() -> None:
    first = values.fingerprint("sk-ant-one", "secret")
    assert first == values.fingerprint("sk-ant-one", "secret")
    assert first != values.fingerprint("sk-ant-two", "secret")
    assert first != values.fingerprint("sk-ant-one", "other")
    assert len(first) == 8
    assert set(first) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("address", "is_minor"),
    [
        ("postgres://app:postgres@db.internal:5432/shop", True),
        ("postgres://app:postgres@[::1]:5432/shop", True),
        ("postgres://app:postgres@host/shop", False),
        ("postgres://app:postgres@host:5432/shop", False),
        ("postgres://app:postgres@db.internal:port/shop", False),
    ],
)
def test_well_known_password_at_an_example_host_is_a_placeholder(address: str, is_minor: bool) -> None:
    """An address like USER:PASSWORD@HOST:PORT only shows the format."""
    flaw = values.address_flaw(address)
    assert flaw is not None
    assert flaw.is_minor is is_minor
