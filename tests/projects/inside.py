"""What is done inside a project, in processes of its own: ``python -m tests.projects.inside migrate``, then ``ask``.

Two processes, so that what asks has read no migration before, like a pod that has just started.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import django
from django.apps import AppConfig, apps
from django.core.management import call_command, get_commands
from django.db import DatabaseError, connection, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.test import Client
from django.utils import translation

_OF_SITES = "tests.projects.apps."
_PATIENCE = 60.0


def main() -> None:
    """Do what the command line says and print what came of it as JSON, in the last line."""
    django.setup()
    print(json.dumps({"migrate": migrate, "ask": ask}[sys.argv[1]]()))


def migrate() -> dict[str, Any]:
    """Give the database the project's tables.

    Returns:
        ``unmade``, the project's apps whose models have changed since their migrations were made.
    """
    unmade = sorted(_unmade() & {app.label for app in _apps_of_project()})
    if of_site := [app.label for app in _apps_of_site()]:
        # django-postgres-extra has a command of its own, for what Django cannot make.
        command = "pgmakemigrations" if "pgmakemigrations" in get_commands() else "makemigrations"
        call_command(command, *of_site, interactive=False, verbosity=0)
    call_command("migrate", verbosity=0)
    return {"unmade": unmade}


def ask() -> dict[str, Any]:
    """Ask how the database is, drop a column, and ask again.

    Returns:
        ``models`` and ``tables``, how many there are; ``before`` and ``after``, the sections of the database service;
        ``dropped``, what was missing then.
    """
    with connection.cursor():
        tables = connection.introspection.django_table_names(only_existing=True)
    before = _section()
    dropped = _drop()
    return {
        "models": len(apps.get_models(include_auto_created=True)),
        "tables": len(tables),
        "before": before,
        "dropped": dropped,
        "after": _section(),
    }


def _apps_of_project() -> Iterator[AppConfig]:
    for app in apps.get_app_configs():
        if not app.name.startswith(("django.contrib.", "healthguard", _OF_SITES)):
            yield app


def _apps_of_site() -> Iterator[AppConfig]:
    for app in apps.get_app_configs():
        if app.name.startswith(_OF_SITES):
            yield app


def _unmade() -> set[str]:
    """The apps that makemigrations would find changes in."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    with translation.override(None):
        detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
        return set(detector.changes(loader.graph))


def _section() -> dict[str, Any]:
    """The database service's section of the answer that any HTTP caller gets, once a run begun after now has ended."""
    asked = datetime.datetime.now(datetime.UTC)
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        section: dict[str, Any] = Client().get("/api/health?fresh=1").json()["database"]
        checked = section["checked_at"]
        if checked is not None and datetime.datetime.fromisoformat(checked) >= asked:
            return section
    raise SystemExit(f"The database's checks have not ended within {_PATIENCE} s.")


def _drop() -> str:
    """Drop a column that nothing else stands on, as ``table.column``: the project's, or the site's if it has none."""
    for model, field in (*_columns(_apps_of_project()), *_columns(_apps_of_site())):
        table, column = model._meta.db_table, field.column
        quote = connection.ops.quote_name
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {quote(table)} DROP COLUMN {quote(column)}")
            return f"{table}.{column}"
    raise SystemExit("There is no column to drop.")


def _columns(configs: Iterable[AppConfig]) -> Iterator[tuple[type[models.Model], models.Field[Any, Any]]]:
    for model in (model for app in configs for model in app.get_models()):
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped:
            for field in model._meta.local_concrete_fields:
                if not (field.primary_key or field.unique or field.is_relation):
                    yield model, field


if __name__ == "__main__":
    main()
