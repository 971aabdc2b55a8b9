"""Databases that are changed and restored. Each engine undoes a change in its own way."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import Error, NotSupportedError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from tests.oracle import changes_mysql, changes_postgresql, changes_sqlite, postgresql_objects
from tests.oracle.changes import EMPTY, Change, Maker, all_tables
from tests.oracle.models import Code, Express, Moment, Number, Order, Person, Profile, Seat, Small, Special, Tag, Thing

_USER = f"{changes_mysql.USER}@'127.0.0.1'"


class ChangeRefused(Exception):
    """The database refuses the change."""


class Engine:
    """A migrated database with a row in each table.

    Args:
        alias: the application's connection.
    """

    makers: Sequence[Maker]

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._tables = all_tables(self.connection.vendor)

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return connections[self.alias]

    def _migrate(self) -> None:
        call_command("migrate", database=self.alias, verbosity=0, run_syncdb=True)
        _add_rows(self.alias)

    def _sql(self, statements: Iterable[str]) -> Iterator[str]:
        """Yield ``statements``, with the SQL that empties the tables instead of EMPTY."""
        for statement in statements:
            if statement == EMPTY:
                yield from self._emptying()
            else:
                yield statement

    def _emptying(self) -> Iterator[str]:
        for table in self._tables:
            yield f"DELETE FROM {table}"

    def changed(self, change: Change) -> contextlib.AbstractContextManager[None]:
        """Change the database inside a ``with`` block, and restore it afterwards.

        Raises:
            ChangeRefused: the database refuses the change.
        """
        raise NotImplementedError


class PostgreSQL(Engine):
    """A database on PostgreSQL. Changes are rolled back. The application uses a role with the rights that it needs."""

    makers = changes_postgresql.MAKERS

    def prepare(self) -> None:
        """Create the tables and the roles, and add a row to each table."""
        with self.connection.cursor() as cursor:
            for statement in postgresql_objects.SETUP:
                cursor.execute(statement)
            # Not every server is built with ICU; the server of the wheel is not.
            with contextlib.suppress(NotSupportedError):
                for statement in postgresql_objects.ICU:
                    cursor.execute(statement)
            self._migrate()
            for statement in postgresql_objects.GRANTS:
                cursor.execute(statement)

    def _emptying(self) -> Iterator[str]:
        yield f"TRUNCATE {', '.join(self._tables)}"

    def remove(self) -> None:
        """Drop the roles, which are outside of the database."""
        with self.connection.cursor() as cursor:
            for role in (postgresql_objects.ROLE, postgresql_objects.OTHER_ROLE):
                cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")

    @contextlib.contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        with transaction.atomic(using=self.alias):
            try:
                with transaction.atomic(using=self.alias), self.connection.cursor() as cursor:
                    for statement in self._sql(change.statements):
                        cursor.execute(statement)
                    cursor.execute(f"SET LOCAL ROLE {postgresql_objects.ROLE}")
            except Error as error:
                transaction.set_rollback(True, using=self.alias)
                raise ChangeRefused from error
            yield
            transaction.set_rollback(True, using=self.alias)


class SQLite(Engine):
    """A database on SQLite, whose file is replaced by a copy after each change."""

    makers = changes_sqlite.MAKERS

    def prepare(self) -> None:
        """Create the tables, add a row to each table, and copy the file."""
        self._migrate()
        self.connection.close()
        self._kept = shutil.copy(self._path, f"{self._path}.kept")

    @property
    def _path(self) -> Path:
        return Path(self.connection.settings_dict["NAME"])

    @contextlib.contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        try:
            self._change(change)
            with transaction.atomic(using=self.alias):
                yield
                transaction.set_rollback(True, using=self.alias)
        finally:
            self.connection.close()
            shutil.copy(self._kept, self._path)

    def _change(self, change: Change) -> None:
        import sqlite3

        raw = sqlite3.connect(self._path, isolation_level=None)
        try:
            for statement in self._sql(changes_sqlite.statements_of(raw, change)):
                raw.execute(statement)
        except sqlite3.Error as error:
            raise ChangeRefused from error
        finally:
            raw.close()


class MariaDB(Engine):
    """A database on MariaDB, which cannot roll back changes of a schema. Changed tables are created again.

    Args:
        alias: the application's connection, as its user.
        admin: a function that runs a statement as root and returns its rows.
    """

    makers = changes_mysql.MAKERS

    def __init__(self, alias: str, admin: Callable[[str], list[Any]]) -> None:
        super().__init__(alias)
        self._admin = admin

    def prepare(self) -> None:
        """Create the user and the tables, add a row to each table, and copy all rows."""
        self._name = str(self.connection.settings_dict["NAME"])
        self._admin(f"USE {self._name}")
        self._admin(f"DROP USER IF EXISTS {_USER}")
        self._admin(f"CREATE USER {_USER}")
        self._admin(f"GRANT ALL ON {self._name}.* TO {_USER}")
        self._migrate()
        self.connection.close()
        self._admin(f"REVOKE ALL ON {self._name}.* FROM {_USER}")
        self._definitions = {
            table: self._admin(f"SHOW CREATE TABLE `{table}`")[0][1] for (table,) in self._admin("SHOW TABLES")
        }
        self._admin(f"CREATE DATABASE {self._name}_kept")
        for table in self._definitions:
            columns = self._columns(table)
            self._admin(f"CREATE TABLE {self._name}_kept.`{table}` AS SELECT {columns} FROM `{table}`")
        self._grant()

    def _grant(self) -> None:
        """Grant the rights for each table, so that a right can be revoked for one table.

        The server shows the type json only to a user with a right to the whole database.
        """
        self._admin(f"GRANT REFERENCES ON {self._name}.* TO {_USER}")
        for table in self._definitions:
            self._admin(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {self._name}.`{table}` TO {_USER}")

    def _columns(self, table: str) -> str:
        rows = self._admin(f"SHOW COLUMNS FROM `{table}`")
        return ", ".join(f"`{name}`" for name, _, _, _, _, extra in rows if "GENERATED" not in extra)

    def remove(self) -> None:
        """Drop the copy of the rows and the user."""
        self._admin(f"DROP DATABASE {self._name}_kept")
        self._admin(f"DROP USER {_USER}")

    @contextlib.contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        import pymysql

        try:
            try:
                self._admin("SET SESSION foreign_key_checks = 0, sql_mode = DEFAULT")
                for statement in self._sql(change.statements):
                    self._admin(statement.replace("{name}", self._name))
            except pymysql.Error as error:
                raise ChangeRefused from error
            with transaction.atomic(using=self.alias):
                yield
                transaction.set_rollback(True, using=self.alias)
        finally:
            self.connection.close()
            self._restore()
            if change.kind == "rights":
                self._grant()

    def _restore(self) -> None:
        self._admin("SET SESSION foreign_key_checks = 0, sql_mode = DEFAULT")
        kinds = dict(self._admin("SHOW FULL TABLES"))
        for name, kind in kinds.items():
            if kind == "VIEW":
                self._admin(f"DROP VIEW `{name}`")
            elif name not in self._definitions:
                self._admin(f"DROP TABLE `{name}`")
        changed = [table for table in self._definitions if not self._is_as_before(table, kinds)]
        for table in changed:
            if kinds.get(table, "VIEW") != "VIEW":
                self._admin(f"DROP TABLE `{table}`")
        for table in changed:
            self._admin(self._definitions[table])
        for table in changed:
            columns = self._columns(table)
            self._admin(f"INSERT INTO `{table}` ({columns}) SELECT {columns} FROM {self._name}_kept.`{table}`")

    def _is_as_before(self, table: str, kinds: Mapping[str, str]) -> bool:
        if kinds.get(table, "VIEW") == "VIEW":
            return False
        if self._admin(f"SHOW CREATE TABLE `{table}`")[0][1] != self._definitions[table]:
            return False
        return not self._admin(f"SHOW TRIGGERS LIKE '{table}'") and self._is_kept(table)

    def _is_kept(self, table: str) -> bool:
        count = f"SELECT (SELECT count(*) FROM `{table}`) = (SELECT count(*) FROM {self._name}_kept.`{table}`)"
        return bool(self._admin(count)[0][0])


def _add_rows(alias: str) -> None:
    """Add a row to each table, because the operations must be able to read rows."""
    day = datetime.datetime(2026, 11, 26, 12, 34, 56, 789012, datetime.UTC)

    def add(model: type[Model], **values: Any) -> Any:
        return model._base_manager.using(alias).create(**values)

    person = add(Person, name="usual", email="first@example.com", nick="nick")
    add(Number, tiny=1, whole=2, price=Decimal("12.50"), big=3, is_known=True)
    add(Moment, at=day, seen=day, day=day.date(), clock=day.time(), lasts=datetime.timedelta(hours=1))
    add(Thing, reference=uuid.UUID("a" * 32), data={"a": 1}, raw=b"raw", address="10.0.0.1")
    tag = add(Tag, label="first")
    add(Profile, person=person, motto="motto")
    order = add(Order, owner=person, reviewer=person, number=1)
    order.tags.add(tag)
    add(Express, owner=person, number=2, hours=3)
    add(Code, code="code", parent=add(Code, code="first"))
    add(Small, value=1)
    add(Seat, row=1, place=1, guest="guest")
    if connections[alias].vendor == "postgresql":
        add(Special, words=["a"], grid=[[1]], during=(day, day + datetime.timedelta(1)), collated="c")
    assert all(
        model._base_manager.using(alias).exists()
        for model in apps.get_app_config("oracle").get_models()
        if model._meta.required_db_vendor in (None, connections[alias].vendor)
    )
