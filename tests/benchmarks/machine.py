"""The machine and the versions of the software that is measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3

from django.db import connection

from tests.benchmarks.table import table

PACKAGES = (
    "Django",
    "django-healthguard",
    "django-health-check",
    "django-watchman",
    "django-alive",
    "django-extensions",
    "gunicorn",
    "uvicorn",
    "h11",
    "httptools",
    "uvloop",
    "psycopg",
    "PyMySQL",
)


def facts() -> str:
    """Return a table of the versions and the number of processors."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgresql,) = cursor.fetchone()
    versions = {
        "processors": str(len(os.sched_getaffinity(0))),
        "Python": platform.python_version(),
        "PostgreSQL": postgresql.partition(" ")[0],
        "SQLite": sqlite3.sqlite_version,
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }
    return table(("", "version"), list(versions.items()))
