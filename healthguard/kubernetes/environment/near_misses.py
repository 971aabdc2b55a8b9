"""Names that differ so little that one of them is probably misspelled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_SEPARATORS = re.compile(r"[-._]+")
_DIGITS = re.compile(r"\d+")
_SHORT_WORD = 4
_LONG_WORD = 8
# kustomize appends ten of these characters, https://github.com/kubernetes-sigs/kustomize/blob/master/api/hasher/hasher.go
_HASHED = re.compile(r"(.+)-[2456789bcdfghkmt]{10}", re.DOTALL)
_MOST_WORDS = 20
"""The number of words of a name in which a misspelled one is searched."""


def is_near(one: str, other: str) -> bool:
    """Return True if two different names are probably meant to be the same.

    Names whose numbers differ are not, like ``redis-1`` and ``redis-2``, nor those with another word, like ``app-dev``
    and ``app-prod``.
    """
    if one == other or not one or not other:
        return False
    words, other_words = _words(one), _words(other)
    if "".join(words) == "".join(other_words):
        return True
    if len(words) != len(other_words) or _DIGITS.findall(one) != _DIGITS.findall(other):
        return False
    different = [pair for pair in zip(words, other_words, strict=True) if pair[0] != pair[1]]
    return len(different) == 1 and _is_misspelled(*different[0])


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the first of the candidates that is near a name; None if none is."""
    return next((each for each in sorted(candidates) if is_near(name, each)), None)


class NearNames:
    """Many names, of which those near another one are found without a comparison with each of them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_signature: dict[tuple[object, ...], list[str]] = {}
        for name in names:
            for signature in _signatures(name):
                self._by_signature.setdefault(signature, []).append(name)
            if (match := _HASHED.fullmatch(name)) is not None:
                self._by_signature.setdefault(("hashed", match[1]), []).append(name)

    def near(self, name: str) -> list[str]:
        """Return the names that are near a name, and those that are the name with the hash of kustomize, sorted."""
        found = {each for signature in _signatures(name) for each in self._by_signature.get(signature, ())}
        return sorted(
            {each for each in found if is_near(name, each)}.union(self._by_signature.get(("hashed", name), ()))
        )


def _signatures(name: str) -> Iterator[tuple[object, ...]]:
    """Yield values of which two near names have one in common: all words but one, or all letters."""
    words = _words(name)
    yield ("joined", "".join(words))
    for position, word in enumerate(words[:_MOST_WORDS]):
        yield (position, word[:1], *words[:position], "", *words[position + 1 :])


def has_hash_of(name: str, hashed: str) -> bool:
    """Return True if ``hashed`` is ``name`` with the suffix that kustomize appends to generated objects."""
    match = _HASHED.fullmatch(hashed)
    return match is not None and match[1] == name


def _words(name: str) -> list[str]:
    return _SEPARATORS.split(name.lower())


def _is_misspelled(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    if shorter[:1] != longer[:1]:
        return False
    if len(longer) <= _SHORT_WORD and sorted(one) != sorted(other) and (len(longer), len(shorter)) != (_SHORT_WORD, 3):
        # Short words with one other letter are often different words, like "main" and "mail".
        return False
    limit = 2 if len(shorter) >= _LONG_WORD else 1
    return len(longer) - len(shorter) <= limit and _distance(one, other) <= limit


def _distance(one: str, other: str) -> int:
    """Return the number of inserted, removed, replaced or swapped characters (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, character in enumerate(one, 1):
        current = [row]
        for column, another in enumerate(other, 1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (character != another))
            if row > 1 and column > 1 and character == other[column - 2] and one[row - 2] == another:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, last = last, current
    return last[-1]
