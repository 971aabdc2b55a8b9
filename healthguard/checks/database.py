"""A check that the application is connected to the right database."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.db import connections

from healthguard.checks.base import SABOTAGED_NAME, Check
from healthguard.database.addresses import file_name, path_of, settings_of
from healthguard.database.queries import database, fetch, unknown_alias
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.requirements.database import DatabaseRequirement, wrong_database
from healthguard.requirements.requirement import Requirement
from healthguard.requirements.variable import VariableRequirement, is_variable_name
from healthguard.secret_values.showable import shown_name
from healthguard.service.sabotages import Sabotage
from healthguard.status import Code, Evidence, Fault, Problem

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# Name, version, read-only. For MySQL and MariaDB also lower_case_table_names: 0 if names are case-sensitive.
_FACTS = {
    "postgresql": "SELECT current_database(), current_setting('server_version'), "
    "current_setting('transaction_read_only')",
    "mysql": "SELECT DATABASE(), VERSION(), @@global.read_only, @@lower_case_table_names",
    "sqlite": "SELECT (SELECT file FROM pragma_database_list WHERE name = 'main'), sqlite_version(), "
    "(SELECT query_only FROM pragma_query_only)",
}

# Problems after which the name in the settings is not compared: the server was queried, or the settings are invalid.
_FINAL_PROBLEMS = frozenset({Code.WRONG_DATABASE, Code.UNKNOWN_ALIAS, Code.DATABASE_ENGINE, Code.INVALID_DECLARATION})

_last_reported: dict[tuple[str, ...], tuple[str, bool]] = {}
"""The name that each server reported last, and True if it ignores case, by the address in the settings."""


@dataclasses.dataclass(repr=False)
class DatabaseName(Check):
    """A check that the server reports the expected database name.

    If the server cannot be queried, the name in the settings is compared instead. A database of another project with
    tables of the same names passes every other check, but not this one.

    Args:
        name: the database's name. For SQLite, the name or the path of the file.
        alias: the alias in DATABASES.
        read_only: True if the database is meant to be read-only, such as a replica.
        env: the environment variable from which the settings read the URL or the name, so that manifests are checked
            for it; None if they read it from elsewhere, or if the URL names the database of a pooler.
    """

    name: str
    alias: str = "default"
    read_only: bool = dataclasses.field(default=False, repr=False)
    env: str | None = dataclasses.field(default=None, repr=False)

    needs_deployment = True

    def offline(self) -> DatabaseName | None:
        """Return a check of the name in the settings; None if the settings contain none."""
        configured = _configured_name(self.alias)
        return None if configured is None else _NameInSettings(self.name, self.alias, configured=configured)

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield a copy that expects another name."""
        other_name = f"{self.name}_{SABOTAGED_NAME}"
        yield Sabotage("the name of another database", self._sabotaged(name=other_name), [Code.WRONG_DATABASE])

    def run(self) -> Mapping[str, Evidence]:
        """Compare the names, and return facts about the server.

        Raises:
            Unhealthy: the server reports another name, or the settings contain another name and the server could not be
                queried, or the database cannot be reached.
            Degraded: the database is read-only, and is not declared as such.
        """
        for problem in self.declaration_errors():
            raise Unhealthy.of(problem)
        configured = _configured_name(self.alias)
        try:
            with database(self.alias) as connection:
                return self._compare_with_server(connection, configured)
        except Unhealthy as error:
            if error.problem.code in _FINAL_PROBLEMS or configured is None:
                raise
            # The server did not report its name in this run.
            self._compare_without_server(configured, error.problem)
            raise

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        if not isinstance(self.name, str) or not self.name:
            yield Problem.invalid_declaration("DatabaseName requires the name of the database as a non-empty string.")
        if self.env is not None and not is_variable_name(self.env):
            yield Problem.invalid_declaration("env of DatabaseName must be the name of an environment variable.")

    def needs(self) -> Iterator[Requirement]:
        """Yield the variable from which the settings read the address, if it is declared."""
        if self.env is None:
            return
        if _may_contain_password(self.name):
            yield VariableRequirement((self.env,))
        else:
            yield DatabaseRequirement((self.env,), database=self.name, alias=self.alias)

    def _compare_with_server(self, connection: BaseDatabaseWrapper, configured: str | None) -> Mapping[str, Evidence]:
        if connection.vendor not in _FACTS:
            # There is no query for the name on such a server. The server must respond, and the settings are compared.
            connection.ensure_connection()
            names = {"expected": _shown("", self.name), "actual": _shown("", configured or "")}
            self._compare(connection.vendor, configured or "", "the name in the settings is", {})
            return {"alias": self.alias, "server": connection.vendor, **names}
        if connection.vendor == "sqlite" and configured is not None:
            self._compare(connection.vendor, configured, "the name in the settings is", {})
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
            # SQLite resolves symbolic links: current.sqlite3 may lead to a file with another name.
            actual = configured
        ignores_case = bool(case and int(case[0] or 0))
        if configured is not None:
            _last_reported[_address(self.alias)] = (actual, ignores_case)
            facts["configured"] = _shown(connection.vendor, configured)
        self._compare(connection.vendor, actual, "the server reports", facts, ignores_case=ignores_case)
        facts["actual"] = _shown(connection.vendor, actual)
        if facts["read_only"] and not self.read_only:
            raise Degraded(
                Code.DATABASE_READ_ONLY,
                f"Database {self.alias!r} is read-only: all writes of the application fail.",
                fault=Fault.OUTAGE,
                hint="Check whether it is a standby, or was made read-only on purpose or because its disk is full. If "
                "it is meant to be a replica, declare DatabaseName(…, read_only=True).",
                evidence=facts,
            )
        return facts

    def _compare_without_server(self, configured: str, problem: Problem) -> None:
        """Compare with the name that the server last reported in this process, or else with the name in the settings.

        A pooler may serve a database under another name. Once the server has reported its name, the name in the
        settings is not compared after a failure to connect.
        """
        vendor = connections[self.alias].vendor if self.alias in connections else ""
        # On MySQL and MariaDB, only the server can report if it ignores case. Until it has, ignore case.
        reported = _last_reported.get(_address(self.alias))
        actual, ignores_case = reported or (configured, vendor == "mysql")
        source = "the name in the settings is" if reported is None else "the server last reported"
        facts = {**problem.evidence, "connection": problem.code}
        self._compare(
            vendor,
            actual,
            f"the server could not be queried ({problem.code}), and {source}",
            facts,
            ignores_case=ignores_case,
        )

    def _compare(
        self, vendor: str, actual: str, source: str, facts: Mapping[str, Evidence], *, ignores_case: bool = False
    ) -> None:
        if _is_named(vendor, actual, self.name, ignores_case=ignores_case):
            return
        shown, expected = _shown(vendor, actual), _shown(vendor, self.name)
        configured = facts.get("configured")
        note = ""
        if configured is not None:
            note = (
                ", which is also the name in the settings"
                if configured == shown
                else f", and the name in the settings is {configured!r}"
            )
        evidence = {**facts, "actual": shown}
        raise Unhealthy.of(wrong_database(self.alias, expected, f"{source} {shown!r}{note}", evidence))


@dataclasses.dataclass(repr=False)
class _NameInSettings(DatabaseName):
    """A check that the name in the settings is the expected one, without a connection.

    Args:
        configured: the name in the settings. It is read when the check is made, because the test runner of a project
            replaces it by the name of the test database.
    """

    configured: str = dataclasses.field(default="", repr=False)

    def run(self) -> Mapping[str, Evidence]:
        for problem in self.declaration_errors():
            raise Unhealthy.of(problem)
        if self.alias not in connections:
            raise unknown_alias(self.alias)
        vendor, configured = connections[self.alias].vendor, self.configured
        # On MySQL and MariaDB, only the server can report if it ignores case.
        self._compare(vendor, configured, "the name in the settings is", {}, ignores_case=vendor == "mysql")
        return {"alias": self.alias, "expected": _shown(vendor, self.name), "configured": _shown(vendor, configured)}


def _configured_name(alias: str) -> str | None:
    """Return the database name in the settings; None if a service file or the server determines it."""
    name = settings_of(alias).get("NAME")
    return str(name) if name else None


def _may_contain_password(name: str) -> bool:
    """Return True if a URL may have been declared instead of a name."""
    return "@" in name or ("://" in name and not name.startswith("file:"))


def _address(alias: str) -> tuple[str, ...]:
    database_settings = settings_of(alias)
    return (alias, *(str(database_settings.get(key, "")) for key in ("ENGINE", "NAME", "HOST", "PORT", "USER")))


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
    """Return ``name`` as it may be shown. If a URL was configured as the name, it may contain a password."""
    name = file_name(name) if vendor == "sqlite" else name
    return shown_name(name) if name else ""


def _kind(connection: BaseDatabaseWrapper) -> str:
    return "mariadb" if getattr(connection, "mysql_is_mariadb", False) else connection.vendor


def _is_true(value: Any) -> bool:
    return str(value).lower() in ("1", "on", "true")
