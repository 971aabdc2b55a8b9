"""What is wrong with a secret's value: empty, corrupted on its way, or a placeholder. Pure; never tells the value.

The rules for placeholders are in ``placeholders``, those for references to a secret in ``references``.
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

from healthguard import placeholders
from healthguard.placeholders import Nature, Reason
from healthguard.references import Reference, reference, reference_inside, takes_path


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
        is_minor: whether what the value is for works all the same.
    """

    kind: Kind
    what: str
    remedy: str
    is_minor: bool = False


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
# In capitals, as variables are named: Django's own secret keys hold "$(" now and then.
_UNRESOLVED = re.compile(r"\$\([A-Z][A-Z0-9_]+\)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ANY_INVISIBLE = re.compile(f"[{''.join(_INVISIBLE)}]")
# What a value that is still base64 turns out to begin with, beside the providers' own prefixes.
COMMON_PREFIXES = (
    *("postgres://", "postgresql://", "mysql://", "sqlite://", "redis://", "rediss://", "amqp://", "amqps://"),
    *("mongodb://", "mongodb+srv://", "http://", "https://", "smtp://", "-----BEGIN "),
)
_SECRET_NAME = re.compile(
    r"(^|_)((API|SECRET|PRIVATE|ACCESS|AUTH|ENCRYPTION|SIGNING|LICENSE)?KEY|KEY_BASE|(AUTH|ACCESS|API|BOT)?TOKEN"
    r"|(CLIENT|APP|API)?SECRET|SALT|CREDENTIALS?)$|PASSWORD$|PASSWD$|PASSPHRASE$|_(PASS|PWD|PW)$",
    re.IGNORECASE,
)
_PASSWORD_NAME = re.compile(r"(PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD|_PW)$", re.IGNORECASE)
# Names, not secrets: salts, and the keys of caches, queues, tables and buckets.
_LABEL_NAME = re.compile(
    r"SALT$|(^|_)(CACHE|ROUTING|PARTITION|SORT|PRIMARY|FOREIGN|OBJECT|S3|BUCKET|QUEUE|IDEMPOTENCY|LOOKUP|MAP|SESSION|CONFIG"
    r"|FEATURE|FLAG|INDEX|GROUP|LOCK|SHARD|TRANSLATION|REDIS|STORAGE|COOKIE|HEADER|STATE|LOCALE|MESSAGE|HOT|KV|ETCD|CONSUL)"
    r"_KEY$",
    re.IGNORECASE,
)
# Tokens of a vocabulary of a language model.
_NOT_SECRET_TOKEN = re.compile(r"(^|_)(PAD|EOS|BOS|UNK|MASK|SEP|CLS|STOP|SPECIAL|START|END)_TOKEN$", re.IGNORECASE)
_URL_NAME = re.compile(r"(URL|URI|DSN|CONNECTION_?STRING)$", re.IGNORECASE)
# Django's SafeExceptionReporterFilter.hidden_settings, and a few more.
_MAY_BE_SECRET = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE|SALT|CREDENTIAL|PWD", re.IGNORECASE)
_NOT_SECRET = re.compile(
    r"^(OLD)?PWD$|_(PREFIX|MODEL|BACKENDS?|VERSION|HEADER|NAME|AGE|DOMAIN|ALGORITHM|VALIDATORS|HASHERS|TIMEOUT"
    r"|CLASS(ES)?|ENABLED|MODE|HOST|PORT|REGION)$|^AUTHOR|KEYBOARD|MONKEY",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s")
_MAX_CHARACTERS = 4_096
"""The longest value that is judged as a whole (characters); of a longer one its beginning is."""
_MAX_ADDRESS = 2_048
_SCHEME = re.compile(r"[a-z][a-z0-9+.:-]{0,40}", re.IGNORECASE)
_WEB_SCHEMES = frozenset({"http", "https", "ws", "wss"})
_SKETCHED_HOSTS = frozenset({"host", "hostname", "server", "servername", "your-host", "ip", "address"})
_SHORT_PASSWORD = 3
_PAIR = re.compile(
    r"(?:^|[;?&\s])(password|passwd|pwd|pass|account_?key|shared_?access_?key|secret|token|api_?key|user|username|uid|host"
    r"|server|dbname|database)\s?=\s?'?([^;&\s']{1,200})",
    re.IGNORECASE,
)
_ASKS = re.compile(r"(?:change|replace|fill|fix|set)[-_. ]?me(?:[-_. ]please)?!*|\W*redacted\W*|todo", re.IGNORECASE)
# A word alone may be the name of a view, as in LOGIN_URL.
_ASKS_FOR_ADDRESS = re.compile(r"[^\w\s]|_|x{4}|your", re.IGNORECASE)
_PLAIN_PAIRS = frozenset({"user", "username", "uid", "host", "server", "dbname", "database"})
_REAL_ONE = "Put the real value in its place."
_RANDOM_ONE = "Set a random password, here and where it is verified."
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def nature_of(variable: str, value: str = "") -> Nature | None:
    """Return what a secret in a variable of this name is made of; None if the name is not that of a secret."""
    if not names_a_secret(variable) or takes_path(variable, value):
        return None
    if _PASSWORD_NAME.search(variable):
        return Nature.CHOSEN
    return Nature.LABEL if _LABEL_NAME.search(variable) else Nature.RANDOM


def names_a_secret(variable: str) -> bool:
    """Whether a variable's name says that its value is a secret, so that words like "test" cannot be meant."""
    return _SECRET_NAME.search(variable) is not None and _NOT_SECRET_TOKEN.search(variable) is None


def names_a_connection(variable: str) -> bool:
    """Return True if a variable's name says that its value is an address, which may contain a secret."""
    return _URL_NAME.search(variable) is not None


def may_name_a_secret(name: str) -> bool:
    """Return True if a setting or a variable of this name may hold a secret, as Django's debug page judges names.

    That its name only says where or how a secret is used, as in KEY_PREFIX or PASSWORD_HASHERS, makes it none.
    """
    return _MAY_BE_SECRET.search(name) is not None and _NOT_SECRET.search(name) is None


def is_plain_name(text: object, *, prefixes: Iterable[str] = ()) -> bool:
    """Whether ``text`` can be the name that it should be, and not a value that was put in its place."""
    return isinstance(text, str) and _PLAIN_NAME.fullmatch(text) is not None and not text.startswith(tuple(prefixes))


def corruption(
    value: str,
    *,
    names: Sequence[str] = (),
    prefixes: Iterable[str] = (),
    is_token: bool = False,
    is_secret: bool = True,
    is_address: bool = False,
) -> Flaw | None:
    """What happened to ``value`` on its way into the environment, or None.

    Args:
        value: the value; the empty one is not corrupted but empty.
        names: the variables it may come from, whose ``NAME=`` may have been copied along.
        prefixes: what the decoded value would begin with if it is still base64.
        is_token: whether it must be one run of printable ASCII, as a header value must.
        is_secret: whether it must be a secret. Any other value may be a path, or name a vault.
        is_address: whether it is an address, which may contain a secret.
    """
    return (
        _invisible(value, is_token=is_token)
        or _surrounded(value)
        or _copied_along(value, names)
        or _unresolved(value, names, is_secret=is_secret, is_address=is_address)
        or _inner_control(value, is_token=is_token)
        or _still_base64(value, tuple(prefixes))
    )


def _corrupted(what: str, remedy: str) -> Flaw:
    return Flaw(Kind.CORRUPTED, what, remedy)


def _invisible(value: str, *, is_token: bool) -> Flaw | None:
    if found := _ANY_INVISIBLE.search(value):
        return _corrupted(
            f"holds {_INVISIBLE[found[0]]}", "Type the value again, or copy it from its source as plain text."
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
    if holds_control(value):
        return _corrupted("holds a control character", "Copy the value again from its source, as plain text.")
    if is_token and _SPACE.search(value):
        return _corrupted("holds white space", "Copy the value again from its source, in one line.")
    return None


def holds_control(value: str) -> bool:
    """Return True if ``value`` has a control character other than a tab or a line break."""
    return _CONTROL.search(value) is not None


def _copied_along(value: str, names: Iterable[str]) -> Flaw | None:
    if value.lower().startswith("bearer "):
        return _corrupted("begins with 'Bearer '", "Store the key alone, without the header it is sent in.")
    for name in names:
        if value.startswith((f"{name}=", f"export {name}=")):
            return _corrupted(f"begins with '{name}='", "Store the value alone, without the variable's name.")
    return None


def _unresolved(value: str, names: Sequence[str], *, is_secret: bool, is_address: bool) -> Flaw | None:
    if _UNRESOLVED.search(value):
        return _corrupted(
            "holds a reference that was not resolved, like $(NAME)",
            "Kubernetes leaves $(NAME) as it is where NAME is not set before it: declare NAME earlier in env, or in "
            "envFrom.",
        )
    name = names[0] if names else ""
    found = reference(value, name=name, is_secret=is_secret, is_address=is_address)
    if found is None and (is_secret or is_address) and not placeholders.is_template(value.strip()):
        found = reference_inside(value)
    return _of_reference(found, name) if found is not None else None


def _of_reference(found: Reference, name: str) -> Flaw:
    return _corrupted(found.what, found.remedy.replace("{name}", name if is_plain_name(name) else "NAME"))


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


def placeholder(value: str, *, prefixes: Iterable[str] = (), nature: Nature = Nature.ISSUED) -> Flaw | None:
    """Why ``value`` cannot be a real secret, or None.

    Args:
        value: the value.
        prefixes: what real ones begin with; the longest that fits is left out of the judgement.
        nature: what real ones are made of.
    """
    value = value.strip()[:_MAX_CHARACTERS]
    found = placeholders.reason(value, nature) if placeholders.is_published(value) else None
    found = found or placeholders.reason(_without_prefix(value, prefixes), nature)
    if found is None:
        return None
    remedy = _RANDOM_ONE if found.is_minor else _REAL_ONE
    return Flaw(Kind.PLACEHOLDER, found.what, remedy, is_minor=found.is_minor)


def mock(value: str, *, nature: Nature) -> Flaw | None:
    """Return the flaw of a key with a part like ``mock`` or ``dummy``, which is hardly ever chance; else None."""
    is_mock = nature is Nature.RANDOM and placeholders.has_mock(value.strip()[:_MAX_CHARACTERS])
    return _stands_in("has a part that mocks are called by") if is_mock else None


def suggests_a_placeholder(value: str, *, prefixes: Iterable[str] = ()) -> bool:
    """Whether a part of ``value`` is, or begins with, a word that mocks are called by.

    In a real key that is hardly ever so, but it may: it counts against what has no known form, and nobody vouches for.
    """
    return placeholders.suggests_a_placeholder(_without_prefix(value, prefixes))


def blank(value: str) -> Flaw | None:
    """Why ``value`` cannot be meant, whatever it is for: a template or a null word. None for anything else."""
    value = value.strip()
    if placeholders.is_word_for_nothing(value):
        return _stands_in("is a word for nothing")
    if placeholders.is_template(value):
        return _stands_in("is a template that was not filled in")
    return _stands_in("asks for a value") if _ASKS.fullmatch(value) else None


def _stands_in(what: str) -> Flaw:
    return Flaw(Kind.PLACEHOLDER, what, _REAL_ONE)


def address_flaw(value: str) -> Flaw | None:
    """Return why an address with credentials is invalid: a part of it is a placeholder. None if it is not.

    ``scheme://user:password@host/name``, and pairs like ``password=…`` in whatever a driver takes.
    """
    value = value.strip()[:_MAX_ADDRESS]
    found = _url_reason(value)
    if found is None and "/" not in value and _ASKS_FOR_ADDRESS.match(value):
        found = placeholders.demand(value)
    if found is None:
        pairs = ((name.lower(), part) for name, part in _PAIR.findall(value))
        found = next(filter(None, (_pair_reason(name, part) for name, part in pairs)), None)
    if found is None:
        return None
    if found.is_minor:
        return Flaw(Kind.PLACEHOLDER, "has a well-known default password", _RANDOM_ONE, is_minor=True)
    return _stands_in("has a part that stands in for the real one, like <password>")


def _pair_reason(name: str, part: str) -> Reason | None:
    found = placeholders.reason(part, Nature.CHOSEN) if name not in _PLAIN_PAIRS else None
    return found or placeholders.demand(part)


def _url_reason(value: str) -> Reason | None:
    scheme, separator, rest = value.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return None
    is_web = scheme.lower() in _WEB_SCHEMES
    userinfo, _, tail = rest.rpartition("@")
    if "/" in userinfo.partition(":")[0] or (is_web and "/" in userinfo):
        userinfo, tail = "", rest
    if is_web and not userinfo:
        return next(filter(None, map(placeholders.mask, tail.split("/")[1:])), None)
    user, has_password, password = userinfo.partition(":")
    host, _, path = tail.partition("/")
    name, _, port = host.partition(":") if not host.startswith("[") else (host, "", "")
    parts = [user, name, name.partition(".")[0], port, *path.partition("?")[0].split("/")]
    if found := next(filter(None, map(placeholders.demand, parts)), None):
        return found
    if is_web and not has_password:
        return placeholders.reason(user, Nature.LABEL)
    is_sketch = port.isalpha() or name.lower() in _SKETCHED_HOSTS
    return _password_reason(unquote(password), is_sketch=is_sketch) if password else None


def _password_reason(password: str, *, is_sketch: bool) -> Reason | None:
    found = placeholders.reason(password, Nature.CHOSEN)
    if found is None and reference(password) is not None:
        return Reason("refers to its password")
    if found is None or not found.is_minor:
        return found
    if len(password) <= _SHORT_PASSWORD:
        return None
    # USER:PASSWORD@HOST:PORT shows the form of an address.
    return dataclasses.replace(found, is_minor=not is_sketch)


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
