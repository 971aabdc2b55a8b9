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
from django.views.debug import SafeExceptionReporterFilter

MASK = "********"

_MIN_LENGTH = 4
_MAX_MESSAGE = 500
_MAX_TEXT = _MAX_VALUE = 20_000
_MAX_DEPTH = 10
_IS_SECRET = re.compile(SafeExceptionReporterFilter.hidden_settings.pattern + "|SALT|CREDENTIAL|PWD", re.IGNORECASE)
# The names of the shell's working folders.
_NOT_SECRET = frozenset({"PWD", "OLDPWD"})
# name=value and name='value', as in the query of a URL and in a connection string of libpq. Every quantifier that can
# start anywhere is bounded, so that the search takes linear time.
_PAIR = re.compile(r"(\w{1,40})(\s{0,9}=\s{0,9})('[^']*'|\"[^\"]*\"|[^\s&;,'\"]+)")
_SPACE = re.compile(r"(\s+)")


def redact(text: str) -> str:
    """Return ``text`` without any value that the settings or the environment call a secret, cut to a readable length.

    Passwords in URLs and in ``name=value`` pairs are masked wherever they come from.
    """
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        text = text.replace(secret, MASK)
    if len(text) > _MAX_TEXT:
        # Without the last word, which may be a part of a secret.
        text = text[:_MAX_TEXT].rpartition(" ")[0]
    text = _PAIR.sub(lambda pair: f"{pair[1]}{pair[2]}{MASK}" if _is_secret(pair[1]) else pair[0], text)
    return "".join(_without_user(part) for part in _SPACE.split(text))[:_MAX_MESSAGE]


def _without_user(part: str) -> str:
    """Return a text without spaces; if it is a URL, without its user and password."""
    user = _user_of(part)
    return part if user is None else part.replace(f"://{user}@", f"://{MASK}@")


def _user_of(part: str) -> str | None:
    """Return the user and the password in a URL, which may contain any character but white space."""
    _, separator, rest = part.partition("://")
    user, at, _ = rest.rpartition("@")
    return user if separator and at else None


def _is_secret(name: str) -> bool:
    return name not in _NOT_SECRET and _IS_SECRET.search(name) is not None


def _secrets() -> Iterator[str]:
    for name in dir(settings):
        if name.isupper():
            # Reading a setting may raise: an empty SECRET_KEY does.
            with contextlib.suppress(Exception):
                yield from _within(getattr(settings, name), is_secret=_is_secret(name))
    for name, value in os.environ.items():
        yield from _within(value, is_secret=_is_secret(name))


def _within(value: object, *, is_secret: bool, depth: int = 0) -> Iterator[str]:
    """Yield the secrets in a setting. What a name makes a secret, it makes so at every depth below."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _within(inner, is_secret=is_secret or _is_secret(str(name)), depth=depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _within(inner, is_secret=is_secret, depth=depth + 1)
    else:
        yield from _within_text(_text(value), is_secret=is_secret)


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    # Numbers too: they are part of many texts by chance, and so are not masked.
    return str(value) if isinstance(value, str | Promise) else ""


def _within_text(value: str, *, is_secret: bool) -> Iterator[str]:
    found = [value, value.strip()] if is_secret else []
    for name, _, pair_value in _PAIR.findall(value[:_MAX_VALUE]):
        if _is_secret(name):
            found.append(pair_value.strip("'\""))
    for part in value[:_MAX_VALUE].split():
        password = (_user_of(part) or "").partition(":")[2]
        found.append(password)
    for secret in found:
        yield from (text for text in (secret, unquote(secret)) if len(text) >= _MIN_LENGTH)
