"""A run's own connections on SQLite, whose queries compute in this process."""

from __future__ import annotations

import json
import threading
import time

import pytest
from django.db import connections
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.respond import Request, respond

ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
TOKEN = "details-" * 4


class Computes(HealthCheck):
    """A foreign check whose query never ends, and that may start it when its run has been cut already."""

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
def alias(connect, tmp_path) -> str:
    (tmp_path / "site.sqlite3").touch()
    return connect(f"sqlite:///{tmp_path / 'site.sqlite3'}")


@pytest.mark.parametrize("starts", ["before the cut", "after the cut"])
def test_query_that_computes_without_end_is_ended(healthguard_settings, alias, starts) -> None:
    """The next probe after the timeout ends it, and its thread is free again."""
    wait = threading.Event()
    check = Computes(alias, wait)
    healthguard_settings({"database": Service(check, timeout=0.5, ttl=60)}, DETAILS_TOKENS=[TOKEN], DEADLINE=0.1)
    if starts == "before the cut":
        wait.set()
    ends = time.monotonic() + 60
    while not check.errors:
        assert time.monotonic() < ends
        answer = respond(Request("GET", "", "", f"Bearer {TOKEN}"))
        body = json.loads(answer.body)
        if body["database"]["checks"][0].get("code") == "timeout":
            wait.set()
        time.sleep(0.05)
    assert answer.status == 503
    assert check.errors == ["interrupted"]
    while any(thread.name == "healthguard-database" for thread in threading.enumerate()):
        assert time.monotonic() < ends
        time.sleep(0.05)
