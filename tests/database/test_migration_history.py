"""AppliedMigrations agrees with Django's own executor on random migrations and histories."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthguard.checks import AppliedMigrations
from healthguard.status import CheckResult, Status
from tests.support.amounts import some_of
from tests.support.fixture_types import Connect, RunCheck
from tests.support.migration_files import APPS, File, Key, expected_by_django, installed_migrations, record


@dataclasses.dataclass
class History:
    """The migrations in the code, and those that are applied, in the order in which they were recorded."""

    files: dict[Key, File]
    applied: list[Key]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw migrations of three apps, of which all, most, some or none are applied."""
    files: dict[Key, File] = {}
    for app in APPS:
        _add_migrations(draw, app, files)
    for app in APPS:
        _add_squashes(draw, app, files)
    rows = {*files, *(key for file in files.values() for key in file.replaces)}
    if draw(st.integers(0, 7)) == 7:
        for key in draw(st.lists(st.sampled_from(sorted(rows)), max_size=2)):
            if files.get(key) and not files[key].replaces:
                # The files that a squash replaced are deleted some day, sometimes including one that is still needed.
                del files[key]
    share = draw(st.sampled_from(["all", "most", "some", "none"]))
    applied = set(rows)
    if share == "most":
        applied -= set(draw(st.lists(st.sampled_from(sorted(rows)), min_size=1, max_size=2)))
    elif share == "some":
        applied = set(draw(st.lists(st.sampled_from(sorted(rows)))))
    elif share == "none":
        applied = set()
    unknown = draw(st.lists(st.sampled_from([(app, "0099_later") for app in (*APPS, "gone")]), unique=True, max_size=2))
    return History(files, [*draw(st.permutations(sorted(applied))), *unknown])


def _add_migrations(draw: st.DrawFn, app: str, files: dict[Key, File]) -> None:
    """Add migrations of ``app`` to ``files``."""
    others = [key for key in files if key[0] != app]
    own: list[Key] = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        file = File()
        if own:
            # Mostly the last migration. An earlier one makes a second leaf node, and both merge two leaf nodes.
            parents = draw(st.sampled_from(["last", "last", "last", "any", "both"]))
            file.dependencies += [own[-1]] if parents != "any" else [draw(st.sampled_from(own))]
            if parents == "both":
                file.dependencies.append(draw(st.sampled_from(own)))
        if others and draw(st.integers(0, 3)) == 3:
            file.dependencies.append(draw(st.sampled_from(others)))
        if others and draw(st.integers(0, 9)) == 9:
            file.dependencies.append((others[0][0], draw(st.sampled_from(["__first__", "__latest__"]))))
        if draw(st.integers(0, 99)) == 77:
            file.dependencies.append((draw(st.sampled_from([app, "gone"])), "0001_nowhere"))
        key = (app, f"{number:04}_step")
        files[key] = file
        own.append(key)


def _add_squashes(draw: st.DrawFn, app: str, files: dict[Key, File]) -> None:
    """Add migrations to ``files`` that squash those of ``app``."""
    own = sorted(key for key in files if key[0] == app)
    for depth in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        first = draw(st.integers(0, len(own) - 1))
        last = draw(st.integers(first, len(own) - 1))
        replaced = own[first : last + 1]
        squash = (app, f"{own[first][1]}_squashed_{depth}")
        outside = [key for key in files[replaced[0]].dependencies if key not in replaced]
        files[squash] = File(outside, replaced)
        # The next squash may include this one.
        own = [*own[:first], squash, *own[last + 1 :]]


@pytest.fixture
def alias(connect: Connect, tmp_path: Path) -> str:
    """The alias of a SQLite database in which no migration is recorded as applied."""
    alias = connect(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    with connections[alias].cursor() as cursor:
        # Hundreds of histories are written, and they need not survive a power failure.
        cursor.execute("PRAGMA synchronous = OFF")
    MigrationRecorder(connections[alias]).ensure_schema()
    return alias


def assert_agrees_with_django(outcome: CheckResult, alias: str) -> None:
    """Assert that the check reports a problem if, and only if, ``migrate`` has something to do or fails."""
    code, pending = expected_by_django(alias)
    reported = outcome.problem.code if outcome.problem is not None else ""
    if code in {"", "migrations_conflict"}:
        assert outcome.status is not Status.UNHEALTHY, reported
        if code:
            assert outcome.status is Status.DEGRADED
        else:
            assert reported in {"", "migrations_ahead", "migrations_skipped"}
    else:
        assert (outcome.status, reported) == (Status.UNHEALTHY, code)
    if pending:
        assert outcome.problem is not None
        assert outcome.problem.evidence["pending"] == pending[:20]
        assert outcome.problem.evidence["pending_count"] == len(pending)


@settings(max_examples=some_of(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), data=st.data())
def test_check_agrees_with_djangos_executor(
    result: RunCheck, alias: str, history: History, data: st.DataObject
) -> None:
    record(alias, history.applied)
    with installed_migrations(history.files):
        check = AppliedMigrations(alias)
        assert_agrees_with_django(result(check), alias)
        # The same check after migrations have been applied or unapplied.
        changed = data.draw(st.permutations(history.applied)) if history.applied else []
        record(alias, changed[: data.draw(st.integers(0, len(changed)))])
        assert_agrees_with_django(result(check), alias)
        record(alias, list(history.files))
        assert_agrees_with_django(result(check), alias)
