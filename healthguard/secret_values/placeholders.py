"""Placeholders of secrets: templates, masks, filler and words. Pure functions; a value never appears in a result.

Keys are random, so a key that consists of words, in any language, is a placeholder. A password may consist of words. It
is a placeholder only if its words ask for a password, or if it is a well-known default.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterator

from healthguard.secret_values.placeholder_words import (
    DEFAULTS,
    PUBLISHED,
    Word,
    likelihood,
    meanings,
    meanings_in_disguise,
    plain,
)


class Nature(enum.Enum):
    """The origin of a secret, which determines the texts that it may consist of."""

    RANDOM = "random"
    """A random secret: a key, a token."""
    ISSUED = "issued"
    """A random secret that its issuer verifies. Only words that mark a placeholder count against it."""
    CHOSEN = "chosen"
    """A secret that a person chose: a password, which may be a phrase."""
    LABEL = "label"
    """A name that may be easy to guess: a salt, the key of a cache."""


_KEYS = frozenset({Nature.RANDOM, Nature.ISSUED})


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """A reason why a text is not a secret.

    Args:
        what: the reason, as the predicate of a sentence that begins with "the value".
        is_minor: True if the text works as a secret nevertheless.
    """

    what: str
    is_minor: bool = False


_UNFILLED = Reason("is a template that was not filled in")
_MOCK_VALUE = Reason("is a mock or a placeholder")
_FILLER_TEXT = Reason("is a mask or filler, not a secret")
_NULL_VALUE = Reason("is a null, boolean or empty value, not a secret")
_ALL_WORDS = Reason("consists of words, unlike a random key")
_DEFAULT = Reason("is a well-known default password", is_minor=True)

_MAX_CHARACTERS = 400
"""The maximum length of a text that is checked for words (characters)."""

# A text enclosed in brackets like these is a template. In braces, a UUID and random letters and digits are not.
_TEMPLATE = re.compile(
    r"<<?[\w\s.,:;'’\"!?/()&|=+@\#$%-]+>?> | \{\{.+\}\} | \{[$%\#][\w.:-]+\#?\}"
    r"| \{(?![\da-fA-F]{8}- | (?:[A-Za-z]*\d){3}[A-Za-z\d]*\})[\w\s.-]+\}"
    r"| \$\{.*\} | \$\([\w\s./:-]+\) | \$?\[\[.+\]\] | \$\[[\w\s.'\"()-]+\]"
    r"| ([%@])(?:[A-Z][A-Z0-9_]*|[a-z]+(?:_[a-z]+)+)\1 | %\(\w+\)s | %\{.+\} | \#\{.+\}\#? | <%.*%> | \{%.+%\}"
    r"| \(\([\w\s.:/-]+\)\)",
    re.VERBOSE | re.DOTALL,
)
# A text enclosed in other brackets is a template only if it consists of words: a password may contain any characters.
_BRACKETS = dict(zip("[({<«‹„“”'`「『【《〈（＜｛［", "])}>»›”””'`」』】》〉）＞｝］", strict=True))
_SIGILS = "$%@#_~|!*=^:?.+§&-/\\"
_EDGES = "".join({*_BRACKETS, *_BRACKETS.values(), *_SIGILS, '"', " ", "\t"})
_LISTED = re.compile(r"[,:'\"]")  # in lists and mappings of JSON, YAML and Python, and in addresses of IPv6
_INNER = re.compile(r"[\w\s.,:;'’!?/()&|=+@-]+")
# $NAME, in the usual form of a variable name, because a password may begin with a dollar sign too.
_VARIABLE = re.compile(
    r"\$\$?(?:(?P<word>[A-Z]{2,24})\d{0,2}|[A-Z]+\d{0,2}(?:_+[A-Z0-9]{1,24}){1,12}|[a-z]+(?:_[a-z]{2,20}\d?){1,8}|env:\w+)"
)
_NAME = re.compile(r"[A-Z]{2,20}\d?(?:_+[A-Z]{1,20}\d?){1,8}")
_MASK = re.compile(r"[*xX#.?•●…_\-∗×＊█▒■□○·\s]+")
_FILLER = re.compile(r"x{6,}|X{6,}|\*{6,}|0{10,}|1234567890|abcdefghij|a1b2c3d4e5|qwertyuiop|EXAMPLE(?:KEY)?$")
# Repetitions of "A" are excluded because they occur in base64.
_RUN = re.compile(r"([^\WA_])\1{8,}|0123456789")
_NOT_LONG = 96
_CUT = re.compile(r"[\w.-]*(?:\.\.\.|…)[\w.-]*")
# A key that is masked in the middle. In a longer value asterisks may be random: Django's own keys contain them.
_MASKED = re.compile(r"\*{3,}|[•●]{2,}")
_MASKED_PART = re.compile(r"x{6,}|X{6,}|\*{3,}|•{3,}|[TB]0{8,}|\.\.\.|…")
_MASKED_KEY = re.compile(r"[A-Za-z0-9_.-]*\*{3,}[A-Za-z0-9_.-]*")
_LONG = 32
_LONGEST_PERIOD = 24
_SHORT_PERIOD = 4
_PLAIN = re.compile(r"[\w\s.,-]+")
_EMPTY_WORDS = frozenset("none null nil undefined".split())
_NO_VALUES = _EMPTY_WORDS | {"true", "false", "n/a"}
_EMPTY_DATA = re.compile(r"[\[\](){}<>\s\"'`]+")
# The claims of jwt.io's example ("1234567890", "John Doe"), and of Supabase's demo keys.
_PUBLISHED_CLAIMS = re.compile(r"eyJzdWIiOiIxMjM0NTY3ODkwI|c3VwYWJhc2UtZGVtby")

_MOCKS = ("mock", "dummy", "fake", "placeholder", "changeme", "example", "sample", "redacted")
_LONG_MOCKS = ("dummy", "placeholder", "changeme", "example", "mock-", "mockkey", "fakekey", "notarealkey")
_MARKERS = frozenset({*_MOCKS, "replace", "your", "insert", "todo", "replaceme"})
_CHANGE_ME = re.compile(r"change[-_. ]me", re.IGNORECASE)
_SEPARATOR = re.compile(r"[-_.\s]+")
_CHUNK = re.compile(r"[^\W_]+")
_LETTERS = re.compile("[a-z]+")
_GROUP = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_DIGITS = "01234567890123456789"
# Lengths and algorithms that people add to a word: 32 bytes, SHA256.
_NUMBERS = frozenset("16 24 32 48 50 64 128 256 384 512 1024 2048 4096 25519".split())
_LONGEST_WORD = 24
_DATA = re.compile(r"[\[{]\s*[\"']|\{\s*[\w-]+\s*:\s|-----BEGIN ")
_MAX_DIGITS = 4
_LEAST_MIXED = 3
_WITHIN = 3.0
_SHORT = 7
_TOO_SHORT = 5
_LEAST_LIKELIHOOD = 2.0


def is_template(value: str) -> bool:
    """Return True if the whole of ``value`` is a template, regardless of its purpose."""
    return _TEMPLATE.fullmatch(value) is not None or _is_variable(value)


def _is_variable(value: str) -> bool:
    match = _VARIABLE.fullmatch(value)
    if match is None:
        return False
    word = match["word"]
    return word is None or bool(meanings(word.lower())) or likelihood(word.lower()) >= _LEAST_LIKELIHOOD + 1


def is_null_value(value: str) -> bool:
    """Return True if ``value`` is the text that a programming language prints for a null value, such as nil."""
    return value.lower() in _EMPTY_WORDS


def is_published(value: str) -> bool:
    """Return True if ``value`` is a key that its vendor publishes, or gives to everyone for tests."""
    return value in PUBLISHED


def reason(body: str, nature: Nature) -> Reason | None:
    """Return why ``body``, a secret without its vendor's prefix, is not a secret; None if it may be one."""
    if is_published(body) or _PUBLISHED_CLAIMS.search(body, 0, _MAX_CHARACTERS):
        return Reason("is an example key that its vendor published")
    if body.lower() in _NO_VALUES or _EMPTY_DATA.fullmatch(body):
        return _NULL_VALUE
    if is_template(body):
        return _UNFILLED
    if _is_filler(body, nature):
        return _FILLER_TEXT
    if len(body) > _MAX_CHARACTERS:
        return None
    return _bracketed(body, nature) or _by_words(body, nature)


def address_part_reason(part: str) -> Reason | None:
    """Return why a part of an address, which may be any word, is a placeholder; None if it may be the real part."""
    if is_template(part):
        return _UNFILLED
    if mask_reason(part):
        return _FILLER_TEXT
    result = _bracketed(part, Nature.CHOSEN) or _by_words(part, Nature.CHOSEN)
    return None if result is None or result.is_minor else result


def mask_reason(part: str) -> Reason | None:
    """Return the reason if a part of an address is a mask, like ``XXXXXXXX`` in a webhook address; else None."""
    return _FILLER_TEXT if _MASKED_PART.fullmatch(part) else None


def _is_filler(body: str, nature: Nature) -> bool:
    if not body or _MASK.fullmatch(body) or _FILLER.search(body) or _repeats(body, nature):
        return True
    if nature is Nature.RANDOM and len(body) <= _NOT_LONG and _RUN.search(body):
        return True
    if nature is not Nature.CHOSEN and _CUT.fullmatch(body):
        return True
    return (_MASKED_KEY.fullmatch(body) if len(body) >= _LONG else _MASKED.search(body)) is not None


def _repeats(body: str, nature: Nature) -> bool:
    """Return True if the text has few different characters, or repeats a few characters or words."""
    length, distinct = len(body), len(set(body[:_MAX_CHARACTERS]))
    if distinct == 1 or distinct * 5 <= min(length, _LONG) or (distinct == 2 and length >= _SHORT):
        return True
    period = next((at for at in range(2, min(_LONGEST_PERIOD, length // 3) + 1) if body.startswith(body[:at], at)), 0)
    unit = body[:period]
    if not unit or body != (unit * (length // period + 1))[:length]:
        return False
    if period <= _SHORT_PERIOD:
        return True
    return nature in _KEYS and _PLAIN.fullmatch(unit) is not None and _by_words(unit, nature) is not None


def _bracketed(body: str, nature: Nature) -> Reason | None:
    """Return the reason if the text is a name or words in brackets, like ``[your key]`` or ``__API_KEY__``."""
    core = body.strip(_EDGES)
    if not core or not _encloses(body, core) or not _INNER.fullmatch(core):
        return None
    if _NAME.fullmatch(core):
        return _UNFILLED
    if body[0] in "[{" and _LISTED.search(body):
        # The words of a list or a mapping may be data, unless they ask for a value.
        result = _by_known_words(core, Nature.CHOSEN)
        return None if result is None or result.is_minor else _UNFILLED
    result = _by_words(core, nature if body[0] in _SIGILS else Nature.RANDOM)
    return _UNFILLED if result is not None and not result.is_minor else result


def _encloses(body: str, core: str) -> bool:
    at = body.index(core)
    before, after = body[:at].strip(), body[at + len(core) :].strip()
    if not before or not after:
        return False
    return before[0] == after[-1] or any(_BRACKETS.get(mark, "") in after for mark in before if mark in _BRACKETS)


@dataclasses.dataclass(slots=True)
class _Text:
    """A text read as words.

    Args:
        words: the number of runs of letters and digits.
        letters: the number of letters.
        has_number: True if the text contains a number other than a long sequence or repetition.
        digits: the number of digits that are part of neither a sequence nor a common number.
        likelihood: the log-likelihood ratio of the letters as words compared to random letters, in nats.
        meanings: the meanings of the known words.
        unknown: the number of letters in unknown words.
    """

    words: int = 0
    letters: int = 0
    has_number: bool = False
    digits: int = 0
    likelihood: float = 0.0
    meanings: set[Word] = dataclasses.field(default_factory=set)
    unknown: int = 0


def _by_words(body: str, nature: Nature) -> Reason | None:
    if nature is Nature.CHOSEN:
        return _DEFAULT if body.lower() in DEFAULTS else _by_known_words(body, nature)
    if nature is Nature.LABEL or _DATA.match(body):
        return _by_known_words(body, Nature.LABEL)
    if result := _by_known_words(body, nature):
        return result
    if nature is Nature.RANDOM and (len(body) <= _TOO_SHORT or body.lower() in DEFAULTS):
        return _MOCK_VALUE
    text = _read(body)
    has_words = text is not None and _is_wordlike(text) and _is_mainly_letters(body, text, nature)
    if text is not None and has_words and (nature is Nature.RANDOM or text.meanings & {Word.ORDER, Word.MOCK}):
        return _ALL_WORDS
    return _MOCK_VALUE if len(body) < _LONG and _has_marker_word(body) else None


def _by_known_words(body: str, nature: Nature) -> Reason | None:
    """Return the reason if the text consists of words of the vocabulary; else None."""
    text = _read(body)
    if nature is not Nature.LABEL and (text is None or text.unknown or not text.letters):
        disguised = meanings_in_disguise(body)
        text = _Text(letters=len(body), meanings=set(disguised)) if disguised else text
    if text is None or text.unknown or text.digits > _MAX_DIGITS:
        return None
    if not text.letters:
        return _DEFAULT if nature is Nature.CHOSEN and not text.digits and body.isdigit() else None
    return _of_known(text, nature) if _is_mainly_letters(body, text, nature) else None


def _is_mainly_letters(body: str, text: _Text, nature: Nature) -> bool:
    """Return False if the text has so many symbols and digits that its letters may form words at random."""
    if nature in _KEYS:
        return len(body) <= _LONG or text.letters * 5 >= len(body) * 3
    return text.letters * 2 >= len(body) and (text.words == 1 or text.letters * 2 >= text.words * 5)


def _of_known(text: _Text, nature: Nature) -> Reason | None:
    if Word.ORDER in text.meanings or (Word.MOCK in text.meanings and nature is not Nature.CHOSEN):
        return _MOCK_VALUE
    if nature is Nature.LABEL:
        return None
    if nature in _KEYS:
        return _ALL_WORDS
    is_series = text.meanings == {Word.SERIES} and text.words == 1 and not text.digits
    return _DEFAULT if is_series or text.meanings & {Word.MOCK, Word.NOUN} else None


def _is_wordlike(text: _Text) -> bool:
    if text.digits > max(_MAX_DIGITS, text.letters // 8):
        return False
    if not text.letters:
        return text.digits == 0
    if text.letters <= _SHORT and not text.has_number:
        return True
    # The threshold for a single unknown word rises with its length.
    return text.likelihood >= _LEAST_LIKELIHOOD + text.digits + (text.unknown / 8 if text.words == 1 else 0)


def _has_marker_word(body: str) -> bool:
    return any(token.lower() in _MARKERS for token in _SEPARATOR.split(_CHANGE_ME.sub("changeme", body)))


def _read(body: str) -> _Text | None:
    """Return the text read as words, or None if a part of it cannot be a word."""
    text = _Text()
    for chunk in _CHUNK.findall(body):
        text.words += 1
        groups = _GROUP.findall(chunk)
        if len(groups) > 2 and groups[1].isdigit():
            # Digits in the middle of a word are rare.
            text.likelihood -= _WITHIN
        is_mixed = len(groups) > 3
        for group in groups:
            if group[0].isdigit():
                _add_digits(group, text)
            elif (is_mixed and len(group) < _LEAST_MIXED) or not _add_letters(group, text, is_mixed=is_mixed):
                return None
    return text


def _add_digits(digits: str, text: _Text) -> None:
    is_series = digits in _DIGITS or digits[::-1] in _DIGITS or len(set(digits)) == 1
    if len(digits) <= 2 or not is_series:
        text.has_number = True
        text.digits += 0 if digits in _NUMBERS else len(digits)


def _add_letters(group: str, text: _Text, *, is_mixed: bool) -> bool:
    """Add a run of letters to ``text``; return False if the run does not consist of words."""
    text.letters += len(group)
    whole = plain(group)
    if _add_known(whole, text):
        return True
    parts = list(_parts(group))
    if len(parts) > 1 and len(group) < 3 * len(parts):
        return False
    for part in parts:
        low = plain(part)
        if (len(parts) == 1 or not _add_known(low, text)) and not _add_unknown(
            low, part, text, is_single=len(parts) == 1
        ):
            return False
        if is_mixed and text.unknown:
            return False
    text.likelihood -= 2 * (len(parts) - 1)
    return bool(parts)


def _add_known(word: str, text: _Text) -> bool:
    """Add a known word to ``text``; return False if the word is unknown."""
    word_meanings = meanings(word)
    if word_meanings:
        text.meanings |= word_meanings
        text.likelihood += len(word)
    return bool(word_meanings)


def _add_unknown(word: str, part: str, text: _Text, *, is_single: bool) -> bool:
    """Add an unknown word to ``text``; return False if it cannot be a word."""
    text.unknown += len(word)
    if not word.isascii():
        text.likelihood += 2 * len(word)
        return len(word) <= _LONGEST_WORD
    if (
        len(word) > _LONGEST_WORD
        or not _LETTERS.fullmatch(word)
        or (not is_single and part.isupper() and len(part) > 1)
    ):
        return False
    text.likelihood += likelihood(word)
    return True


def _parts(group: str) -> Iterator[str]:
    """Yield the words that capitals separate, or nothing if no words have this combination of cases."""
    if group.islower() or group.isupper() or group.istitle() or not group.isascii():
        yield group
        return
    parts = _CAMEL.findall(group)
    if sum(map(len, parts)) == len(group):
        yield from parts


def suggests_a_placeholder(body: str) -> bool:
    """Return True if a part of ``body`` is, or begins with, a word that is typical of mocks."""
    tokens = _SEPARATOR.split(body.lower())
    return any(word in _MARKERS or word == "test" or word.startswith(_MOCKS) for word in tokens)


def has_mock(body: str) -> bool:
    """Return True if a part of ``body`` marks it as a mock, even if the rest is long and random."""
    return any(token in _MARKERS or token.startswith(_LONG_MOCKS) for token in _SEPARATOR.split(body.lower()))
