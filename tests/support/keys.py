"""Random keys in the formats of the catalog. They are generated from its regular expressions and are not valid."""

from __future__ import annotations

import functools
import random
import string
from collections.abc import Callable
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from healthguard.providers import Provider

WORD = string.ascii_letters + string.digits + "_"
MAX_REPETITIONS = 64
"""The additional repetitions that a quantifier without a maximum allows."""

Make = Callable[[random.Random], str]
"""A generator of texts."""


def key_of(provider: Provider, rng: random.Random) -> str:
    """Return a key in the provider's first format that is verified with the provider's usual request."""
    make, others = maker(provider.formats[0]), tuple(provider.requests_by_prefix)
    return next(key for key in iter(lambda: make(rng), None) if not key.startswith(others))


@functools.cache
def maker(pattern: str) -> Make:
    """Return a generator of texts that match ``pattern``. All texts of one length are equally likely."""
    return sequence(_parser.parse(pattern))


def sequence(parsed: Any) -> Make:
    """Return a generator of texts that match a part of a parsed regular expression."""
    parts = [_part(operation, argument) for operation, argument in parsed]
    return lambda rng: "".join(part(rng) for part in parts)


def _part(operation: Any, argument: Any) -> Make:
    if operation is sre.LITERAL:
        return lambda rng: chr(argument)
    if operation is sre.IN:
        alphabet = _alphabet(argument)
        return lambda rng: rng.choice(alphabet)
    if operation is sre.MAX_REPEAT:
        return _repeat(*argument)
    if operation is sre.AT:
        return lambda rng: ""
    if operation is sre.SUBPATTERN:
        return sequence(argument[-1])
    if operation is sre.BRANCH:
        branches = [sequence(branch) for branch in argument[1]]
        return lambda rng: rng.choice(branches)(rng)
    raise NotImplementedError(f"{operation} in the form of a key")


def _repeat(least: int, most: int, parsed: Any) -> Make:
    most = most if most is not sre.MAXREPEAT else least + MAX_REPETITIONS
    (operation, argument), *_ = parsed
    if operation is sre.IN and len(parsed) == 1:
        alphabet = _alphabet(argument)
        if least == most:
            return lambda rng: "".join(rng.choices(alphabet, k=least))
        return lambda rng: "".join(rng.choices(alphabet, k=rng.randint(least, most)))
    part = sequence(parsed)
    return lambda rng: "".join(part(rng) for _ in range(rng.randint(least, most)))


def _alphabet(members: Any) -> str:
    characters: set[str] = set()
    for operation, argument in members:
        if operation is sre.RANGE:
            characters |= {chr(code) for code in range(argument[0], argument[1] + 1)}
        elif operation is sre.CATEGORY and argument is sre.CATEGORY_WORD:
            characters |= set(WORD)
        elif operation is sre.LITERAL:
            characters.add(chr(argument))
        else:
            raise NotImplementedError(f"{operation} in the form of a key")
    return "".join(sorted(characters))


def forms(provider: Provider) -> list[tuple[str, str]]:
    """Return the provider's formats, each with a name for a test."""
    return [(f"{provider.name}-{number}", pattern) for number, pattern in enumerate(provider.formats)]


MOCKS: list[str] = [
    "mock-anthropic-key-550e8400-e29b-41d4-a716-446655440000",
    "mock_anthropic_5f3a9c1d7b2e4f60918273645a5b6c7d",
    "fake_key_" + "a1b2c3d4" * 4,
    "mockkey-1",
    "mock123",
    "sk-ant-mock-key-for-development-environment-2025-v1",
]
"""Mock keys that are long or have a random part, as applications generate them."""
