"""The redaction of messages of third-party checks: a second line of defense against secrets.

healthguard's own problems contain only allow-listed facts. The message of a third-party check is shown because
django-health-check requires its author to keep secrets out of it. If it contains a secret nevertheless, the secret is
masked here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import UserString
from collections.abc import Iterator, Mapping, Sequence, Set, ValuesView
from urllib.parse import unquote

from django.conf import settings
from django.utils.functional import Promise

from healthguard.secret_values.showable import consists_of_words, is_showable
from healthguard.secret_values.variable_names import may_name_a_secret

MASK = "********"

_MIN_SECRET_LENGTH = 4
_LONG_SECRET_LENGTH = 16
_MAX_MESSAGE = 500
_MAX_TEXT = _MAX_VALUE = 20_000
_MAX_DEPTH = 10
_PLAIN_VALUES = frozenset({"true", "false", "none", "null", "default", "enabled", "disabled"})
# name=value as in the query of a URL or in a connection string, name: value as in a header, "name": "value" as in JSON.
# Quantifiers that can start anywhere are bounded, so that the search takes linear time.
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_PAIR = re.compile(rf"([\w-]{{1,40}})([\"']?\s{{0,9}}[=:]\s{{0,9}})({_QUOTED}|(?!//)[^\s&;]+)", re.DOTALL)
_NAMES_PASSWORD = re.compile(
    r"(password|passwd|passphrase|secret|token|credentials?|authorization|signature"
    r"|(api|access|secret|private|auth)[-_]?key|(^|[-_])(pass|pwd))$",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(bearer|basic|token)\s{1,9}[^\s,;\"']+", re.IGNORECASE)
_OPTION = re.compile(r"(--?[\w-]{1,40})(\s{1,9})([^\s-]\S*)")
_SPACE = re.compile(r"(\s+)")
# The long parts of a text, with and without slashes: the lines of a private key, and the segments of a URL. A part may
# follow the escaped line break in the repr of a text.
_PARTS = [
    re.compile(rf"(?:(?<=\\[nrt])|(?<!\\))[{characters}]{{{_LONG_SECRET_LENGTH},}}")
    for characters in (r"\w+/=.~-", r"\w+.~-")
]
_PART_SEPARATORS = re.compile(r"[+/=~]+")


def redact(text: str) -> str:
    """Return ``text`` with its secrets masked, cut to 500 characters.

    Secrets are the values of settings and environment variables whose names indicate a secret, their long random parts,
    and all passwords in URLs, connection strings, headers and JSON.
    """
    secrets = set(_secrets())
    for form in sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True):
        text = _without(form, text)
    parts = {part for secret in secrets for part in _parts(secret)}
    for pattern in _PARTS:
        text = pattern.sub(lambda match: MASK if match[0] in parts else match[0], text)
    if len(text) > _MAX_TEXT:
        # The last word is removed, because it may be a part of a secret.
        text = text[:_MAX_TEXT].rpartition(" ")[0]
    text = _SCHEME.sub(lambda match: f"{match[1]} {MASK}", text)
    text = _PAIR.sub(_masked, text)
    text = _OPTION.sub(_masked, text)
    return "".join(_without_user(part) for part in _SPACE.split(text))[:_MAX_MESSAGE]


def _without(secret: str, text: str) -> str:
    """Return ``text`` with ``secret`` masked. A short secret is masked only as a whole word."""
    if len(secret) >= _LONG_SECRET_LENGTH or secret not in text:
        return text.replace(secret, MASK)
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, text)


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as it appears in the repr of a text or of bytes and in JSON."""
    yield secret
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]
    yield repr(secret.encode("utf-8", "surrogatepass"))[2:-1]
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]


def _parts(secret: str) -> Iterator[str]:
    """Yield the long parts of a secret that may appear without the rest, if they do not consist of words."""
    for pattern in _PARTS:
        for part in pattern.findall(secret[:_MAX_VALUE]):
            if not all(consists_of_words(word) for word in _PART_SEPARATORS.split(part) if word):
                yield part


def _masked(pair: re.Match[str]) -> str:
    is_secret = _NAMES_PASSWORD.search(pair[1]) is not None and pair[3] != MASK
    return f"{pair[1]}{pair[2]}{MASK}" if is_secret else pair[0]


def _without_user(part: str) -> str:
    """Return ``part``, a text without white space. If it is a URL, its user and password are masked."""
    user = _user_of(part)
    return part if user is None else part.replace(f"://{user}@", f"://{MASK}@")


def _user_of(part: str) -> str | None:
    """Return the user and the password in a URL, which may contain any character except white space; None if none."""
    _, separator, rest = part.partition("://")
    user, at, _ = rest.rpartition("@")
    return user if separator and at else None


def _secrets() -> Iterator[str]:
    for name in dir(settings):
        if name.isupper():
            # Reading a setting may raise, like an empty SECRET_KEY.
            with contextlib.suppress(Exception):
                yield from _within(getattr(settings, name), is_secret=may_name_a_secret(name))
    for name, value in os.environ.items():
        yield from _within(value, is_secret=may_name_a_secret(name))


def _within(value: object, *, is_secret: bool, depth: int = 0) -> Iterator[str]:
    """Yield the secrets in the value of a setting.

    Args:
        value: the value.
        is_secret: True if the name of the value, or of a container of it, indicates a secret.
        depth: the nesting depth of the value.
    """
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if is_secret and not is_showable(str(name)):
                # The key of a mapping can be a secret too, as in a mapping from API keys to customers.
                yield from _within_text(_text(name), is_secret=True)
            yield from _within(inner, is_secret=is_secret or may_name_a_secret(str(name)), depth=depth + 1)
    elif text := _text(value):
        yield from _within_text(text, is_secret=is_secret and text.lower() not in _PLAIN_VALUES)
        if text.lstrip().startswith(("{", "[")):
            with contextlib.suppress(ValueError, RecursionError):
                yield from _within(json.loads(text), is_secret=is_secret, depth=depth + 1)
    elif isinstance(value, Sequence | Set | ValuesView) and not isinstance(value, range):
        for inner in value:
            yield from _within(inner, is_secret=is_secret, depth=depth + 1)


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    # Numbers are not masked, because they occur in many texts that have nothing to do with a secret.
    return str(value) if isinstance(value, str | UserString | Promise) else ""


def _within_text(value: str, *, is_secret: bool) -> Iterator[str]:
    secrets = [value, value.strip()] if is_secret else []
    for name, _, pair_value in _PAIR.findall(value[:_MAX_VALUE]):
        if _NAMES_PASSWORD.search(name):
            secrets += [pair_value.strip("'\""), pair_value.split(",")[0]]
    for part in value[:_MAX_VALUE].split():
        secrets.append((_user_of(part) or "").partition(":")[2])
    for secret in secrets:
        yield from (text for text in (secret, unquote(secret)) if len(text) >= _MIN_SECRET_LENGTH)
