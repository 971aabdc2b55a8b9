"""The form in which a value from a declaration may be shown.

People sometimes declare a secret where a name is expected: a key instead of a check, or DATABASE_URL instead of the
name of a database. Therefore the functions of this module show a declared value only if it is a plain name.
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from healthguard.secret_values.variable_names import may_name_a_secret

HIDDEN = "(not shown: not a plain name)"

_MAX_CHARACTERS = 100
_MAX_MEMBERS = 20
# The separators of words in a name, in a dotted path and in a column type like "numeric(10, 2)[]".
_SEPARATORS = re.compile(r"[\s_.,()\[\]\"$;-]+")
_PUNCTUATION = frozenset(' _.,;()[]"$-')
_WORD_WITH_NUMBER = re.compile(r"[^\W\d_]*\d{0,14}[^\W\d_]*")
_SHORT_LOWER_CASE = re.compile(r"[a-z0-9]{1,8}")
_HEXADECIMAL = re.compile(r"(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# No word in Latin script has so many consecutive consonants, in any language.
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}", re.IGNORECASE)
_SHORT = 6
_LONGEST_WORD = 32
_MAX_MIXED = 2
_LONG_SEGMENT = 16
_SHORTEST_SECRET = 4
_SHORTEST_PART = 4


def shown(value: object) -> str:
    """Return the form of a declared value for a message: a plain name in quotes, a number, or HIDDEN."""
    if isinstance(value, str):
        return repr(value) if is_showable(value) else HIDDEN
    if value is None or isinstance(value, bool | int | float):
        text = repr(value)
        return text if len(text) <= _SHORT + 1 else HIDDEN
    if isinstance(value, Mapping):
        return _all_shown(value, "{}")
    if isinstance(value, list | tuple | set | frozenset):
        return _all_shown(value, "[]")
    return f"(a {type(value).__name__})"


def shown_name(text: str) -> str:
    """Return the form of a declared name for a list or a sentence: the name without quotes, or HIDDEN."""
    return text if is_showable(text) else HIDDEN


def is_showable(text: str) -> bool:
    """Return True if ``text`` consists of words, and is not the value of a variable that may contain a secret."""
    return consists_of_words(text) and text not in _secrets_of_environment()


def consists_of_words(text: str) -> bool:
    """Return True if ``text`` consists of words, so that it is not random."""
    if not text or len(text) > _MAX_CHARACTERS or _UUID.search(text):
        return False
    if not all(character.isalnum() or character in _PUNCTUATION for character in text):
        return False
    parts = [part for part in _SEPARATORS.split(text) if part]
    return all(map(_is_word, parts)) and sum(map(_is_mixed, parts)) <= _MAX_MIXED


def nearest(name: str, candidates: Collection[str]) -> str | None:
    """Return the candidate that is most similar to ``name`` regardless of case, or None if none is similar."""
    by_lower_case = {candidate.lower(): candidate for candidate in candidates}
    lower_case = name[:_MAX_CHARACTERS].lower()
    matches = difflib.get_close_matches(lower_case, by_lower_case, 1)
    matches = matches or [candidate for candidate in by_lower_case if _have_common_start(candidate, lower_case)]
    return by_lower_case[matches[0]] if matches else None


def _have_common_start(one: str, other: str) -> bool:
    """Return True if both start with the same letters, as "ready" and "readiness" do."""
    common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return common >= _SHORTEST_PART and common * 10 >= min(len(one), len(other)) * 7


def shown_path(path: str) -> str:
    """Return the path of a URL with an ellipsis for each segment that may be a secret, as in a webhook URL."""
    segments = path.split("/")
    return "/".join(segment if len(segment) < _LONG_SEGMENT or is_showable(segment) else "…" for segment in segments)


def _all_shown(values: Collection[object], brackets: str) -> str:
    members = [shown(value) for value in list(values)[:_MAX_MEMBERS]]
    more = ["…"] if len(values) > _MAX_MEMBERS else []
    return f"{brackets[0]}{', '.join([*members, *more])}{brackets[1]}"


def _is_word(part: str) -> bool:
    """Return True if a part of a name can be a word, a number, or too short to be a secret."""
    if len(part) <= _SHORT or part.isdigit():
        return len(part) <= _LONGEST_WORD
    if _HEXADECIMAL.fullmatch(part) or _CONSONANTS.search(part):
        return False
    if _SHORT_LOWER_CASE.fullmatch(part):
        return True
    if len(part) > _LONGEST_WORD or not _WORD_WITH_NUMBER.fullmatch(part):
        return False
    # Capitals are rare in CamelCase words, but make up half of random letters.
    changes = sum(one.islower() and other.isupper() for one, other in itertools.pairwise(part))
    return changes * 4 <= len(part)


def _is_mixed(part: str) -> bool:
    """Return True if a part has letters after digits, as in license keys and random texts."""
    return re.search(r"\d[^\W\d_]", part) is not None


def _secrets_of_environment() -> Iterator[str]:
    return (value for name, value in os.environ.items() if len(value) >= _SHORTEST_SECRET and may_name_a_secret(name))


def shown_fields(names: Sequence[str], values: object) -> dict[str, str]:
    """Return the named attributes of an object in the form that may be shown, without those that are None."""
    fields = {name: getattr(values, name, None) for name in names}
    return {name: shown(value) for name, value in fields.items() if value is not None}
