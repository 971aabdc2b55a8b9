"""The name of the database in a URL, in a connection string of libpq, or in a variable that contains only the name.

A value whose form is not known proves nothing: settings may read it in any way.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, unquote_plus

from healthguard.secret_values.variable_names import names_a_connection

_URL = re.compile(r"(?:jdbc:)?(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>\S+)", re.IGNORECASE)
_ENGINES = {
    "sqlite": ("sqlite", "spatialite"),
    "mysql": ("mysql", "mariadb"),
    "postgresql": ("postgres", "postgis", "pgsql", "psql", "timescale", "cockroach", "redshift"),
}
"""The beginnings of the schemes that dj-database-url, django-environ and SQLAlchemy use, by the vendor in Django."""
_HOST = re.compile(r"(\[[0-9a-f:.%]+\]|[^\[\]:/?#@]*)(:\d{0,5})?", re.IGNORECASE)
_NAME_IN_QUERY = ("dbname", "database", "db")
_NAME_IN_PAIRS = re.compile(r"(?:^|\s)dbname\s*=\s*(?:'([^'\\]+)'|([^\s']+))(?=\s|$)")
_NOT_IN_NAME = re.compile(r"[\s=;,:@?#&$(){}<>%]")
_FILE = re.compile(r"/|\.(sqlite3?|db)$")
_IN_MEMORY = ":memory:"


@dataclasses.dataclass(frozen=True, slots=True)
class _Address:
    """The database that a value names.

    Args:
        vendor: the vendor of the engine; empty if it is not known.
        names: the possible names: libraries decode a plus sign in different ways.
    """

    vendor: str
    names: frozenset[str]


def is_other_database(value: str, expected: str, variable: str) -> bool:
    """Return True if a value names another database than the expected one. False if its form is not known.

    Args:
        value: the value, which is not empty.
        expected: the name of the expected database; for SQLite, the name or the path of the file.
        variable: the name of the variable. ``DATABASE_URL`` contains a URL, and ``DB_NAME`` may contain a name.
    """
    address = _address_in(value, variable)
    return address is not None and not any(_is_named(address.vendor, name, expected) for name in address.names)


def _address_in(value: str, variable: str) -> _Address | None:
    if "://" in value:
        match = _URL.fullmatch(value)
        vendor = None if match is None else _vendor(match["scheme"].lower())
        return None if match is None or vendor is None else _address_in_url(vendor, match["rest"])
    if "=" in value:
        pairs = _NAME_IN_PAIRS.findall(value)
        return _Address("postgresql", frozenset({pairs[0][0] or pairs[0][1]})) if len(pairs) == 1 else None
    if names_a_connection(variable) or (value != _IN_MEMORY and _NOT_IN_NAME.search(value)):
        return None
    is_file = value == _IN_MEMORY or _FILE.search(value) is not None
    return _Address("sqlite" if is_file else "", frozenset({value}))


def _vendor(scheme: str) -> str | None:
    return next((vendor for vendor, beginnings in _ENGINES.items() if scheme.startswith(beginnings)), None)


def _address_in_url(vendor: str, rest: str) -> _Address | None:
    """Return the address in a URL; None if it is not certain where its parts begin, as with an unescaped password."""
    if vendor == "sqlite" and rest == _IN_MEMORY:
        return _Address(vendor, frozenset({_IN_MEMORY}))
    path, _, query = rest.partition("?")
    server, _, name = path.partition("/")
    hosts = server.rpartition("@")[2].split(",")
    if "#" in rest or "@" in name or not all(map(_HOST.fullmatch, hosts)):
        return None
    if vendor == "sqlite" and server:
        return None
    in_query = [*_names_in(query)]
    if (name and in_query) or len(in_query) > 1:
        # They may contradict one another.
        return None
    if not name and not in_query and (vendor == "sqlite" or "?" in rest):
        return None
    names = {*in_query} if in_query else {unquote(name), unquote_plus(name)}
    return _Address(vendor, frozenset(names))


def _names_in(query: str) -> Iterator[str]:
    for parameter, found in parse_qs(query).items():
        if parameter.lower() in _NAME_IN_QUERY:
            yield from found


def _is_named(vendor: str, actual: str, expected: str) -> bool:
    if vendor == "sqlite":
        return _is_file_named(actual, expected)
    # On MySQL and MariaDB, only the server can report if it ignores case.
    return actual == expected or (vendor in ("mysql", "") and actual.lower() == expected.lower())


def _is_file_named(actual: str, expected: str) -> bool:
    if actual.startswith("file:") or expected.startswith("file:"):
        # SQLite reads it in a way of its own.
        return True
    if posixpath.isabs(actual) and posixpath.isabs(expected):
        return posixpath.normpath(actual) == posixpath.normpath(expected)
    # A relative path is below a folder that the settings determine.
    return posixpath.basename(actual) == posixpath.basename(expected)
