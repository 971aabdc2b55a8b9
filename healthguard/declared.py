"""The form in which a value from a declaration may be shown.

People put a secret in the place of a name: a key where a check is expected, DATABASE_URL where the name of a database
is. So whatever was declared is shown by the functions of this module, and only if it is a plain name.
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from healthguard.values import may_name_a_secret

HIDDEN = "(not shown: not a plain name)"

_MAX_CHARACTERS = 100
_MAX_MEMBERS = 20
# What separates the words of a name, of a dotted path, of a column type like "numeric(10, 2)[]".
_SEPARATORS = re.compile(r"[\s_.,()\[\]\"$;-]+")
_PUNCTUATION = frozenset(' _.,;()[]"$-')
_WORD_WITH_NUMBER = re.compile(r"[^\W\d_]*\d{0,14}[^\W\d_]*")
_SHORT_LOWER_CASE = re.compile(r"[a-z0-9]{1,8}")
_HEXADECIMAL = re.compile(r"(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# No word of any language that is written in Latin letters has so many consonants in a row.
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}", re.IGNORECASE)
_SHORT = 6
_LONGEST_WORD = 32
_MAX_MIXED = 2
_LONG_SEGMENT = 16
_SHORTEST_SECRET = 4
_SHORTEST_PART = 4


def shown(value: object) -> str:
    """Return a declared value as a message shows it: a plain name in quotes, a number, or that it is not shown."""
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
    """Return a declared name as it stands in a list or a sentence: without quotes, or that it is not shown."""
    return text if is_showable(text) else HIDDEN


def is_showable(text: str) -> bool:
    """Return True if ``text`` consists of words, and is not the value of a variable that may hold a secret."""
    if not text or len(text) > _MAX_CHARACTERS or _UUID.search(text):
        return False
    if not all(character.isalnum() or character in _PUNCTUATION for character in text):
        return False
    parts = [part for part in _SEPARATORS.split(text) if part]
    if not all(map(_is_word, parts)) or sum(map(_is_mixed, parts)) > _MAX_MIXED:
        return False
    return text not in _secrets_of_environment()


def nearest(given: str, known: Collection[str]) -> str | None:
    """Return the member of ``known`` that is nearly ``given``, or differs from it in case; None if none is."""
    by_lower_case = {name.lower(): name for name in known}
    plain = given[:_MAX_CHARACTERS].lower()
    near = difflib.get_close_matches(plain, by_lower_case, 1)
    near = near or [name for name in by_lower_case if _begin_alike(name, plain)]
    return by_lower_case[near[0]] if near else None


def _begin_alike(one: str, other: str) -> bool:
    """Return True if both begin alike, as "ready" and "readiness" do."""
    common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return common >= _SHORTEST_PART and common * 10 >= min(len(one), len(other)) * 7


def shown_path(path: str) -> str:
    """Return the path of a URL with an ellipsis for each segment that may be a secret, like that of a webhook."""
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
    # Words in CamelCase have a capital now and then; random letters have one every other time.
    changes = sum(one.islower() and other.isupper() for one, other in itertools.pairwise(part))
    return changes * 4 <= len(part)


def _is_mixed(part: str) -> bool:
    """Return True if a part has letters after digits, as parts of license keys and random texts have."""
    return re.search(r"\d[^\W\d_]", part) is not None


def _secrets_of_environment() -> Iterator[str]:
    return (value for name, value in os.environ.items() if len(value) >= _SHORTEST_SECRET and may_name_a_secret(name))


def shown_fields(names: Sequence[str], values: object) -> dict[str, str]:
    """Return the named attributes of an object as they may be shown, without those that are None."""
    found = {name: getattr(values, name, None) for name in names}
    return {name: shown(value) for name, value in found.items() if value is not None}
