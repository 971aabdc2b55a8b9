"""The meaning of database drivers' errors.

An error is read by its SQLSTATE or number first, and by its text only where the driver gives neither. What the other
end, or the driver, puts into words was reached: somebody has to change something. Only what finds nobody at the other
end, and what is known to pass by itself, is an outage.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
import re
import socket
from collections.abc import Iterator

from healthguard import database_meanings as meanings
from healthguard.database_meanings import MEANINGS, Meaning

_MAX_TEXT = 2000
"""The part of a driver's text that is read (characters)."""
_FIRST_NUMBER = 1000
"""The lowest error number of MySQL and MariaDB. A smaller one is the operating system's."""
_NO_ANSWER_NUMBERS = frozenset({2002, 2003, 2055})
"""Numbers of MySQL clients for every connection that cannot be opened; the text says why."""
_NO_ANSWER = (
    errno.ECONNREFUSED,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EHOSTDOWN,
    errno.ENETDOWN,
    errno.EADDRNOTAVAIL,
    errno.ENOENT,
)
_DISCONNECTED = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)


@dataclasses.dataclass(frozen=True, slots=True)
class DriverError:
    """The parts of a driver's error.

    Args:
        kind: the name of its class.
        sqlstate: the SQLSTATE, as PostgreSQL's drivers give it.
        number: the number, as the drivers of MySQL and MariaDB give it.
        sqlite_code: SQLite's primary result code.
        text: its text, which may contain anything and is never shown.
        is_connection: True if its class is one for connections.
        origin: the exception that is not the driver's, if one is behind it.
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
        """Read ``error``, a ``django.db.Error`` or a driver's own."""
        from django.db import Error, InterfaceError, OperationalError

        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        code = getattr(cause, "sqlite_errorcode", None)
        origin = cause.__cause__ if isinstance(cause.__cause__, Exception) else None
        is_wrapped = origin is not None and cause.args[:1] == (NOT_THE_DRIVERS,)
        return cls(
            type(origin if is_wrapped else cause).__name__,
            sqlstate_of(error),
            _number_of(cause),
            code & 0xFF if isinstance(code, int) else None,
            str(cause)[:_MAX_TEXT],
            isinstance(error, OperationalError | InterfaceError) or not isinstance(error, Error),
            origin if is_wrapped else None,
        )


NOT_THE_DRIVERS = "healthguard: raised while connecting"
"""The text of a driver's error that stands for an exception of another kind, which is its cause."""


def sqlstate_of(error: BaseException) -> str | None:
    """Return the SQLSTATE that the driver gives for ``error``, a ``django.db.Error``; None where it gives none."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return None if state is None else str(state)


def _number_of(cause: BaseException) -> int | None:
    number = cause.args[0] if cause.args else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def meaning_of(error: DriverError) -> Meaning:
    """Return the meaning of ``error``: by its number or SQLSTATE, then by its text, then by its kind."""
    if error.origin is not None:
        return _meaning_of_origin(error.origin)
    if error.sqlite_code is not None:
        found = next((meaning for meaning in MEANINGS if error.sqlite_code in meaning.sqlite), None)
        return found or meanings.FAILED
    if error.number is not None and error.number >= _FIRST_NUMBER:
        return _by_number(error.number, error.text)
    if error.sqlstate is not None:
        return _by_sqlstate(error.sqlstate, error.text)
    found = _by_text(error.text)
    if found is not None:
        return found
    return meanings.REFUSED if error.is_connection else meanings.FAILED


def _by_number(number: int, text: str) -> Meaning:
    if number not in _NO_ANSWER_NUMBERS:
        found = next((meaning for meaning in MEANINGS if number in meaning.numbers), None)
        if found is not None:
            worded = _by_text(text) if found is meanings.TLS else None
            return worded if worded is not None and worded.code == found.code else found
        # From 2000 on they are the client's own: those of the connection.
        return _by_text(text) or (meanings.REFUSED if 2000 <= number < 3000 else meanings.FAILED)
    return _by_text(text) or meanings.UNREACHABLE


def _by_sqlstate(state: str, text: str) -> Meaning:
    # A pooler has one SQLSTATE, that of a protocol violation, for nearly all that it says.
    exact = [meaning for meaning in MEANINGS if state in meaning.sqlstates]
    if exact:
        return exact[0]
    if (worded := _by_text(text)) is not None and state[:2] in ("08", "55", "XX"):
        return worded
    classes = [meaning for meaning in MEANINGS if state[:2] in meaning.sqlstates]
    return classes[0] if classes else meanings.FAILED


def _by_text(text: str) -> Meaning | None:
    for meaning in MEANINGS:
        if meaning.text and re.search(meaning.text, text, re.IGNORECASE):
            return meaning
    for code, pattern in _translated():
        if pattern.search(text):
            return next(meaning for meaning in MEANINGS if code in (meaning.code, meaning.key))
    if _severity().search(text):
        return meanings.REFUSED
    for known, meaning in ((_DISCONNECTED, meanings.DISCONNECTED), (_NO_ANSWER, meanings.UNREACHABLE)):
        # In the language of this process.
        if any(os.strerror(number) in text for number in known):
            return meaning
    return None


@functools.cache
def _severity() -> re.Pattern[str]:
    from healthguard.database_translations import SEVERITIES

    return re.compile(rf"\b(FATAL|{'|'.join(SEVERITIES)})\s?:")


@functools.cache
def _translated() -> tuple[tuple[str, re.Pattern[str]], ...]:
    from healthguard.database_translations import TRANSLATIONS

    def pattern(texts: tuple[str, ...]) -> re.Pattern[str]:
        return re.compile("|".join(re.escape(text).replace("%s", ".{0,200}?") for text in texts))

    return tuple((code, pattern(texts)) for code, texts in TRANSLATIONS.items())


def _meaning_of_origin(origin: BaseException) -> Meaning:
    """Return the meaning of an exception that a driver lets through while it connects."""
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
        return meanings.DISCONNECTED if origin.errno in _DISCONNECTED else meanings.UNREACHABLE
    return meanings.OPTIONS


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
