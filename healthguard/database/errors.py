"""The classification of database drivers' errors.

An error is classified by its SQLSTATE or number first, and by its text only if the driver provides neither. If the
server, a pooler or the driver describes the error, it is a configuration fault, because somebody has to change
something. Only a server that cannot be reached, and errors that are known to pass by themselves, are outages.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
import re
import socket
from collections.abc import Iterator

from healthguard.database import error_meanings as meanings
from healthguard.database.error_meanings import MEANINGS, Meaning

_MAX_TEXT = 2000
"""The maximum length of a driver's text that is examined (characters). The rest is ignored."""
_MIN_MYSQL_NUMBER = 1000
"""The lowest error number of MySQL and MariaDB. Lower numbers are those of the operating system."""
_CONNECT_FAILED_NUMBERS = frozenset({2002, 2003, 2055})
"""The numbers of MySQL clients for every connection that cannot be opened. Only the text contains the reason."""
_UNREACHABLE_ERRNOS = (
    errno.ECONNREFUSED,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EHOSTDOWN,
    errno.ENETDOWN,
    errno.EADDRNOTAVAIL,
    errno.ENOENT,
)
_DISCONNECTED_ERRNOS = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)


@dataclasses.dataclass(frozen=True, slots=True)
class DriverError:
    """The parts of a driver's error.

    Args:
        kind: the name of the exception's class.
        sqlstate: the SQLSTATE, provided by PostgreSQL's drivers.
        number: the error number, provided by the drivers of MySQL and MariaDB.
        sqlite_code: SQLite's primary result code.
        text: the text, which may contain anything and is never shown.
        is_connection: True if the class is one for connection errors.
        origin: the original exception, if the driver's error only wraps an exception of another kind.
    """

    kind: str
    sqlstate: str | None
    number: int | None
    sqlite_code: int | None
    text: str
    is_connection: bool
    origin: BaseException | None

    @classmethod
    def of(cls, error: BaseException) -> DriverError:
        """Return the parts of ``error``, a ``django.db.Error`` or an exception of a driver."""
        from django.db import Error, InterfaceError, OperationalError

        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        code = getattr(cause, "sqlite_errorcode", None)
        origin = cause.__cause__ if isinstance(cause.__cause__, Exception) else None
        is_wrapped = origin is not None and cause.args[:1] == (WRAPPED_ERROR_TEXT,)
        return cls(
            type(origin if is_wrapped else cause).__name__,
            sqlstate_of(error),
            _number_of(cause),
            code & 0xFF if isinstance(code, int) else None,
            str(cause)[:_MAX_TEXT],
            isinstance(error, OperationalError | InterfaceError) or not isinstance(error, Error),
            origin if is_wrapped else None,
        )


WRAPPED_ERROR_TEXT = "healthguard: raised while connecting"
"""The text of a driver's error that wraps an exception of another kind. That exception is its ``__cause__``."""


def sqlstate_of(error: BaseException) -> str | None:
    """Return the SQLSTATE of ``error``, a ``django.db.Error``; None if the driver does not provide one."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return None if state is None else str(state)


def _number_of(cause: BaseException) -> int | None:
    number = cause.args[0] if cause.args else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def meaning_of(error: DriverError) -> Meaning:
    """Return the meaning of ``error`` by its number or SQLSTATE, then by its text, then by its class."""
    if error.origin is not None:
        return _meaning_of_origin(error.origin)
    if error.sqlite_code is not None:
        by_code = next((meaning for meaning in MEANINGS if error.sqlite_code in meaning.sqlite), None)
        return by_code or meanings.FAILED
    if error.number is not None and error.number >= _MIN_MYSQL_NUMBER:
        return _by_number(error.number, error.text)
    if error.sqlstate is not None:
        return _by_sqlstate(error.sqlstate, error.text)
    by_text = _by_text(error.text)
    if by_text is not None:
        return by_text
    return meanings.REFUSED if error.is_connection else meanings.FAILED


def _by_number(number: int, text: str) -> Meaning:
    if number not in _CONNECT_FAILED_NUMBERS:
        by_number = next((meaning for meaning in MEANINGS if number in meaning.numbers), None)
        if by_number is not None:
            by_text = _by_text(text) if by_number is meanings.TLS else None
            return by_text if by_text is not None and by_text.code == by_number.code else by_number
        # The numbers 2000 to 2999 are errors of the client, which concern the connection.
        return _by_text(text) or (meanings.REFUSED if 2000 <= number < 3000 else meanings.FAILED)
    return _by_text(text) or meanings.UNREACHABLE


def _by_sqlstate(state: str, text: str) -> Meaning:
    # A pooler uses the SQLSTATE of a protocol violation for nearly all of its errors, so the text is more specific.
    exact = [meaning for meaning in MEANINGS if state in meaning.sqlstates]
    if exact:
        return exact[0]
    if (by_text := _by_text(text)) is not None and state[:2] in ("08", "55", "XX"):
        return by_text
    classes = [meaning for meaning in MEANINGS if state[:2] in meaning.sqlstates]
    return classes[0] if classes else meanings.FAILED


def _by_text(text: str) -> Meaning | None:
    for meaning in MEANINGS:
        if meaning.text and re.search(meaning.text, text, re.IGNORECASE):
            return meaning
    for code, pattern in _translation_patterns():
        if pattern.search(text):
            return next(meaning for meaning in MEANINGS if code in (meaning.code, meaning.key))
    if _severity_pattern().search(text):
        return meanings.REFUSED
    for errnos, meaning in (
        (_DISCONNECTED_ERRNOS, meanings.DISCONNECTED),
        (_UNREACHABLE_ERRNOS, meanings.UNREACHABLE),
    ):
        # os.strerror() returns the text in the language of this process, as does the client library.
        if any(os.strerror(number) in text for number in errnos):
            return meaning
    return None


@functools.cache
def _severity_pattern() -> re.Pattern[str]:
    from healthguard.database.error_translations import SEVERITIES

    return re.compile(rf"\b(FATAL|{'|'.join(SEVERITIES)})\s?:")


@functools.cache
def _translation_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    from healthguard.database.error_translations import TRANSLATIONS

    def pattern(texts: tuple[str, ...]) -> re.Pattern[str]:
        return re.compile("|".join(re.escape(text).replace("%s", ".{0,200}?") for text in texts))

    return tuple((code, pattern(texts)) for code, texts in TRANSLATIONS.items())


def _meaning_of_origin(origin: BaseException) -> Meaning:
    """Return the meaning of an exception of another kind that a driver passes on while connecting."""
    chain = list(_chain(origin))
    if any(isinstance(link, socket.gaierror) for link in chain):
        return meanings.UNKNOWN_HOST
    if any(isinstance(link, TimeoutError) for link in chain):
        return meanings.TIMEOUT
    if any(type(link).__module__ in ("ssl", "_ssl") or type(link).__name__.startswith("SSL") for link in chain):
        return meanings.TLS
    if isinstance(origin, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return meanings.TLS_FILE
    if isinstance(origin, OSError):
        return meanings.DISCONNECTED if origin.errno in _DISCONNECTED_ERRNOS else meanings.UNREACHABLE
    return meanings.OPTIONS


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
