"""The connections of a run on SQLite, which executes queries in this process."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from django.db import connections
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.http.handler import Request, respond
from tests.support.fixture_types import Connect, Declare

ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
TOKEN = "details-" * 4


class EndlessQuery(HealthCheck):
    """A foreign check whose query never ends. The query starts when ``wait`` is set, even after the run was aborted."""

    def __init__(self, alias: str, wait: threading.Event) -> None:
        self.alias, self.wait = alias, wait
        self.errors: list[str] = []

    def run(self) -> None:
        with connections[self.alias].cursor() as cursor:
            self.wait.wait(30)
            try:
                cursor.execute(ENDLESS)
                cursor.fetchall()
            except Exception as error:
                self.errors.append(str(error))
                raise


@pytest.fixture
def alias(connect: Connect, tmp_path: Path) -> str:
    """The alias of an empty SQLite database."""
    (tmp_path / "site.sqlite3").touch()
    return connect(f"sqlite:///{tmp_path / 'site.sqlite3'}")


@pytest.mark.parametrize("starts", ["before the cut", "after the cut"])
def test_endless_query_is_interrupted_after_the_timeout(healthguard_settings: Declare, alias: str, starts: str) -> None:
    """The next probe after the timeout interrupts the query, so that its thread ends."""
    wait = threading.Event()
    check = EndlessQuery(alias, wait)
    healthguard_settings({"database": Service(check, timeout=0.5, ttl=60)}, DETAILS_TOKENS=[TOKEN], DEADLINE=0.1)
    if starts == "before the cut":
        wait.set()
    end = time.monotonic() + 60
    while not check.errors:
        assert time.monotonic() < end
        response = respond(Request("GET", "", "", f"Bearer {TOKEN}"))
        body = json.loads(response.body)
        if body["database"]["checks"][0].get("code") == "timeout":
            wait.set()
        time.sleep(0.05)
    assert response.status == 503
    assert check.errors == ["interrupted"]
    while any(thread.name == "healthguard-database" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.05)
