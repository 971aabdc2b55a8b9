"""The forms of keys, against those that others wrote down: Kingfisher's rules, with betterleaks' and Veles' among them.

Keys of ours are scanned by theirs, keys made of their regular expressions are held against ours. Where the two differ
the table says how, and the keys must differ in just that way.
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
from tests.keys import forms, maker, sequence

KEYS = 100
FORMS = {form: (provider, pattern) for provider in PROVIDERS.values() for form, pattern in forms(provider)}
SHORT_BEDROCK = "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t"


@dataclasses.dataclass(frozen=True)
class Difference:
    """What one side takes for a key and the other does not.

    Args:
        why: in words.
        is_of: whether a key is of that kind.
    """

    why: str
    is_of: Callable[[str], bool]


NOTHING = Difference("", lambda key: False)


@dataclasses.dataclass(frozen=True)
class Row:
    """One form of ours.

    Args:
        rules: theirs, of which one must find our keys.
        ours: which of our keys they do not find.
        theirs: which of their keys are not of our forms.
        unlike: rules of theirs that are no form of the provider's, and so are not held against ours.
    """

    rules: tuple[str, ...] = ()
    ours: Difference = NOTHING
    theirs: Difference = NOTHING
    unlike: tuple[str, ...] = ()


def no_rule(why: str) -> Row:
    return Row(ours=Difference(why, lambda key: True))


TABLE = {
    "anthropic-0": Row(("betterleaks.anthropic-api-key", "betterleaks.anthropic-admin-api-key")),
    "anthropic-1": no_rule("They have no rule for OAuth tokens."),
    "openai-0": Row(("betterleaks.openai-api-key",)),
    "openai-1": Row(
        ("betterleaks.openai-api-key",),
        Difference(
            "They do not know sk-service- and sk-None-, which OpenAI gave out for a while; and where a key ends in a "
            "dash they miss its end.",
            lambda key: key.startswith(("sk-service-", "sk-None-")) or key.endswith("-"),
        ),
        Difference(
            "They take halves of different lengths, which the older scanners do not and nobody has seen.",
            lambda key: len(set(map(len, re.sub(r"^sk-(\w+?-)?", "", key).split("T3BlbkFJ")))) > 1,
        ),
    ),
    "azure_openai-0": no_rule("32 hexadecimal digits may be anything: a scanner has to pass over them."),
    "azure_openai-1": no_rule("They have no rule for Azure OpenAI."),
    "gemini-0": Row(("betterleaks.gcp-gemini-api",)),
    "gemini-1": Row(("betterleaks.gcp-api-key",)),
    "mistral-0": Row(("betterleaks.mistral-api-key",)),
    "cohere-0": Row(("betterleaks.cohere-api-token",)),
    "groq-0": Row(("betterleaks.groq-api-key",)),
    "deepseek-0": Row(
        ("betterleaks.deepseek-api-key",),
        Difference(
            "They take hexadecimal digits alone; TruffleHog takes all lower-case letters and digits.",
            lambda key: re.fullmatch(r"sk-[0-9a-f]{32}", key) is None,
        ),
        Difference("They do not heed case; no capital has been seen.", lambda key: key != key.lower()),
    ),
    "xai-0": Row(("betterleaks.xai-api-key", "veles.secrets/grokxaiapikey")),
    "openrouter-0": Row(
        ("betterleaks.openrouter-api-key", "veles.secrets/openrouter"),
        # Any version and any length.
        unlike=("veles.secrets/openrouter",),
    ),
    "together-0": Row(("betterleaks.togetherai-api-key",)),
    "together-1": no_rule("64 hexadecimal digits may be anything: a scanner has to pass over them."),
    "fireworks-0": no_rule("They have no rule for Fireworks."),
    "perplexity-0": Row(("betterleaks.perplexity-api-key",)),
    "huggingface-0": Row(
        ("betterleaks.huggingface-access-token", "betterleaks.huggingface-organization-api-token"),
        Difference(
            "They take letters alone, as all tokens seen so far; TruffleHog takes digits as well.",
            lambda key: re.search(r"\d", key) is not None,
        ),
    ),
    "replicate-0": Row(
        ("betterleaks.replicate-api-token",),
        Difference(
            "They take letters and digits alone; TruffleHog takes dashes and underscores as well.",
            lambda key: re.fullmatch(r"r8_[A-Za-z0-9]{37}", key) is None,
        ),
    ),
    "bedrock-0": Row(("betterleaks.aws-amazon-bedrock-api-key-long-lived",)),
    "bedrock-1": Row(
        ("betterleaks.aws-amazon-bedrock-api-key-short-lived",),
        Difference("They find where it begins, and leave it at that.", lambda key: True),
        Difference("The same.", lambda key: key == SHORT_BEDROCK),
    ),
    "voyage-0": Row(("betterleaks.voyageai-api-key",)),
    "elevenlabs-0": Row(("betterleaks.elevenlabs-api-key",)),
    "elevenlabs-1": no_rule("32 hexadecimal digits may be anything: a scanner has to pass over them."),
}
# A rule that stands in two rows, as OpenAI's does, is told in the later one.
RULES = {rule: form for form, row in TABLE.items() for rule in row.rules if rule not in row.unlike}


@pytest.fixture(scope="module")
def rules() -> Any:
    """Theirs. Not fetched with the module, for a module that is skipped is not seen in CI."""
    kingfisher = pytest.importorskip("kingfisher_sdk", reason="needs: pip install --group formats")
    return kingfisher.Rules(cache=False, confidence="low")


def of_form(form: str) -> list[str]:
    """Keys of ours."""
    make, rng = maker(FORMS[form][1]), random.Random(form)
    return [make(rng) for _ in range(KEYS)]


@pytest.fixture(scope="module")
def found(rules) -> dict[str, set[str]]:
    """The rules that find a key, by the key."""
    from kingfisher_sdk import Scanner

    lines = [f'{FORMS[form][0].variables[0]}="{key}"\n' for form in FORMS for key in of_form(form)]
    by_key = defaultdict(set)
    for finding in Scanner(rules, base64=False).scan("".join(lines)):
        by_key[finding.secret].add(finding.rule_id)
    return by_key


def test_every_form_has_its_row() -> None:
    assert list(TABLE) == list(FORMS)


def test_what_they_have_no_rule_for(rules) -> None:
    """Should they come to have one, it belongs into the table."""
    ids = {rule["id"] for rule in rules.metadata()}
    assert len(ids) > 400
    assert not [rule for rule in ids if "fireworks" in rule or "azure-openai" in rule or "anthropic-oauth" in rule]


@pytest.mark.parametrize("form", FORMS)
def test_our_keys_are_found_by_their_rules(found, form) -> None:
    row = TABLE[form]
    for key in of_form(form):
        assert bool(found[key] & set(row.rules)) != row.ours.is_of(key), key


@pytest.mark.parametrize("rule", RULES)
def test_keys_of_their_rules_are_of_our_forms(rules, rule) -> None:
    provider, row = FORMS[RULES[rule]][0], TABLE[RULES[rule]]
    detail = rules.detail(rule)
    # Python calls the end of a text by another letter.
    parsed = _parser.parse(detail["pattern"].replace(r"\z", r"\Z"))
    number = detail["betterleaks_secret_group"] or 1
    make, rng = sequence(group(parsed, number) or parsed), random.Random(rule)
    for _ in range(KEYS):
        key = make(rng)
        assert provider.has_format(key) != row.theirs.is_of(key), key


def group(parsed: Any, number: int) -> Any:
    """The group of that number in a parsed regular expression."""
    for operation, argument in parsed:
        if operation is sre.SUBPATTERN and argument[0] == number:
            return argument[-1]
        within = {sre.SUBPATTERN: lambda a: [a[-1]], sre.BRANCH: lambda a: a[1], sre.MAX_REPEAT: lambda a: [a[-1]]}
        for inner in within.get(operation, lambda a: [])(argument):
            if (found := group(inner, number)) is not None:
                return found
    return None
