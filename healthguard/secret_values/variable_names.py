"""The names of variables and settings: those that imply a secret, an address or a switch. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from healthguard.secret_values.placeholders import Nature
from healthguard.secret_values.references import takes_path

_SECRET_NAME = re.compile(
    r"(^|_)((API|SECRET|PRIVATE|ACCESS|AUTH|ENCRYPTION|SIGNING|LICENSE)?KEY|KEY_BASE|(AUTH|ACCESS|API|BOT)?TOKEN"
    r"|(CLIENT|APP|API)?SECRET|SALT|CREDENTIALS?)$|PASSWORD$|PASSWD$|PASSPHRASE$|_(PASS|PWD|PW)$",
    re.IGNORECASE,
)
_PASSWORD_NAME = re.compile(r"(PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD|_PW)$", re.IGNORECASE)
# Variables with a name as their value, not a secret: salts, and the keys of caches, queues, tables and buckets.
_LABEL_NAME = re.compile(
    r"SALT$|(^|_)(CACHE|ROUTING|PARTITION|SORT|PRIMARY|FOREIGN|OBJECT|S3|BUCKET|QUEUE|IDEMPOTENCY|LOOKUP|MAP|SESSION|CONFIG"
    r"|FEATURE|FLAG|INDEX|GROUP|LOCK|SHARD|TRANSLATION|REDIS|STORAGE|COOKIE|HEADER|STATE|LOCALE|MESSAGE|HOT|KV|ETCD|CONSUL"
    r"|LABEL|ANNOTATION|TAINT|TOPOLOGY|CLAIM|FIELD|ATTRIBUTE|METADATA|CONTEXT)_KEY$",
    re.IGNORECASE,
)
# Tokens in the vocabulary of a language model.
_NOT_SECRET_TOKEN = re.compile(r"(^|_)(PAD|EOS|BOS|UNK|MASK|SEP|CLS|STOP|SPECIAL|START|END)_TOKEN$", re.IGNORECASE)
_HEADER_NAME = re.compile(r"(^|_)(AUTHORIZATION|HEADERS?)$", re.IGNORECASE)
_FORMAT_NAME = re.compile(r"(^|_)(FORMAT|FMT|TEMPLATE|PATTERN|STYLE)S?$", re.IGNORECASE)
_FIELD = re.compile(r"\{[a-z0-9_.]{1,40}\}")
_PART_NAME = re.compile(r"(PREFIX|SUFFIX|SEPARATOR|DELIMITER)$", re.IGNORECASE)
_HOST_NAME = re.compile(r"(HOST(NAME)?|SERVER|ENDPOINT)S?$", re.IGNORECASE)
_SWITCH_NAME = re.compile(
    r"(^|_)(ALLOW|ENABLED?|DISABLED?|REQUIRED?|USE|SKIP|GENERATE|RANDOM|ROTATE|RESET|FORCE|VERIFY|VALIDATE)_",
    re.IGNORECASE,
)
_SWITCH_VALUES = frozenset({"0", "1", "true", "false", "yes", "no", "on", "off"})
_URL_NAME = re.compile(r"(URL|URI|DSN|CONNECTION_?STRING)$", re.IGNORECASE)
# Django's SafeExceptionReporterFilter.hidden_settings with a few additions. NOTIFY has the channels of the monitor.
_MAY_BE_SECRET = re.compile(
    "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE|SALT|CREDENTIAL|PWD|WEBHOOK(?!S?_?PATH)"
    "|(?-i:^NOTIFY(_NONCRITICAL)?$)",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(
    r"^(OLD)?PWD$|_(PREFIX|MODEL|BACKENDS?|VERSION|HEADER|NAME|AGE|DOMAIN|ALGORITHM|VALIDATORS|HASHERS|TIMEOUT"
    r"|CLASS(ES)?|ENABLED|MODE|HOST|PORT|REGION)$|^AUTHOR|KEYBOARD|MONKEY",
    re.IGNORECASE,
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def nature_of(variable: str, value: str = "") -> Nature | None:
    """Return the nature of the secret in a variable of this name, or None if the name is not that of a secret."""
    if not names_a_secret(variable) or takes_path(variable, value) or _is_switch(variable, value):
        return None
    if _PASSWORD_NAME.search(variable):
        return Nature.CHOSEN
    return Nature.LABEL if _LABEL_NAME.search(variable) else Nature.RANDOM


def _is_switch(variable: str, value: str) -> bool:
    """Return True for a switch that concerns a secret, like ``MYSQL_ALLOW_EMPTY_PASSWORD=1``."""
    return _SWITCH_NAME.search(variable) is not None and value.strip().lower() in _SWITCH_VALUES


def names_a_secret(variable: str) -> bool:
    """Return True if a variable's name implies a secret, so that words like "test" are invalid as its value."""
    return _SECRET_NAME.search(variable) is not None and _NOT_SECRET_TOKEN.search(variable) is None


def names_a_header(variable: str) -> bool:
    """Return True if a variable's name implies the value of an Authorization header, with its scheme."""
    return _HEADER_NAME.search(variable) is not None


def is_format(variable: str, value: str) -> bool:
    """Return True for a format of which the whole is one field, like ``LOG_FORMAT={message}``."""
    return _FORMAT_NAME.search(variable) is not None and _FIELD.fullmatch(value.strip()) is not None


def names_a_part_of_a_text(variable: str) -> bool:
    """Return True if a variable's name implies a text that is put beside another one, with the blank between them."""
    return _PART_NAME.search(variable) is not None


def names_a_host(variable: str) -> bool:
    """Return True if a variable's name implies the name of a host, or several."""
    return _HOST_NAME.search(variable) is not None


def names_a_connection(variable: str) -> bool:
    """Return True if a variable's name implies an address, which may contain a secret."""
    return _URL_NAME.search(variable) is not None


def may_name_a_secret(name: str) -> bool:
    """Return True if a setting or a variable of this name may contain a secret, as Django's debug page decides it.

    A name that only describes where or how a secret is used, such as KEY_PREFIX or PASSWORD_HASHERS, is excluded.
    """
    return _MAY_BE_SECRET.search(name) is not None and _NOT_SECRET.search(name) is None


def is_plain_name(text: object, *, prefixes: Iterable[str] = ()) -> bool:
    """Return True if ``text`` can be a name, and not a value that was declared instead of a name."""
    return isinstance(text, str) and _PLAIN_NAME.fullmatch(text) is not None and not text.startswith(tuple(prefixes))
