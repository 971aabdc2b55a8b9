"""What is wrong with a secret's value: empty, corrupted on its way, or a placeholder. Pure; never tells the value."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import enum
import hashlib
import hmac
import re
from collections.abc import Iterable


class Kind(enum.StrEnum):
    """What sort of flaw it is; also the last word of the problem's code."""

    EMPTY = "empty"
    CORRUPTED = "corrupted"
    PLACEHOLDER = "placeholder"


@dataclasses.dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a value.

    Args:
        kind: the sort of flaw.
        what: a clause that goes on from "the value …".
        remedy: what to do about it, a sentence.
    """

    kind: Kind
    what: str
    remedy: str


EMPTY = Flaw(
    Kind.EMPTY,
    "is empty (0 bytes)",
    "Look at the Secret it is mounted from: an empty value there is legal, and so arrives unnoticed.",
)

# Characters that look like nothing, and what people call them.
_INVISIBLE = {
    "\ufeff": "a byte-order mark",
    "\u200b": "a zero-width space",
    "\u200c": "a zero-width non-joiner",
    "\u200d": "a zero-width joiner",
    "\u2060": "a word joiner",
    "\u00a0": "a no-break space",
    "\u00ad": "a soft hyphen",
}
_NULL_WORDS = frozenset({"none", "null", "nil", "undefined"})
_BOOLEAN_WORDS = frozenset({"true", "false"})
_PLACEHOLDER_WORDS = frozenset(
    "mock dummy fake test example sample placeholder changeme replace your insert todo redacted".split()
)
_MOCKS = ("mock", "dummy", "fake", "placeholder", "changeme", "example", "sample", "redacted")
_TEMPLATE = re.compile(
    r"<[^<>]+> | \{\{.+\}\} | \{[\w\s.-]+\} | \$\{.*\} | \$\([\w\s./:-]+\) | \$[A-Za-z_]\w* | %\w+% | @\w+@",
    re.VERBOSE | re.DOTALL,
)
_MASK = re.compile(r"[*xX#.?•●…_-]+")
_FILLER = re.compile(r"x{6,}|X{6,}|\*{6,}|0{10,}|1234567890|abcdefghij|\.\.\.|…")
# In a longer value it may be chance: Django's own secret keys are made of an alphabet with an asterisk. A key that
# was masked in its middle is a key otherwise.
_MASKED = re.compile(r"\*{3,}")
_MASKED_KEY = re.compile(r"[A-Za-z0-9_.-]*\*{3,}[A-Za-z0-9_.-]*")
_WORD = re.compile(r"[A-Za-z]+")
_CHANGE_ME = re.compile(r"change[-_. ]me", re.IGNORECASE)
_SEPARATOR = re.compile(r"[-_.\s]+")
# In capitals, as variables are named: Django's own secret keys hold "$(" now and then.
_UNRESOLVED = re.compile(r"\$\([A-Z][A-Z0-9_]*\)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Keys that vendors print in their documentation.
_PUBLISHED = frozenset(
    {
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAI44QH8DHBEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
        "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
    }
)
# A shorter body is a placeholder for one telling word; a longer one only if it is nothing but words, for a random
# key may well hold a word between its dashes.
_LONG_BODY = 32
_FEW_CHARACTERS = 4
# What a value that is still base64 turns out to begin with, beside the providers' own prefixes.
COMMON_PREFIXES = (
    *("postgres://", "postgresql://", "mysql://", "sqlite://", "redis://", "rediss://", "amqp://", "amqps://"),
    *("mongodb://", "mongodb+srv://", "http://", "https://", "smtp://", "-----BEGIN "),
)
_SECRET_NAME = re.compile(
    r"(^|_)((API|SECRET|PRIVATE|ACCESS)?KEY|KEY_BASE|SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|SALT|CREDENTIALS?)$",
    re.IGNORECASE,
)
# Django's SafeExceptionReporterFilter.hidden_settings, and a few more.
_MAY_BE_SECRET = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE|SALT|CREDENTIAL|PWD", re.IGNORECASE)
_NOT_SECRET = re.compile(
    r"^(OLD)?PWD$|_(PREFIX|MODEL|BACKENDS?|VERSION|HEADER|NAME|AGE|DOMAIN|ALGORITHM|VALIDATORS|HASHERS|TIMEOUT"
    r"|CLASS(ES)?|ENABLED|MODE|HOST|PORT|REGION)$|^AUTHOR|KEYBOARD|MONKEY",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def names_a_secret(variable: str) -> bool:
    """Whether a variable's name says that its value is a secret, so that words like "test" cannot be meant."""
    return _SECRET_NAME.search(variable) is not None


def may_name_a_secret(name: str) -> bool:
    """Return True if a setting or a variable of this name may hold a secret, as Django's debug page judges names.

    That its name only says where or how a secret is used, as in KEY_PREFIX or PASSWORD_HASHERS, makes it none.
    """
    return _MAY_BE_SECRET.search(name) is not None and _NOT_SECRET.search(name) is None


def is_plain_name(text: object, *, prefixes: Iterable[str] = ()) -> bool:
    """Whether ``text`` can be the name that it should be, and not a value that was put in its place."""
    return isinstance(text, str) and _PLAIN_NAME.fullmatch(text) is not None and not text.startswith(tuple(prefixes))


def corruption(
    value: str, *, names: Iterable[str] = (), prefixes: Iterable[str] = (), is_token: bool = False
) -> Flaw | None:
    """What happened to ``value`` on its way into the environment, or None.

    Args:
        value: the value; the empty one is not corrupted but empty.
        names: the variables it may come from, whose ``NAME=`` may have been copied along.
        prefixes: what the decoded value would begin with if it is still base64.
        is_token: whether it must be one run of printable ASCII, as a header value must.
    """
    return (
        _invisible(value, is_token=is_token)
        or _surrounded(value)
        or _copied_along(value, names)
        or _inner_control(value, is_token=is_token)
        or _unresolved(value)
        or _still_base64(value, tuple(prefixes))
    )


def _corrupted(what: str, remedy: str) -> Flaw:
    return Flaw(Kind.CORRUPTED, what, remedy)


def _invisible(value: str, *, is_token: bool) -> Flaw | None:
    for character in value:
        if character in _INVISIBLE:
            return _corrupted(
                f"holds {_INVISIBLE[character]}", "Type the value again, or copy it from its source as plain text."
            )
    if is_token and not value.isascii():
        return _corrupted("holds a character outside ASCII", "Copy the value again from its source, as plain text.")
    return None


def _surrounded(value: str) -> Flaw | None:
    # A certificate, or whatever else has several lines, may well end in a line break.
    if value != value.strip() and "\n" not in value.strip():
        if value.endswith(("\n", "\r")):
            return _corrupted(
                "ends in a line break",
                "The Secret was made with echo or from a file with a last line: use printf '%s', or "
                "--from-literal, before encoding it.",
            )
        return _corrupted("begins or ends with white space", "Remove the white space around the value.")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'`":
        return _corrupted(
            "is wrapped in quotes",
            "Remove the quotes: docker --env-file and kustomize keep those of an env file as part of the value.",
        )
    return None


def _inner_control(value: str, *, is_token: bool) -> Flaw | None:
    if _CONTROL.search(value):
        return _corrupted("holds a control character", "Copy the value again from its source, as plain text.")
    if is_token and _SPACE.search(value):
        return _corrupted("holds white space", "Copy the value again from its source, in one line.")
    return None


def _copied_along(value: str, names: Iterable[str]) -> Flaw | None:
    if value.lower().startswith("bearer "):
        return _corrupted("begins with 'Bearer '", "Store the key alone, without the header it is sent in.")
    for name in names:
        if value.startswith((f"{name}=", f"export {name}=")):
            return _corrupted(f"begins with '{name}='", "Store the value alone, without the variable's name.")
    return None


def _unresolved(value: str) -> Flaw | None:
    if _UNRESOLVED.search(value):
        return _corrupted(
            "holds a reference that was not resolved, like $(NAME)",
            "Kubernetes leaves $(NAME) as it is where NAME is not set before it: declare NAME earlier in env, or in "
            "envFrom.",
        )
    return None


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
        "is still base64", "Decode it once: a Secret's data is base64, its stringData is not, and one was used twice."
    )


def placeholder(value: str, *, prefixes: Iterable[str] = ()) -> Flaw | None:
    """Why ``value`` cannot be a real secret, or None.

    Args:
        value: the value.
        prefixes: what real ones begin with; the longest that fits is left out of the judgement.
    """
    value = value.strip()
    if value in _PUBLISHED:
        return _stands_in("is an example that its vendor published")
    body = _without_prefix(value, prefixes)
    if body.lower() in _NULL_WORDS | _BOOLEAN_WORDS:
        return _stands_in("is a word for nothing, not a secret")
    if _TEMPLATE.fullmatch(body):
        return _stands_in("is a template that nobody filled in")
    is_long = len(body) >= _LONG_BODY
    is_filler = not body or _MASK.fullmatch(body) or _FILLER.search(body) or len(set(body)) <= _FEW_CHARACTERS
    is_masked = _MASKED_KEY.fullmatch(body) if is_long else _MASKED.search(body)
    if is_filler or is_masked:
        return _stands_in("is filler, not a secret")
    tokens = [token for token in _SEPARATOR.split(_CHANGE_ME.sub("changeme", body)) if token]
    tells = any(token.lower() in _PLACEHOLDER_WORDS for token in tokens)
    if tells and (not is_long or all(_WORD.fullmatch(token) for token in tokens)):
        return _stands_in("is a mock or a placeholder")
    return None


def suggests_a_placeholder(value: str, *, prefixes: Iterable[str] = ()) -> bool:
    """Whether a part of ``value`` is, or begins with, a word that mocks are called by.

    In a real key that is hardly ever so, but it may: it counts against what has no known form, and nobody vouches for.
    """
    tokens = _SEPARATOR.split(_without_prefix(value, prefixes).lower())
    return any(token in _PLACEHOLDER_WORDS or token.startswith(_MOCKS) for token in tokens)


def blank(value: str) -> Flaw | None:
    """Why ``value`` cannot be meant, whatever it is for: a template or a null word. None for anything else."""
    value = value.strip()
    if value.lower() in _NULL_WORDS:
        return _stands_in("is a word for nothing")
    if _TEMPLATE.fullmatch(value):
        return _stands_in("is a template that nobody filled in")
    return None


def _stands_in(what: str) -> Flaw:
    return Flaw(Kind.PLACEHOLDER, what, "Put the real value in its place.")


def _without_prefix(value: str, prefixes: Iterable[str]) -> str:
    fitting = [prefix for prefix in prefixes if value.startswith(prefix)]
    return value[len(max(fitting, key=len)) :] if fitting else value


def fingerprint(value: str, key: str) -> str:
    """Eight hexadecimal characters that tell whether two pods hold the same ``value``, and nothing else of it.

    A keyed hash: without ``key`` nobody can try candidates against it.
    """
    return keyed_hash(value, key, purpose="fingerprint")[:8]


def keyed_hash(value: str, key: str, *, purpose: str) -> str:
    """64 hexadecimal characters for ``value``, which nobody can come back from; others for each purpose."""
    return hmac.new(b"healthguard." + _bytes(purpose) + _bytes(key), _bytes(value), hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
