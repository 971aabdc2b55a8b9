"""Flaws in the value of a secret: empty, corrupted or a placeholder. Pure functions; no result contains the value.

The rules for placeholders are in ``placeholders``, and those for references to a secret in ``references``.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import enum
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from healthguard.secret_values import placeholders
from healthguard.secret_values.placeholders import Nature, Reason
from healthguard.secret_values.references import Reference, reference, reference_inside
from healthguard.secret_values.variable_names import (
    is_plain_name,
    names_a_header,
    names_a_host,
    names_a_part_of_a_text,
)


class ValueFault(enum.StrEnum):
    """The kind of a flaw, which is also the last word of the problem's code."""

    EMPTY = "empty"
    CORRUPTED = "corrupted"
    PLACEHOLDER = "placeholder"


@dataclasses.dataclass(frozen=True, slots=True)
class Flaw:
    """A flaw in a value.

    Args:
        kind: the kind of the flaw.
        what: the flaw, as the predicate of a sentence that begins with "the value".
        remedy: the remedy, as one or more sentences.
        is_minor: True if the value works nevertheless.
    """

    kind: ValueFault
    what: str
    remedy: str
    is_minor: bool = False


EMPTY = Flaw(
    ValueFault.EMPTY,
    "is empty (0 bytes)",
    "Check the Secret it is mounted from: Kubernetes allows empty values, so nothing else warns you.",
)

# Invisible characters and their usual names.
_INVISIBLE = {
    "\ufeff": "a byte-order mark",
    "\u200b": "a zero-width space",
    "\u200c": "a zero-width non-joiner",
    "\u200d": "a zero-width joiner",
    "\u2060": "a word joiner",
    "\u00a0": "a no-break space",
    "\u00ad": "a soft hyphen",
}
_UNRESOLVED_NAME = Flaw(
    ValueFault.CORRUPTED,
    "contains an unresolved reference, like $(NAME)",
    "Declare the referenced variable earlier in env, or in envFrom. Kubernetes does not resolve $(NAME) if NAME is not "
    "set before it.",
)
# Only capitals, as in names of variables, because Django's own secret keys sometimes contain "$(".
_UNRESOLVED = re.compile(r"\$\([A-Z][A-Z0-9_]+\)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ANY_INVISIBLE = re.compile(f"[{''.join(_INVISIBLE)}]")
# The prefixes of decoded values that show that a value is still base64-encoded, in addition to those of the providers.
COMMON_PREFIXES = (
    *("postgres://", "postgresql://", "mysql://", "sqlite://", "redis://", "rediss://", "amqp://", "amqps://"),
    *("mongodb://", "mongodb+srv://", "http://", "https://", "smtp://", "-----BEGIN "),
)
_STARTPROJECT_PREFIX = "django-insecure-"  # of random keys, so its words are not those of a placeholder
_JSON = re.compile(r"\{\s*(\".*)?\}|\[\s*([\"\[{\d].*)?\]", re.DOTALL)
_SPACE = re.compile(r"\s")
_MAX_CHARACTERS = 4_096
"""The length up to which a value is checked (characters); the rest is ignored."""
_MAX_ADDRESS = 2_048
_SCHEME = re.compile(r"[a-z][a-z0-9+.:-]{0,40}", re.IGNORECASE)
_WEB_SCHEMES = frozenset({"http", "https", "ws", "wss"})
_EXAMPLE_HOSTS = frozenset({"host", "hostname", "server", "servername", "your-host", "ip", "address"})
_SHORT_PASSWORD = 3
_PAIR = re.compile(
    r"(?:^|[;?&\s])(password|passwd|pwd|pass|account_?key|shared_?access_?key|secret|token|api_?key|user|username|uid|host"
    r"|server|dbname|database)\s?=\s?'?([^;&\s']{1,200})",
    re.IGNORECASE,
)
_CHANGE_ME = re.compile(
    r"(?:change|replace|fill|fix|set)[-_. ]?me(?:[-_. ]please)?!*|\W*redacted\W*|todo", re.IGNORECASE
)
# A plain word may be the name of a view, as in LOGIN_URL.
_ADDRESS_PLACEHOLDER = re.compile(r"[^\w\s]|_|x{4}|your", re.IGNORECASE)
_PLAIN_PAIRS = frozenset({"user", "username", "uid", "host", "server", "dbname", "database"})
_REAL_VALUE_REMEDY = "Replace it with the real value."
MASKED = Flaw(ValueFault.PLACEHOLDER, "is a mask or filler", _REAL_VALUE_REMEDY)
_RANDOM_VALUE_REMEDY = "Set a random password, both here and in the service that verifies it."


def corruption(
    value: str,
    *,
    names: Sequence[str] = (),
    prefixes: Iterable[str] = (),
    is_token: bool = False,
    is_secret: bool = True,
    is_address: bool = False,
) -> Flaw | None:
    """Return the flaw that ``value`` acquired on its way into the environment, or None.

    Args:
        value: the value. An empty value is not corrupted.
        names: the variables that the value may come from; ``NAME=`` may have been copied with the value.
        prefixes: the prefixes of the decoded value that show that it is still base64-encoded.
        is_token: True if the value must consist of printable ASCII characters without whitespace, as in a header.
        is_secret: True if the value must be a secret. Any other value may be a path, or the name of a vault.
        is_address: True if the value is an address, which may contain a secret.
    """
    surrounded = _surrounded(value, names)
    # Whitespace around a text for people is minor, so that any other flaw counts more.
    is_minor = surrounded is not None and not is_secret and not is_address and _is_prose(value, names)
    flaw = (
        _invisible(value, is_token=is_token)
        or (None if is_minor else surrounded)
        or _wrapped(value)
        or _copied_along(value, names)
        or _unresolved(value, names, is_secret=is_secret, is_address=is_address)
        or _inner_control(value, is_token=is_token)
        or _still_base64(value, tuple(prefixes))
    )
    return dataclasses.replace(surrounded, is_minor=True) if flaw is None and surrounded is not None else flaw


def _corrupted(description: str, remedy: str) -> Flaw:
    return Flaw(ValueFault.CORRUPTED, description, remedy)


def _invisible(value: str, *, is_token: bool) -> Flaw | None:
    if match := _ANY_INVISIBLE.search(value):
        return _corrupted(
            f"contains {_INVISIBLE[match[0]]}", "Type the value again, or copy it from its source as plain text."
        )
    if is_token and not value.isascii():
        return _corrupted("contains a non-ASCII character", "Copy the value again from its source, as plain text.")
    return None


def _surrounded(value: str, names: Iterable[str]) -> Flaw | None:
    # A value with several lines, such as a certificate, may end with a line break, and so may JSON.
    stripped = value.strip()
    if value != stripped and "\n" not in stripped and not _JSON.fullmatch(stripped):
        if value.endswith(("\n", "\r")):
            return _corrupted(
                "ends with a line break",
                "Create the Secret again with --from-literal, or encode the output of printf '%s'. The output of echo "
                "and most files end with a line break.",
            )
        if not any(map(names_a_part_of_a_text, names)):
            return _corrupted("begins or ends with whitespace", "Remove the whitespace around the value.")
    return None


def _is_prose(value: str, names: Iterable[str]) -> bool:
    """Return True if a value consists of several words, and is neither an address nor a header."""
    return (
        len(value.split()) > 1
        and "://" not in value
        and "=" not in value
        and not any(names_a_header(name) or names_a_host(name) for name in names)
    )


def _wrapped(value: str) -> Flaw | None:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'`":
        return _corrupted(
            "is wrapped in quotes",
            "Remove the quotes: docker --env-file and kustomize keep the quotes in an env file as part of the value.",
        )
    return None


def _inner_control(value: str, *, is_token: bool) -> Flaw | None:
    if has_control_character(value):
        return _corrupted("contains a control character", "Copy the value again from its source, as plain text.")
    if is_token and _SPACE.search(value):
        return _corrupted("contains whitespace", "Copy the value again from its source, as a single line.")
    return None


def has_control_character(value: str) -> bool:
    """Return True if ``value`` contains a control character other than a tab or a line break."""
    return _CONTROL.search(value) is not None


def _copied_along(value: str, names: Iterable[str]) -> Flaw | None:
    if value.lower().startswith("bearer ") and not any(map(names_a_header, names)):
        return _corrupted(
            "begins with 'Bearer '", "Store only the key, without the scheme of the Authorization header."
        )
    for name in names:
        if value.startswith((f"{name}=", f"export {name}=")):
            return _corrupted(f"begins with '{name}='", "Store only the value, without the name of the variable.")
    return None


def _unresolved(value: str, names: Sequence[str], *, is_secret: bool, is_address: bool) -> Flaw | None:
    if _UNRESOLVED.search(value):
        return _UNRESOLVED_NAME
    name = names[0] if names else ""
    found = reference(value, name=name, is_secret=is_secret, is_address=is_address)
    if found is None and (is_secret or is_address) and not placeholders.is_template(value.strip()):
        found = reference_inside(value)
    return _reference_flaw(found, name) if found is not None else None


def unresolved(text: str) -> Flaw | None:
    """Return the flaw of a text of any purpose that contains a reference, like $(NAME) or ${NAME}; else None."""
    if _UNRESOLVED.search(text):
        return _UNRESOLVED_NAME
    found = reference_inside(text)
    return _reference_flaw(found, "") if found is not None else None


def _reference_flaw(unresolved: Reference, name: str) -> Flaw:
    remedy = unresolved.remedy.replace("{name}", name if is_plain_name(name) else "NAME")
    return _corrupted(unresolved.what, remedy)


def _still_base64(value: str, prefixes: tuple[str, ...]) -> Flaw | None:
    if not prefixes or value.startswith(prefixes):
        return None
    try:
        decoded = base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    if not decoded.startswith(prefixes):
        return None
    return _corrupted(
        "is still base64-encoded",
        "Decode it once. In a Secret, values under data are base64-encoded and values under stringData are not. This "
        "value was encoded once too often.",
    )


def placeholder(value: str, *, prefixes: Iterable[str] = (), nature: Nature = Nature.ISSUED) -> Flaw | None:
    """Return the flaw of a ``value`` that cannot be a real secret, or None.

    Args:
        value: the value.
        prefixes: the prefixes of real secrets; the longest that matches is not part of the check.
        nature: the nature of real secrets.
    """
    value = value.strip()[:_MAX_CHARACTERS]
    reason = placeholders.reason(value, nature) if placeholders.is_published(value) else None
    reason = reason or placeholders.reason(_without_prefix(value, (*prefixes, _STARTPROJECT_PREFIX)), nature)
    if reason is None:
        return None
    remedy = _RANDOM_VALUE_REMEDY if reason.is_minor else _REAL_VALUE_REMEDY
    return Flaw(ValueFault.PLACEHOLDER, reason.what, remedy, is_minor=reason.is_minor)


def mock(value: str, *, nature: Nature) -> Flaw | None:
    """Return the flaw of a key with a part like ``mock`` or ``dummy``, which is hardly ever random; else None."""
    is_mock = nature is Nature.RANDOM and placeholders.has_mock(value.strip()[:_MAX_CHARACTERS])
    return _placeholder_flaw("contains a word that is typical of mocks and placeholders") if is_mock else None


def suggests_a_placeholder(value: str, *, prefixes: Iterable[str] = ()) -> bool:
    """Return True if a part of ``value`` is, or begins with, a word that is typical of mocks.

    This is rare in a real key, but possible. It therefore counts only against a key that does not have a known form and
    that nothing has verified.
    """
    return placeholders.suggests_a_placeholder(_without_prefix(value, prefixes))


def blank(value: str) -> Flaw | None:
    """Return the flaw of a value that is invalid for any purpose, or None.

    Such a value is a template, a null value or a request to replace it.
    """
    value = value.strip()
    if placeholders.is_null_value(value):
        return _placeholder_flaw("is a null value, written as text")
    if placeholders.is_template(value):
        return _placeholder_flaw("is a template that was not filled in")
    return _placeholder_flaw("is a placeholder") if _CHANGE_ME.fullmatch(value) else None


def _placeholder_flaw(description: str) -> Flaw:
    return Flaw(ValueFault.PLACEHOLDER, description, _REAL_VALUE_REMEDY)


def address_flaw(value: str) -> Flaw | None:
    """Return the flaw of an address in which a part is a placeholder or a well-known default password, or None.

    Addresses are ``scheme://user:password@host/name``, and pairs like ``password=…`` in the format of any driver.
    """
    value = value.strip()[:_MAX_ADDRESS]
    reason = _url_reason(value)
    if reason is None and "/" not in value and _ADDRESS_PLACEHOLDER.match(value):
        reason = placeholders.address_part_reason(value)
    if reason is None:
        pairs = ((name.lower(), part) for name, part in _PAIR.findall(value))
        reason = next(filter(None, (_pair_reason(name, part) for name, part in pairs)), None)
    if reason is None:
        return None
    if reason.is_minor:
        description = "contains a well-known default password"
        return Flaw(ValueFault.PLACEHOLDER, description, _RANDOM_VALUE_REMEDY, is_minor=True)
    return _placeholder_flaw("contains a placeholder, like <password>")


def _pair_reason(name: str, part: str) -> Reason | None:
    reason = placeholders.reason(part, Nature.CHOSEN) if name not in _PLAIN_PAIRS else None
    return reason or placeholders.address_part_reason(part)


def _url_reason(value: str) -> Reason | None:
    scheme, separator, rest = value.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return None
    is_web = scheme.lower() in _WEB_SCHEMES
    userinfo, _, tail = rest.rpartition("@")
    if "/" in userinfo.partition(":")[0] or (is_web and "/" in userinfo):
        userinfo, tail = "", rest
    if is_web and not userinfo:
        return next(filter(None, map(placeholders.mask_reason, tail.split("/")[1:])), None)
    user, has_password, password = userinfo.partition(":")
    host, _, path = tail.partition("/")
    name, _, port = host.partition(":") if not host.startswith("[") else (host, "", "")
    parts = [user, name, name.partition(".")[0], port, *path.partition("?")[0].split("/")]
    if reason := next(filter(None, map(placeholders.address_part_reason, parts)), None):
        return reason
    if is_web and not has_password:
        return placeholders.reason(user, Nature.LABEL)
    is_example = port.isalpha() or name.lower() in _EXAMPLE_HOSTS
    return _password_reason(unquote(password), is_example=is_example) if password else None


def _password_reason(password: str, *, is_example: bool) -> Reason | None:
    reason = placeholders.reason(password, Nature.CHOSEN)
    if reason is None and reference(password) is not None:
        return Reason("contains a reference to its password")
    if reason is None or not reason.is_minor:
        return reason
    if len(password) <= _SHORT_PASSWORD:
        return None
    # USER:PASSWORD@HOST:PORT only shows the format of an address.
    return dataclasses.replace(reason, is_minor=not is_example)


def _without_prefix(value: str, prefixes: Iterable[str]) -> str:
    matching = [prefix for prefix in prefixes if value.startswith(prefix)]
    return value[len(max(matching, key=len)) :] if matching else value


def fingerprint(value: str, key: str) -> str:
    """Return eight hexadecimal characters that show whether two pods have the same ``value``, and nothing else.

    They are a keyed hash: without ``key`` nobody can test candidates against it.
    """
    return keyed_hash(value, key, purpose="fingerprint")[:8]


def keyed_hash(value: str, key: str, *, purpose: str) -> str:
    """Return 64 hexadecimal characters for ``value``, different for each purpose, that cannot be reversed."""
    return hmac.new(b"healthguard." + _bytes(purpose) + _bytes(key), _bytes(value), hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
