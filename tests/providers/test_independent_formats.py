"""The key formats of the catalog agree with the rules of Kingfisher, which include those of betterleaks and Veles.

Random keys in the catalog's formats are scanned with Kingfisher's rules, and random keys that match Kingfisher's rules
are compared with the catalog's formats. The table documents each difference, and there must be no other.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections import defaultdict
from collections.abc import Callable
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from healthguard.providers import PROVIDERS
from tests.support.keys import forms, maker, sequence

KEYS = 100
FORMS = {form: (provider, pattern) for provider in PROVIDERS.values() for form, pattern in forms(provider)}
SHORT_BEDROCK = "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t"


@dataclasses.dataclass(frozen=True)
class Difference:
    """A kind of key that one side accepts and the other does not.

    Args:
        why: the reason.
        includes: a function that returns True for keys of that kind.
    """

    why: str
    includes: Callable[[str], bool]


NO_DIFFERENCE = Difference("", lambda key: False)


@dataclasses.dataclass(frozen=True)
class Row:
    """One format of the catalog.

    Args:
        rules: the scanner's rules, of which at least one must find the catalog's keys.
        ours: the keys of the catalog that the scanner does not find.
        theirs: the keys of the scanner's rules that have no format of the catalog.
        unlike: the rules that describe no format of the provider and are not compared with the catalog.
    """

    rules: tuple[str, ...] = ()
    ours: Difference = NO_DIFFERENCE
    theirs: Difference = NO_DIFFERENCE
    unlike: tuple[str, ...] = ()


def no_rule(why: str) -> Row:
    """Return the row of a format for which the scanner has no rule."""
    return Row(ours=Difference(why, lambda key: True))


TABLE: dict[str, Row] = {
    "anthropic-0": Row(("betterleaks.anthropic-api-key", "betterleaks.anthropic-admin-api-key")),
    "anthropic-1": no_rule("The scanner has no rule for OAuth tokens."),
    "openai-0": Row(("betterleaks.openai-api-key",)),
    "openai-1": Row(
        ("betterleaks.openai-api-key",),
        Difference(
            "The scanner does not find sk-service- and sk-None-, which OpenAI issued for a while. It misses the end of "
            "a key that ends in a dash.",
            lambda key: key.startswith(("sk-service-", "sk-None-")) or key.endswith("-"),
        ),
        Difference(
            "The scanner accepts halves of different lengths. Older scanners do not, and no such key has been seen.",
            lambda key: len(set(map(len, re.sub(r"^sk-(\w+?-)?", "", key).split("T3BlbkFJ")))) > 1,
        ),
    ),
    "azure_openai-0": no_rule("32 hexadecimal digits may have any meaning, so a scanner must ignore them."),
    "azure_openai-1": no_rule("The scanner has no rule for Azure OpenAI."),
    "gemini-0": Row(("betterleaks.gcp-gemini-api",)),
    "gemini-1": Row(("betterleaks.gcp-api-key",)),
    "mistral-0": Row(("betterleaks.mistral-api-key",)),
    "cohere-0": Row(("betterleaks.cohere-api-token",)),
    "groq-0": Row(("betterleaks.groq-api-key",)),
    "deepseek-0": Row(
        ("betterleaks.deepseek-api-key",),
        Difference(
            "The scanner accepts only hexadecimal digits. TruffleHog accepts all lower-case letters and digits.",
            lambda key: re.fullmatch(r"sk-[0-9a-f]{32}", key) is None,
        ),
        Difference(
            "The scanner ignores the case. No key with a capital letter has been seen.", lambda key: key != key.lower()
        ),
    ),
    "xai-0": Row(("betterleaks.xai-api-key", "veles.secrets/grokxaiapikey")),
    "openrouter-0": Row(
        ("betterleaks.openrouter-api-key", "veles.secrets/openrouter"),
        # This rule allows any version and any length.
        unlike=("veles.secrets/openrouter",),
    ),
    "together-0": Row(("betterleaks.togetherai-api-key",)),
    "together-1": no_rule("64 hexadecimal digits may have any meaning, so a scanner must ignore them."),
    "fireworks-0": no_rule("The scanner has no rule for Fireworks."),
    "perplexity-0": Row(("betterleaks.perplexity-api-key",)),
    "huggingface-0": Row(
        ("betterleaks.huggingface-access-token", "betterleaks.huggingface-organization-api-token"),
        Difference(
            "The scanner accepts only letters, as in all tokens seen so far. TruffleHog accepts digits as well.",
            lambda key: re.search(r"\d", key) is not None,
        ),
    ),
    "replicate-0": Row(
        ("betterleaks.replicate-api-token",),
        Difference(
            "The scanner accepts only letters and digits. TruffleHog accepts dashes and underscores as well.",
            lambda key: re.fullmatch(r"r8_[A-Za-z0-9]{37}", key) is None,
        ),
    ),
    "bedrock-0": Row(("betterleaks.aws-amazon-bedrock-api-key-long-lived",)),
    "bedrock-1": Row(
        ("betterleaks.aws-amazon-bedrock-api-key-short-lived",),
        Difference("The scanner finds only the start of the key.", lambda key: True),
        Difference("The rule matches only the start of the key.", lambda key: key == SHORT_BEDROCK),
    ),
    "voyage-0": Row(("betterleaks.voyageai-api-key",)),
    "elevenlabs-0": Row(("betterleaks.elevenlabs-api-key",)),
    "elevenlabs-1": no_rule("32 hexadecimal digits may have any meaning, so a scanner must ignore them."),
}
RULES = {rule: form for form, row in TABLE.items() for rule in row.rules if rule not in row.unlike}
"""The format of each rule. A rule of two rows, such as OpenAI's, belongs to the later one."""


@pytest.fixture(scope="module")
def rules() -> Any:
    """The rules of the scanner. They are imported here, because CI does not count a skipped module as a failure."""
    kingfisher = pytest.importorskip("kingfisher_sdk", reason="needs: pip install --group formats")
    return kingfisher.Rules(cache=False, confidence="low")


def keys_of_form(form: str) -> list[str]:
    """Return random keys in a format of the catalog. They are the same in each call."""
    make, rng = maker(FORMS[form][1]), random.Random(form)
    return [make(rng) for _ in range(KEYS)]


@pytest.fixture(scope="module")
def matching_rules(rules: Any) -> dict[str, set[str]]:
    """The rules that find each key of the catalog's formats."""
    from kingfisher_sdk import Scanner

    lines = [f'{FORMS[form][0].variables[0]}="{key}"\n' for form in FORMS for key in keys_of_form(form)]
    by_key: defaultdict[str, set[str]] = defaultdict(set)
    for finding in Scanner(rules, base64=False).scan("".join(lines)):
        by_key[finding.secret].add(finding.rule_id)
    return by_key


def test_every_format_has_a_row() -> None:
    assert list(TABLE) == list(FORMS)


def test_scanner_still_has_no_rule_for_three_formats(rules: Any) -> None:
    """A rule for one of them belongs in the table."""
    ids = {rule["id"] for rule in rules.metadata()}
    assert len(ids) > 400
    assert not [rule for rule in ids if "fireworks" in rule or "azure-openai" in rule or "anthropic-oauth" in rule]


@pytest.mark.parametrize("form", FORMS)
def test_keys_of_the_catalog_are_found_by_the_scanner(matching_rules: dict[str, set[str]], form: str) -> None:
    row = TABLE[form]
    for key in keys_of_form(form):
        assert bool(matching_rules[key] & set(row.rules)) != row.ours.includes(key), key


@pytest.mark.parametrize("rule", RULES)
def test_keys_of_the_scanner_have_a_format_of_the_catalog(rules: Any, rule: str) -> None:
    provider, row = FORMS[RULES[rule]][0], TABLE[RULES[rule]]
    detail = rules.detail(rule)
    # In Python, \Z and not \z matches the end of a text.
    parsed = _parser.parse(detail["pattern"].replace(r"\z", r"\Z"))
    number = detail["betterleaks_secret_group"] or 1
    make, rng = sequence(find_group(parsed, number) or parsed), random.Random(rule)
    for _ in range(KEYS):
        key = make(rng)
        assert provider.has_format(key) != row.theirs.includes(key), key


def find_group(parsed: Any, number: int) -> Any:
    """Return the group with that number in a parsed regular expression; None if there is none."""
    for operation, argument in parsed:
        if operation is sre.SUBPATTERN and argument[0] == number:
            return argument[-1]
        inner_parts: dict[Any, Callable[[Any], Any]] = {
            sre.SUBPATTERN: lambda a: [a[-1]],
            sre.BRANCH: lambda a: a[1],
            sre.MAX_REPEAT: lambda a: [a[-1]],
        }
        for inner in inner_parts[operation](argument) if operation in inner_parts else []:
            if (group := find_group(inner, number)) is not None:
                return group
    return None
