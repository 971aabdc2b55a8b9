"""SQL statements that a test runs through a connection of Django."""

from __future__ import annotations

from django.db import connections


def execute(alias: str, *statements: str) -> None:
    """Run ``statements`` one by one on the database ``alias``."""
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
