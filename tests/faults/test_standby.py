"""A standby follows its primary: what is checked there is what came over, and nothing waits."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import call_command

from healthguard.checks import AppliedMigrations, DatabaseName, ModelSchema, RequiredColumns
from healthguard.status import CheckResult, Status
from tests.faults.cluster import DATABASE, Cluster
from tests.sites import wait_until


@pytest.fixture
def primary() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.remove()


def test_a_hot_standby(primary, connect, result) -> None:
    call_command("migrate", database=connect(primary.url, "primary"), verbosity=0)
    with primary.standby() as url:
        standby = connect(url, "standby")
        checks = [
            DatabaseName(DATABASE, standby, read_only=True),
            AppliedMigrations(standby),
            ModelSchema(standby, read_only=True),
            RequiredColumns("customers", {"metadata": "jsonb"}, standby),
        ]
        for check in checks:
            _until(lambda check=check: result(check), Status.HEALTHY)
        assert result(DatabaseName(DATABASE, standby)).problem.code == "database_read_only"
        assert result(ModelSchema(standby)).problem.code == "database_read_only"
        # The lock of an ALTER is held there too, as soon as the standby has read of it.
        with primary.session(DATABASE) as session, session.transaction():
            session.execute("ALTER TABLE customers DROP COLUMN is_staff")
            session.execute("SELECT pg_switch_wal()")
            wait_until(lambda: _is_locked(url))
            # Whatever waited for the lock would fail with a timeout.
            assert [result(check).status for check in checks] == [Status.HEALTHY] * len(checks)
        told = _until(lambda: result(checks[2]), Status.UNHEALTHY)
        assert told.problem is not None
        assert told.problem.evidence["column_missing"] == ["customers.is_staff"]


def _is_locked(url: str) -> bool:
    with psycopg.connect(url) as connection:
        locks = connection.execute("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted")
        return bool(locks.fetchall())


def _until(look, status: Status) -> CheckResult:
    ends = time.monotonic() + 60
    while True:
        told: CheckResult = look()
        if told.status is status or time.monotonic() > ends:
            assert told.status is status, told.problem
            return told
        time.sleep(0.1)
