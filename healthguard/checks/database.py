"""Which database this is."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from healthguard.checks.base import Check
from healthguard.databases import database, fetch
from healthguard.declared import shown_name
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.status import Evidence, Fault, Problem

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# name, version, read-only
_FACTS = {
    "postgresql": "SELECT current_database(), current_setting('server_version'), "
    "current_setting('transaction_read_only')",
    "mysql": "SELECT DATABASE(), VERSION(), @@global.read_only",
    "sqlite": "SELECT (SELECT file FROM pragma_database_list WHERE name = 'main'), sqlite_version(), "
    "(SELECT query_only FROM pragma_query_only)",
}


@dataclasses.dataclass(repr=False)
class DatabaseName(Check):
    """The settings name the right database, and the server on the other end agrees.

    A database of another project with tables of the same names passes every other check: this one tells it.

    Args:
        name: the database's name; for SQLite the file's name, or its path.
        alias: the alias in DATABASES.
        read_only: whether it is meant to be: a replica.
    """

    name: str
    alias: str = "default"
    read_only: bool = dataclasses.field(default=False, repr=False)

    def run(self) -> Mapping[str, Evidence]:
        """Compare the names; returns facts about the server.

        Raises:
            Unhealthy: another name in the settings (told even when nothing can be reached) or on the server; no
                answer.
            Degraded: it takes no writes, and is not declared as such.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        with database(self.alias) as connection:
            return self._judge(connection)

    def misdeclared(self) -> Iterator[Problem]:
        """Yield what is wrong with the declaration itself."""
        if not isinstance(self.name, str) or not self.name:
            yield Problem.misdeclared("DatabaseName takes the name that the database must have, and got none.")

    def _judge(self, connection: BaseDatabaseWrapper) -> Mapping[str, Evidence]:
        configured = _configured_name(self.alias)
        if configured is not None:
            self._compare(connection.vendor, configured, "the settings name", {})
        if connection.vendor not in _FACTS:
            # Nothing is known of asking such a server for its name; that it answers must be enough, if the settings
            # do name it.
            connection.ensure_connection()
            if configured is None:
                self._compare(connection.vendor, "", "the settings name", {})
            names = {"expected": _shown("", self.name), "actual": _shown("", configured or "")}
            return {"alias": self.alias, "server": connection.vendor, **names}
        name, version, read_only = fetch(connection, _FACTS[connection.vendor])[0]
        facts: dict[str, Evidence] = {
            "alias": self.alias,
            "server": _kind(connection),
            "version": str(version),
            "read_only": _is_true(read_only),
            "expected": _shown(connection.vendor, self.name),
        }
        actual = "" if name is None else str(name)
        if connection.vendor == "sqlite" and configured and _is_same_file(configured, actual):
            # The server resolves links: current.sqlite3 may lead to a file of another name.
            actual = configured
        self._compare(connection.vendor, actual, "the server says that it is", facts)
        facts["actual"] = _shown(connection.vendor, actual)
        if facts["read_only"] and not self.read_only:
            raise Degraded(
                "database_read_only",
                f"Database {self.alias!r} is read-only: whatever the application writes fails.",
                fault=Fault.OUTAGE,
                hint="See whether it is a standby, or was made read-only on purpose or for want of disk; if it is "
                "meant to be a replica, declare DatabaseName(…, read_only=True).",
                evidence=facts,
            )
        return facts

    def _compare(self, vendor: str, actual: str, who: str, facts: Mapping[str, Evidence]) -> None:
        if _is_named(vendor, actual, self.name):
            return
        shown, expected = _shown(vendor, actual), _shown(vendor, self.name)
        raise Unhealthy(
            "wrong_database",
            f"Database {self.alias!r} must be {expected!r}, but {who} {shown!r}.",
            fault=Fault.CONFIG,
            hint=f"Look at DATABASE_URL or DATABASES[{self.alias!r}]['NAME'], and at the Secret it is mounted from: "
            "it names another database.",
            evidence={"alias": self.alias, **facts, "expected": expected, "actual": shown},
        )


def _configured_name(alias: str) -> str | None:
    """What the settings name; None where they leave it to a service file or to the server."""
    name = settings.DATABASES.get(alias, {}).get("NAME")
    return str(name) if name else None


def _is_named(vendor: str, actual: str, expected: str) -> bool:
    if vendor != "sqlite":
        return actual == expected
    path = _file(actual)
    if os.path.basename(expected) == expected:
        return os.path.basename(path) == expected
    return os.path.realpath(path) == os.path.realpath(_file(expected))


def _file(name: str) -> str:
    return unquote(urlsplit(name).path) if name.startswith("file:") else name


def _is_same_file(one: str, other: str) -> bool:
    return os.path.realpath(_file(one)) == os.path.realpath(_file(other))


def _shown(vendor: str, name: str) -> str:
    """Return ``name`` as it may be shown: whoever puts a whole URL there puts a password there."""
    name = os.path.basename(_file(name)) if vendor == "sqlite" else name
    return shown_name(name) if name else ""


def _kind(connection: BaseDatabaseWrapper) -> str:
    return "mariadb" if getattr(connection, "mysql_is_mariadb", False) else connection.vendor


def _is_true(value: Any) -> bool:
    return str(value).lower() in ("1", "on", "true")
