"""A second line of defense for texts that others wrote.

healthguard's own problems are made of allow-listed facts. The message of a check written by others is shown because
django-health-check asks its author to keep secrets out of it; a secret that is in it all the same is masked here.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from django.conf import settings
from django.utils.functional import Promise

from healthguard.declared import is_showable
from healthguard.values import may_name_a_secret

MASK = "********"

_MIN_LENGTH = 4
_LONG = 16
_MAX_MESSAGE = 500
_MAX_TEXT = _MAX_VALUE = 20_000
_MAX_DEPTH = 10
_PLAIN_VALUES = frozenset({"true", "false", "none", "null", "default", "enabled", "disabled"})
# name=value as in the query of a URL or in a connection string, name: value as in a header, "name": "value" as in JSON.
# Every quantifier that can start anywhere is bounded, so that the search takes linear time.
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


def redact(text: str) -> str:
    """Return ``text`` without any value that the settings or the environment call a secret, cut to a readable length.

    Passwords in URLs, connection strings, headers and JSON are masked wherever they come from.
    """
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        text = _without(secret, text)
    if len(text) > _MAX_TEXT:
        # Without the last word, which may be a part of a secret.
        text = text[:_MAX_TEXT].rpartition(" ")[0]
    text = _SCHEME.sub(lambda match: f"{match[1]} {MASK}", text)
    text = _PAIR.sub(_masked, text)
    text = _OPTION.sub(_masked, text)
    return "".join(_without_user(part) for part in _SPACE.split(text))[:_MAX_MESSAGE]


def _without(secret: str, text: str) -> str:
    """Return ``text`` without ``secret``; a short one may be a part of another word."""
    if len(secret) >= _LONG or secret not in text:
        return text.replace(secret, MASK)
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, text)


def _masked(pair: re.Match[str]) -> str:
    is_secret = _NAMES_PASSWORD.search(pair[1]) is not None and pair[3] != MASK
    return f"{pair[1]}{pair[2]}{MASK}" if is_secret else pair[0]


def _without_user(part: str) -> str:
    """Return a text without spaces; if it is a URL, without its user and password."""
    user = _user_of(part)
    return part if user is None else part.replace(f"://{user}@", f"://{MASK}@")


def _user_of(part: str) -> str | None:
    """Return the user and the password in a URL, which may contain any character but white space."""
    _, separator, rest = part.partition("://")
    user, at, _ = rest.rpartition("@")
    return user if separator and at else None


def _secrets() -> Iterator[str]:
    for name in dir(settings):
        if name.isupper():
            # Reading a setting may raise: an empty SECRET_KEY does.
            with contextlib.suppress(Exception):
                yield from _within(getattr(settings, name), is_secret=may_name_a_secret(name))
    for name, value in os.environ.items():
        yield from _within(value, is_secret=may_name_a_secret(name))


def _within(value: object, *, is_secret: bool, depth: int = 0) -> Iterator[str]:
    """Yield the secrets in a setting. What a name makes a secret, it makes so at every depth below."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if is_secret and not is_showable(str(name)):
                # The keys of customers by key, for example.
                yield from _within_text(_text(name), is_secret=True)
            yield from _within(inner, is_secret=is_secret or may_name_a_secret(str(name)), depth=depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _within(inner, is_secret=is_secret, depth=depth + 1)
    else:
        text = _text(value)
        yield from _within_text(text, is_secret=is_secret and text.lower() not in _PLAIN_VALUES)


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    # Numbers are part of many texts by chance, and so are not masked.
    return str(value) if isinstance(value, str | Promise) else ""


def _within_text(value: str, *, is_secret: bool) -> Iterator[str]:
    found = [value, value.strip()] if is_secret else []
    for name, _, pair_value in _PAIR.findall(value[:_MAX_VALUE]):
        if _NAMES_PASSWORD.search(name):
            found += [pair_value.strip("'\""), pair_value.split(",")[0]]
    for part in value[:_MAX_VALUE].split():
        found.append((_user_of(part) or "").partition(":")[2])
    for secret in found:
        yield from (text for text in (secret, unquote(secret)) if len(text) >= _MIN_LENGTH)
