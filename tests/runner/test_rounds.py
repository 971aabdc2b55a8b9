"""Rounds: services that are due together and use the same database share one connection, unless one of them hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import pytest
from django.db import connections
from django.db.backends.signals import connection_created

from example_project.postgres import Postgres
from healthguard import Service
from healthguard.checks import RequiredTables
from healthguard.probes import get_state
from healthguard.status import NO_EVIDENCE, Evidence
from tests.support.fixture_types import Connect, Declare
from tests.support.runner_checks import GatedCheck, ThreadNames, get_health, wait_for


class GatedTables(RequiredTables):
    """A check of a database that waits while its gate is closed."""

    gate = GatedCheck()

    def run(self) -> Mapping[str, Evidence]:
        self.gate.run()
        return NO_EVIDENCE


class BreaksItsConnection(RequiredTables):
    """A check that leaves its connection in a state that the next one cannot use."""

    def run(self) -> Mapping[str, Evidence]:
        connections[self.alias].set_autocommit(False)
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT 1")
        return NO_EVIDENCE


@pytest.fixture
def created(patience: None) -> Iterator[list[str]]:
    """The aliases of the connections that have been opened during the test."""
    aliases: list[str] = []

    def record(connection: object, **kwargs: object) -> None:
        aliases.append(getattr(connection, "alias", ""))

    connection_created.connect(record)
    yield aliases
    connection_created.disconnect(record)


@pytest.fixture
def alias(connect: Connect, postgres: Postgres, database: str) -> str:
    """A database of its own."""
    return connect(postgres.url_of(database))


def tables(alias: str) -> RequiredTables:
    """Return a check that passes."""
    return RequiredTables(["pg_class"], alias)


def test_services_that_are_due_together_share_one_connection(declare: Declare, alias: str, created: list[str]) -> None:
    declare({name: Service(tables(alias), ttl=300) for name in ("one", "two", "three", "four", "five")})
    assert get_health()[0] == 200
    assert created == [alias]


def due_moments() -> set[float]:
    """Return the moments at which the declared services are due again."""
    outcomes = [slot.outcome for slot in get_state().runner._slots.values()]
    return {outcome.fresh_until for outcome in outcomes if outcome is not None}


def test_services_that_were_due_together_are_due_together_again(declare: Declare, alias: str) -> None:
    declare({name: Service(tables(alias), ttl=300, timeout=60) for name in ("one", "two", "three")})
    assert get_health()[0] == 200
    assert len(due_moments()) == 1


def test_service_that_was_requested_alone_is_due_with_the_others_again(declare: Declare, alias: str) -> None:
    declare({name: Service(tables(alias), ttl=300, timeout=60) for name in ("one", "two", "three")})
    assert get_health()[0] == 200
    assert get_health("one", query="fresh=1")[0] == 200
    assert len(due_moments()) == 1


def test_each_database_of_a_round_gets_one_connection(
    declare: Declare, connect: Connect, postgres: Postgres, database: str, created: list[str]
) -> None:
    first, second = (connect(postgres.url_of(database), alias=alias) for alias in ("first", "second"))
    declare(
        {
            "one": Service(tables(first), ttl=300),
            "two": Service(tables(second), ttl=300),
            "both": Service(tables(first), tables(second), ttl=300),
        }
    )
    assert get_health()[0] == 200
    assert sorted(created) == sorted([first, second])


def test_service_that_hangs_delays_no_other(declare: Declare, alias: str) -> None:
    """The others get threads of their own."""
    hanging = GatedTables(["pg_class"], alias)
    hanging.gate = GatedCheck(is_open=False)
    declare(
        {
            "hangs": Service(hanging, timeout=60, ready="never"),
            "one": Service(tables(alias), ttl=300, timeout=60),
            "two": Service(tables(alias), ttl=300, timeout=60),
        },
        DEADLINE=0.5,
    )
    wait_for(lambda: get_health()[1]["services"] == {"hangs": "unknown", "one": "healthy", "two": "healthy"})
    assert hanging.gate.ended == 0
    hanging.gate.gate.set()


def test_services_wait_together_for_a_slow_one(declare: Declare, alias: str, created: list[str]) -> None:
    """The others get one thread and one connection: a slow service must not multiply the connections."""
    slow = GatedTables(["pg_class"], alias)
    slow.gate = GatedCheck(is_open=False)
    declare(
        {
            "slow": Service(slow, timeout=60),
            **{name: Service(tables(alias), ttl=300, timeout=60) for name in ("one", "two", "three")},
        },
        DEADLINE=0.1,
    )
    get_health()
    wait_for(lambda: slow.gate.runs == 1)
    runner = get_state().runner
    (round_,) = runner._rounds
    round_.hand_over_from = 0.0
    runner._watcher.look_again()
    wait_for(lambda: get_health()[1]["services"]["three"] == "healthy")
    assert created == [alias]
    slow.gate.gate.set()


def test_connection_that_a_check_has_left_unusable_is_replaced(
    declare: Declare, alias: str, created: list[str]
) -> None:
    declare(
        {
            "breaks": Service(BreaksItsConnection(["pg_class"], alias), ttl=300),
            "one": Service(tables(alias), ttl=300),
            "two": Service(tables(alias), ttl=300),
        }
    )
    assert get_health()[0] == 200
    assert created == [alias, alias]


def test_run_that_leaves_a_background_task_delays_no_other(
    declare: Declare, alias: str, own_threads: ThreadNames
) -> None:
    check = GatedCheck(is_open=False)

    class LeavesATask(RequiredTables):
        async def run(self) -> None:  # type: ignore[override]
            asyncio.get_running_loop().run_in_executor(None, check.run)

    declare(
        {
            "leaves": Service(LeavesATask(["pg_class"], alias), ttl=300, timeout=60),
            "one": Service(tables(alias), ttl=300, timeout=60),
        }
    )
    assert get_health()[1]["services"]["one"] == "healthy"
    check.gate.set()
    wait_for(lambda: not own_threads())


def test_services_without_a_database_run_at_the_same_time(declare: Declare) -> None:
    first, second = GatedCheck(is_open=False), GatedCheck(is_open=False)
    declare({"one": Service(first, timeout=60), "two": Service(second, timeout=60)}, DEADLINE=0.01)
    get_health()
    wait_for(lambda: first.runs == second.runs == 1)
    first.gate.set()
    second.gate.set()
    wait_for(lambda: get_health()[0] == 200)
