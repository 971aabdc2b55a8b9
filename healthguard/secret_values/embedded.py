"""Flaws of the secrets inside a declared URL or JSON body. Pure functions; no result contains a secret."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from healthguard.secret_values import placeholders, values
from healthguard.secret_values.placeholders import Nature
from healthguard.secret_values.showable import consists_of_words, shown_name
from healthguard.secret_values.values import Flaw
from healthguard.secret_values.variable_names import names_a_secret

_MAX_DEPTH = 20
_LONG_USER = 16
_SHORT = 5
"""The length of values that may be public, so that they may be any word (characters)."""
# Names that may also be those of a position in a list, or of an entry.
_AMBIGUOUS = re.compile(
    r"key|.*salt|(.*[_-])?(page|next|prev|previous|cursor|continuation|sync|sort|csrf|xsrf)[_-](token|key)",
    re.IGNORECASE,
)
_ASKS = re.compile(r"<\W*(your|my|insert|replace|put|enter|change)\b", re.IGNORECASE)


def url_flaw(url: str, *, is_secret: bool = False) -> Flaw | None:
    """Return the flaw of a secret in a URL or a path, as the predicate of a sentence about the URL; None if none.

    Secrets are the user and the password, the values of the query whose names are those of a secret, and a part of the
    path if it is a reference that was not resolved. A part in braces, like ``{id}``, may be legitimate.

    Args:
        url: the URL or the path.
        is_secret: True if the URL as a whole is a secret, like that of a webhook.
    """
    flaw = next(_url_flaws(url, is_secret=is_secret), None)
    if flaw is None and is_secret:
        flaw = values.corruption(url.strip(), is_secret=False, is_address=True)
    return flaw


def json_flaw(document: object) -> Flaw | None:
    """Return the flaw of a secret in a JSON document, as the predicate of a sentence about it; None if none.

    Secrets are the texts whose names are those of a secret.
    """
    return next(_json_flaws(document, "", _MAX_DEPTH), None)


def _url_flaws(url: str, *, is_secret: bool) -> Iterator[Flaw]:
    address, _, query = url.partition("?")
    _, has_authority, rest = address.partition("://")
    authority, _, path = rest.partition("/") if has_authority else ("", "", address)
    userinfo, has_user, host = authority.rpartition("@")
    if has_user:
        yield from _user_flaws(userinfo)
    for part in (host, *path.split("/")):
        yield from _described("contains a part that", _part_flaw(part, is_secret=is_secret))
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        # Apprise marks the names of headers and other options with one of these characters.
        yield from _named_flaws(unquote(name).lstrip("+-:"), unquote(value))


def _user_flaws(userinfo: str) -> Iterator[Flaw]:
    user, has_password, password = (unquote(text) for text in userinfo.partition(":"))
    # A key may be the user, without a password.
    is_key = len(user) >= _LONG_USER and not consists_of_words(user)
    if has_password and not (is_key and not password):
        yield from _described("contains a password that", _secret_flaw(password))
    yield from _described("contains a user that", values.unresolved(user) or values.blank(user))


def _json_flaws(document: object, name: str, depth: int) -> Iterator[Flaw]:
    if depth and isinstance(document, Mapping):
        for key, value in document.items():
            yield from _json_flaws(value, str(key), depth - 1)
    elif depth and isinstance(document, list | tuple):
        for value in document:
            yield from _json_flaws(value, name, depth - 1)
    elif isinstance(document, str):
        yield from _named_flaws(name, document)


def _named_flaws(name: str, value: str) -> Iterator[Flaw]:
    """Yield the flaw of a value if its name is that of a secret."""
    if names_a_secret(name.replace("-", "_")):
        flaw = values.unresolved(value) if _AMBIGUOUS.fullmatch(name) else _secret_flaw(value)
        yield from _described(f"contains a value of {shown_name(name)} that", flaw)


def _secret_flaw(text: str) -> Flaw | None:
    if not text:
        return values.EMPTY
    if flaw := values.corruption(text) or values.blank(text):
        return flaw
    flaw = values.placeholder(text, nature=Nature.CHOSEN) if len(text) > _SHORT else None
    return None if flaw is None or flaw.is_minor else flaw


def _part_flaw(part: str, *, is_secret: bool) -> Flaw | None:
    if flaw := values.unresolved(part):
        return flaw
    is_template = part.startswith("<") and placeholders.is_template(part)
    asks = _ASKS.match(part) is not None or names_a_secret(part.strip("<>").replace("-", "_"))
    if is_template and (is_secret or asks):
        return values.blank(part)
    return values.MASKED if is_secret and placeholders.mask_reason(part) else None


def _described(subject: str, flaw: Flaw | None) -> Iterator[Flaw]:
    if flaw is not None:
        yield dataclasses.replace(flaw, what=f"{subject} {flaw.what}")
