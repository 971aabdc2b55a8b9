"""AppliedMigrations agrees with Django's own executor, whatever the migrations are and whatever is applied."""

from __future__ import annotations

import dataclasses

import pytest
from django.db import connections
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthguard.checks import AppliedMigrations
from healthguard.status import CheckResult, Status
from tests.checks.migration_files import APPS, File, Key, code_with, record


@dataclasses.dataclass
class History:
    """What the code has, and what the database has had, in the order in which it was recorded."""

    files: dict[Key, File]
    applied: list[Key]


@st.composite
def histories(draw: st.DrawFn) -> History:
    files: dict[Key, File] = {}
    for app in APPS:
        _write_app(draw, app, files)
    for app in APPS:
        _squash(draw, app, files)
    rows = {*files, *(key for file in files.values() for key in file.replaces)}
    if draw(st.integers(0, 7)) == 7:
        for key in draw(st.lists(st.sampled_from(sorted(rows)), max_size=2)):
            if files.get(key) and not files[key].replaces:
                # The files that a squash replaced are deleted one day; sometimes one is that is still needed.
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


def _write_app(draw: st.DrawFn, app: str, files: dict[Key, File]) -> None:
    others = [key for key in files if key[0] != app]
    own: list[Key] = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        file = File()
        if own:
            # Mostly the last one; sometimes an earlier one, which makes a second end, or both, which merges them.
            ends = draw(st.sampled_from(["last", "last", "last", "any", "both"]))
            file.dependencies += [own[-1]] if ends != "any" else [draw(st.sampled_from(own))]
            if ends == "both":
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


def _squash(draw: st.DrawFn, app: str, files: dict[Key, File]) -> None:
    own = sorted(key for key in files if key[0] == app)
    for depth in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        first = draw(st.integers(0, len(own) - 1))
        last = draw(st.integers(first, len(own) - 1))
        replaced = own[first : last + 1]
        squash = (app, f"{own[first][1]}_squashed_{depth}")
        outside = [key for key in files[replaced[0]].dependencies if key not in replaced]
        files[squash] = File(outside, replaced)
        # The next may squash this one again.
        own = [*own[:first], squash, *own[last + 1 :]]


def django_says(alias: str) -> tuple[str, list[str]]:
    """What ``migrate`` would do: the code of the problem, and what is pending."""
    connection = connections[alias]
    try:
        executor = MigrationExecutor(connection)
        executor.loader.check_consistent_history(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except InconsistentMigrationHistory:
        return "migrations_inconsistent", []
    except Exception:
        return "migrations_broken", []
    pending = [f"{migration.app_label}.{migration.name}" for migration, is_backwards in plan if not is_backwards]
    if pending:
        return "migrations_pending", pending
    return ("migrations_conflict", []) if executor.loader.detect_conflicts() else ("", [])


@pytest.fixture
def alias(connect, tmp_path) -> str:
    alias = connect(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    with connections[alias].cursor() as cursor:
        # Hundreds of histories are written, and none has to survive a power failure.
        cursor.execute("PRAGMA synchronous = OFF")
    MigrationRecorder(connections[alias]).ensure_schema()
    return alias


def must_agree(told: CheckResult, alias: str) -> None:
    code, pending = django_says(alias)
    said = told.problem.code if told.problem is not None else ""
    if code in {"", "migrations_conflict"}:
        assert told.status is not Status.UNHEALTHY, said
        if code:
            assert told.status is Status.DEGRADED
        else:
            assert said in {"", "migrations_ahead", "migrations_skipped"}
    else:
        assert (told.status, said) == (Status.UNHEALTHY, code)
    if pending:
        assert told.problem is not None
        assert told.problem.evidence["pending"] == pending[:20]
        assert told.problem.evidence["pending_count"] == len(pending)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), data=st.data())
def test_it_agrees_with_djangos_executor(result, alias, history, data) -> None:
    record(alias, history.applied)
    with code_with(history.files):
        check = AppliedMigrations(alias)
        must_agree(result(check), alias)
        # The same check when something has been applied since, or taken back.
        changed = data.draw(st.permutations(history.applied)) if history.applied else []
        record(alias, changed[: data.draw(st.integers(0, len(changed)))])
        must_agree(result(check), alias)
        record(alias, list(history.files))
        must_agree(result(check), alias)
