"""Checks on a hot standby: they inspect the replicated database, and wait for no replicated lock."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.core.management import call_command

from healthguard.checks import AppliedMigrations, DatabaseName, ModelSchema, RequiredColumns
from healthguard.status import CheckResult, Status
from tests.faults.cluster import DATABASE, Cluster
from tests.support.fixture_types import Connect, FindProblem, RunCheck
from tests.support.sites import wait_until


@pytest.fixture
def primary() -> Iterator[Cluster]:
    """The server that the standby follows."""
    cluster = Cluster()
    yield cluster
    cluster.remove()


def test_checks_work_on_a_hot_standby(
    primary: Cluster, connect: Connect, result: RunCheck, problem: FindProblem
) -> None:
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
            _wait_for_status(functools.partial(result, check), Status.HEALTHY)
        assert problem(DatabaseName(DATABASE, standby)).code == "database_read_only"
        assert problem(ModelSchema(standby)).code == "database_read_only"
        # The lock of ALTER TABLE is also held on the standby, once the standby has replayed it.
        with primary.session(DATABASE) as session, session.transaction():
            session.execute("ALTER TABLE customers DROP COLUMN is_staff")
            session.execute("SELECT pg_switch_wal()")
            wait_until(lambda: _is_locked(url))
            # A check that waits for the lock would fail with a timeout.
            assert [result(check).status for check in checks] == [Status.HEALTHY] * len(checks)
        outcome = _wait_for_status(lambda: result(checks[2]), Status.UNHEALTHY)
        assert outcome.problem is not None
        assert outcome.problem.evidence["column_missing"] == ["customers.is_staff"]


def _is_locked(url: str) -> bool:
    with psycopg.connect(url) as connection:
        locks = connection.execute("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted")
        return bool(locks.fetchall())


def _wait_for_status(run: Callable[[], CheckResult], status: Status) -> CheckResult:
    """Run a check until its result has this status, and return the result."""
    ends = time.monotonic() + 60
    while True:
        outcome = run()
        if outcome.status is status or time.monotonic() > ends:
            assert outcome.status is status, outcome.problem
            return outcome
        time.sleep(0.1)
