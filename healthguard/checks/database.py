"""Which database this is."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.db import connections

from healthguard.checks.base import Check
from healthguard.database_places import file_name, path_of, settings_of
from healthguard.databases import database, fetch
from healthguard.declared import shown_name
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.status import Evidence, Fault, Problem

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# Name, version, read-only; for MySQL and MariaDB also whether the case of a name counts (0) or not.
_FACTS = {
    "postgresql": "SELECT current_database(), current_setting('server_version'), "
    "current_setting('transaction_read_only')",
    "mysql": "SELECT DATABASE(), VERSION(), @@global.read_only, @@lower_case_table_names",
    "sqlite": "SELECT (SELECT file FROM pragma_database_list WHERE name = 'main'), sqlite_version(), "
    "(SELECT query_only FROM pragma_query_only)",
}

# Problems that are not those of a connection: the server was asked, or cannot be.
_OF_ITS_OWN = frozenset({"wrong_database", "unknown_alias", "database_engine", "misdeclared"})

_heard: dict[tuple[str, ...], tuple[str, bool]] = {}
"""The name that a server gave last, and whether it ignores case, by the place that the settings lead to."""


@dataclasses.dataclass(repr=False)
class DatabaseName(Check):
    """The server says that it is the right database; where it cannot be asked, the settings do.

    A database of another project with tables of the same names passes every other check, but not this one.

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
            Unhealthy: the server has another name, or the settings where the server could not be asked; no answer.
            Degraded: it takes no writes, and is not declared as such.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        configured = _configured_name(self.alias)
        try:
            with database(self.alias) as connection:
                return self._judge(connection, configured)
        except Unhealthy as error:
            if error.problem.code in _OF_ITS_OWN or configured is None:
                raise
            # Nothing was heard from the server in this run.
            self._compare_unheard(configured, error.problem)
            raise

    def misdeclared(self) -> Iterator[Problem]:
        """Yield what is wrong with the declaration itself."""
        if not isinstance(self.name, str) or not self.name:
            yield Problem.misdeclared("DatabaseName takes the name that the database must have, and got none.")

    def _judge(self, connection: BaseDatabaseWrapper, configured: str | None) -> Mapping[str, Evidence]:
        if connection.vendor not in _FACTS:
            # The name is not known of such a server. That it answers is enough, if the settings do name it.
            connection.ensure_connection()
            names = {"expected": _shown("", self.name), "actual": _shown("", configured or "")}
            self._compare(connection.vendor, configured or "", "the settings name", {})
            return {"alias": self.alias, "server": connection.vendor, **names}
        if connection.vendor == "sqlite" and configured is not None:
            self._compare(connection.vendor, configured, "the settings name", {})
        name, version, read_only, *case = fetch(connection, _FACTS[connection.vendor])[0]
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
        ignores_case = bool(case and int(case[0] or 0))
        if configured is not None:
            _heard[_place(self.alias)] = (actual, ignores_case)
            facts["configured"] = _shown(connection.vendor, configured)
        self._compare(connection.vendor, actual, "the server says that it is", facts, ignores_case=ignores_case)
        facts["actual"] = _shown(connection.vendor, actual)
        if facts["read_only"] and not self.read_only:
            raise Degraded(
                "database_read_only",
                f"Database {self.alias!r} is read-only: whatever the application writes fails.",
                fault=Fault.OUTAGE,
                hint="Check whether it is a standby, or was made read-only on purpose or because its disk is full. If "
                "it is meant to be a replica, declare DatabaseName(…, read_only=True).",
                evidence=facts,
            )
        return facts

    def _compare_unheard(self, configured: str, problem: Problem) -> None:
        """Compare with what the server said before in this process, or else with what the settings name.

        A pooler may serve a database under another name. Once the server has named itself, a failure to connect says
        nothing about its name.
        """
        vendor = connections[self.alias].vendor if self.alias in connections else ""
        # Only the server knows its rule for case.
        heard = _heard.get(_place(self.alias))
        actual, ignores_case = heard or (configured, vendor == "mysql")
        who = "the settings name" if heard is None else "the server said before that it is"
        facts = {**problem.evidence, "connection": problem.code}
        self._compare(
            vendor, actual, f"the server gives no answer ({problem.code}) and {who}", facts, ignores_case=ignores_case
        )

    def _compare(
        self, vendor: str, actual: str, who: str, facts: Mapping[str, Evidence], *, ignores_case: bool = False
    ) -> None:
        if _is_named(vendor, actual, self.name, ignores_case=ignores_case):
            return
        shown, expected = _shown(vendor, actual), _shown(vendor, self.name)
        configured = facts.get("configured")
        also = ""
        if configured is not None:
            also = (
                ", as the settings name it too" if configured == shown else f", while the settings name {configured!r}"
            )
        raise Unhealthy(
            "wrong_database",
            f"Database {self.alias!r} must be {expected!r}, but {who} {shown!r}{also}.",
            fault=Fault.CONFIG,
            hint=f"Check DATABASE_URL or DATABASES[{self.alias!r}]['NAME'], and the Secret it is mounted from: it "
            "leads to another database. Behind a pooler declare the name that the server itself gives. Run no "
            "migration before this is settled.",
            evidence={"alias": self.alias, **facts, "expected": expected, "actual": shown},
        )


def _configured_name(alias: str) -> str | None:
    """Return what the settings name; None where they leave it to a service file or to the server."""
    name = settings_of(alias).get("NAME")
    return str(name) if name else None


def _place(alias: str) -> tuple[str, ...]:
    found = settings_of(alias)
    return (alias, *(str(found.get(key, "")) for key in ("ENGINE", "NAME", "HOST", "PORT", "USER")))


def _is_named(vendor: str, actual: str, expected: str, *, ignores_case: bool) -> bool:
    if vendor != "sqlite":
        return actual == expected or (ignores_case and actual.lower() == expected.lower())
    path = path_of(actual)
    if os.path.basename(expected) == expected:
        return os.path.basename(path) == expected
    return os.path.realpath(path) == os.path.realpath(path_of(expected))


def _is_same_file(one: str, other: str) -> bool:
    return os.path.realpath(path_of(one)) == os.path.realpath(path_of(other))


def _shown(vendor: str, name: str) -> str:
    """Return ``name`` as it may be shown: whoever puts a whole URL there puts a password there."""
    name = file_name(name) if vendor == "sqlite" else name
    return shown_name(name) if name else ""


def _kind(connection: BaseDatabaseWrapper) -> str:
    return "mariadb" if getattr(connection, "mysql_is_mariadb", False) else connection.vendor


def _is_true(value: Any) -> bool:
    return str(value).lower() in ("1", "on", "true")
