"""The steps inside a project, each in a separate process: ``python -m tests.projects.inside migrate``, then ``check``.

The process that checks has not read any migration before, like a pod that has just started.
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

_SITE_APPS = "tests.projects.apps."
_PATIENCE = 60.0


def main() -> None:
    """Run the step named on the command line, and print its result as JSON in the last line."""
    django.setup()
    print(json.dumps({"migrate": migrate, "check": check}[sys.argv[1]]()))


def migrate() -> dict[str, Any]:
    """Create the project's tables.

    Returns:
        ``changed_apps``: the project's apps whose models have changed since their migrations were made.
    """
    changed_apps = sorted(_changed_apps() & {app.label for app in _apps_of_project()})
    if site_apps := [app.label for app in _apps_of_site()]:
        # The command of django-postgres-extra makes migrations that Django cannot make.
        command = "pgmakemigrations" if "pgmakemigrations" in get_commands() else "makemigrations"
        call_command(command, *site_apps, interactive=False, verbosity=0)
    call_command("migrate", verbosity=0)
    return {"changed_apps": changed_apps}


def check() -> dict[str, Any]:
    """Check the database, drop a column, and check the database again.

    Returns:
        ``models`` and ``tables``: their numbers; ``before`` and ``after``: the sections of the database service;
        ``dropped``: the column that was dropped.
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
        if not app.name.startswith(("django.contrib.", "healthguard", _SITE_APPS)):
            yield app


def _apps_of_site() -> Iterator[AppConfig]:
    for app in apps.get_app_configs():
        if app.name.startswith(_SITE_APPS):
            yield app


def _changed_apps() -> set[str]:
    """Return the apps for which makemigrations would make a migration."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    with translation.override(None):
        detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
        return set(detector.changes(loader.graph))


def _section() -> dict[str, Any]:
    """Return the section of the database service in the response, as soon as a new run has ended."""
    began = datetime.datetime.now(datetime.UTC)
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        section: dict[str, Any] = Client().get("/api/health?fresh=1").json()["database"]
        checked = section["checked_at"]
        if checked is not None and datetime.datetime.fromisoformat(checked) >= began:
            return section
    raise SystemExit(f"The checks of the database have not ended within {_PATIENCE} s.")


def _drop() -> str:
    """Drop a column that nothing depends on, and return it as ``table.column``. The project's columns come first."""
    for model, field in (*_columns(_apps_of_project()), *_columns(_apps_of_site())):
        table, column = model._meta.db_table, str(field.column)
        quote = connection.ops.quote_name
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {quote(table)} DROP COLUMN {quote(column)}")
            return f"{table}.{column}"
    raise SystemExit("No column can be dropped.")


def _columns(configs: Iterable[AppConfig]) -> Iterator[tuple[type[models.Model], models.Field[Any, Any]]]:
    for model in (model for app in configs for model in app.get_models()):
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped:
            for field in model._meta.local_concrete_fields:
                if not (field.primary_key or field.unique or field.is_relation):
                    yield model, field


if __name__ == "__main__":
    main()
