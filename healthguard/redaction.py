"""A second line of defence for texts that others wrote.

healthguard's own problems are made of allow-listed facts. The message of a stranger's check is shown because
django-health-check asks its author to keep secrets out of it; should one be in it all the same, it is masked here.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from django.conf import settings
from django.views.debug import SafeExceptionReporterFilter

MASK = "********"

_MIN_LENGTH = 4
_MAX_MESSAGE = 500
_USERINFO = re.compile(r"(?<=://)[^/\s@]*@")
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@]*:([^\s]+)@")
_IS_SECRET = re.compile(SafeExceptionReporterFilter.hidden_settings.pattern + "|SALT|CREDENTIAL|PWD", re.IGNORECASE)


def redact(text: str) -> str:
    """``text``, cut to a readable length, without any value that the settings or the environment call a secret."""
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _USERINFO.sub(f"{MASK}@", text)[:_MAX_MESSAGE]


def _secrets() -> Iterator[str]:
    for name in dir(settings):
        if name.isupper():
            # Reading a setting may raise: an empty SECRET_KEY does.
            with contextlib.suppress(Exception):
                yield from _within(name, getattr(settings, name))
    for name, value in os.environ.items():
        yield from _within(name, value)


def _within(name: str, value: object, *, is_secret: bool = False) -> Iterator[str]:
    is_secret = is_secret or _IS_SECRET.search(name) is not None
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _within(str(key), inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _within("", inner, is_secret=is_secret)
    elif isinstance(value, str):
        if is_secret and len(value) >= _MIN_LENGTH:
            yield value
        for password in _PASSWORD_IN_URL.findall(value):
            yield from {password, unquote(password)}
