"""``manage.py healthguard history``: the changes that a monitor has recorded, and the statuses at a certain time."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from healthguard.monitor.history import MAX_CHANGES, Change, kept
from healthguard.monitor.observation import Found
from healthguard.monitor.state import State
from healthguard.monitor.storage import StateFile
from healthguard.monitor.track import Track
from healthguard.status import Fault, Status
from tests.management.conftest import Command, Done

NIGHT = datetime.datetime(2026, 11, 27, 3, tzinfo=datetime.UTC).timestamp()
PROBLEM = Found("plug_out", Fault.CONFIG, "The plug is out.", "Put it in.")
CHANGES = (
    Change(NIGHT - 3600, "pod", "database", Status.UNKNOWN, Status.HEALTHY),
    Change(NIGHT - 3600, "pod", "ai/openai", Status.UNKNOWN, Status.HEALTHY),
    Change(NIGHT - 60, "pod", "database", Status.HEALTHY, Status.UNHEALTHY, (PROBLEM,)),
    Change(NIGHT, "pod", "ai/openai", Status.HEALTHY, Status.DEGRADED, is_muted=True),
    Change(NIGHT + 60, "pod", "database", Status.UNHEALTHY, Status.HEALTHY),
    Change(NIGHT + 120, "pod", "ai/openai", Status.DEGRADED, None),
)


@pytest.fixture(autouse=True)
def zone() -> Iterator[None]:
    """Times are shown in the zone of the project."""
    with override_settings(TIME_ZONE="UTC"):
        yield


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state file of a monitor."""
    path = tmp_path / "state.json"
    path.write_text(json.dumps(State(changes=CHANGES, checked_at=NIGHT + 600).to_json()))
    return path


def history(command: Command, state: object, *arguments: str) -> Done:
    """Return the end of the command for a state file."""
    return command.run("history", "--state", str(state), *arguments)


def statuses(done: Done) -> dict[str, Any]:
    """Return the status of each service in the JSON output."""
    return {change["service"]: change["status"] for change in done.json["changes"]}


def test_changes_are_shown_with_their_problems(command: Command, state: Path) -> None:
    done = history(command, state)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[2:5] == [
        "2026-11-27 02:59:00 UTC  UNHEALTHY database on pod (was healthy)",
        "    The plug is out. [plug_out, config]",
        "    Fix: Put it in.",
    ]
    assert lines[5] == "2026-11-27 03:00:00 UTC  DEGRADED ai/openai on pod (was healthy)  (muted)"
    assert lines[7] == "2026-11-27 03:02:00 UTC  no longer monitored ai/openai on pod (was degraded)"


def test_json_contains_each_change(command: Command, state: Path) -> None:
    document = history(command, state, "--format", "json").json
    assert document["checked_at"] == "2026-11-27T03:10:00.000Z"
    assert document["changes"][2] == {
        "time": "2026-11-27T02:59:00.000Z",
        "instance": "pod",
        "service": "database",
        "previous": "healthy",
        "status": "unhealthy",
        "problems": [{"code": "plug_out", "fault": "config", "message": "The plug is out.", "hint": "Put it in."}],
        "is_muted": False,
    }


@pytest.mark.parametrize(
    ("at", "expected", "note"),
    [
        ("2026-11-27T01:59:59Z", {}, "Nothing is recorded for 2026-11-27 01:59:59 UTC."),
        ("2026-11-27T02:00:00Z", {"database": "healthy", "ai/openai": "healthy"}, ""),
        ("2026-11-27T03:00:00Z", {"database": "unhealthy", "ai/openai": "degraded"}, ""),
        ("2026-11-27T03:01:00Z", {"database": "healthy", "ai/openai": "degraded"}, ""),
        ("2026-11-27T05:00:00+02:00", {"database": "unhealthy", "ai/openai": "degraded"}, ""),
        ("2026-11-27T03:10:00Z", {"database": "healthy"}, ""),
        ("2026-11-27T03:10:01Z", {"database": "healthy"}, "The last round was at 2026-11-27 03:10:00 UTC."),
    ],
)
def test_statuses_at_a_time(command: Command, state: Path, at: str, expected: dict[str, str], note: str) -> None:
    done = history(command, state, "--at", at, "--format", "json")
    assert done.code == 0
    assert statuses(done) == expected
    assert done.err.startswith(note) if note else not done.err


def test_service_that_seldom_changes_has_a_status(command: Command, tmp_path: Path) -> None:
    """Its last change is older than the newest ones, and is kept. What has been removed before them is not."""
    old = (
        *CHANGES,
        Change(NIGHT + 130, "pod", "database", Status.HEALTHY, Status.DEGRADED),
        Change(NIGHT + 140, "pod", "cache", Status.UNKNOWN, Status.HEALTHY),
    )
    pairs = [(Status.HEALTHY, Status.UNHEALTHY), (Status.UNHEALTHY, Status.HEALTHY)] * (MAX_CHANGES // 2)
    many = tuple(Change(NIGHT + 200 + number, "pod", "email", *pair) for number, pair in enumerate(pairs))
    changes = kept(old + many)
    assert changes == old[-2:] + many
    assert kept(changes) == changes
    state = tmp_path / "state.json"
    state.write_text(json.dumps(State(changes=changes, checked_at=NIGHT + 2000).to_json()))
    for seconds, expected, note in (
        (200, {"cache": "healthy", "database": "degraded", "email": "unhealthy"}, ""),
        (201, {"cache": "healthy", "database": "degraded", "email": "healthy"}, ""),
        (199, {"cache": "healthy", "database": "degraded"}, "The record is complete since 2026-11-27 03:03:20 UTC."),
        (129, {}, "Nothing is recorded for 2026-11-27 03:02:09 UTC."),
    ):
        at = datetime.datetime.fromtimestamp(NIGHT + seconds, datetime.UTC).isoformat()
        done = history(command, state, "--at", at, "--format", "json")
        assert statuses(done) == expected
        assert done.err.startswith(note) if note else not done.err
    selected = history(command, state, "--at", "2026-11-27T03:03:19Z", "--format", "json", "email")
    assert (statuses(selected), "Nothing is recorded" in selected.err) == ({}, True)


def test_time_without_a_zone_is_one_of_the_project(command: Command, state: Path) -> None:
    with override_settings(TIME_ZONE="Asia/Tokyo"):
        done = history(command, state, "--at", "2026-11-27T12:00", "--format", "json")
    assert statuses(done) == {"database": "unhealthy", "ai/openai": "degraded"}


@pytest.mark.parametrize(
    ("now", "at", "expected"),
    [
        (NIGHT + 6 * 3600, "03:00", {"database": "unhealthy", "ai/openai": "degraded"}),
        (NIGHT, "03:00", {"database": "unhealthy", "ai/openai": "degraded"}),
        (NIGHT + 23 * 3600, "03:00", {"database": "unhealthy", "ai/openai": "degraded"}),
        (NIGHT + 6 * 3600, "6h", {"database": "unhealthy", "ai/openai": "degraded"}),
    ],
)
def test_time_of_day_and_duration_are_in_the_past(
    command: Command, state: Path, monkeypatch: pytest.MonkeyPatch, now: float, at: str, expected: dict[str, str]
) -> None:
    """The question is what it was at 3 am, and not what it will be."""
    monkeypatch.setattr("healthguard.management.arguments.time.time", lambda: now)
    done = history(command, state, "--at", at, "--format", "json")
    assert statuses(done) == expected


@pytest.mark.parametrize("at", ["soon", "", "25:00", "inf", "nan", "0001-01-01T00:00Z", "9999-12-31T23:59-14:00"])
def test_invalid_time_ends_with_2(command: Command, state: Path, at: str) -> None:
    done = history(command, state, "--at", at)
    assert done.code == 2
    assert "argument --at: must be a time like" in done.err


@pytest.mark.parametrize(
    ("names", "count"),
    [(["database"], 3), (["ai"], 3), (["ai/openai"], 3), (["ai.openai"], 3), (["/ai/"], 3), (["ai", "database"], 6)],
)
def test_selected_services_alone_are_shown(command: Command, state: Path, names: list[str], count: int) -> None:
    assert len(history(command, state, "--format", "json", *names).json["changes"]) == count


@pytest.mark.parametrize("name", ["data", "a", "other"])
def test_unknown_service_has_no_changes(command: Command, state: Path, name: str) -> None:
    done = history(command, state, name)
    assert (done.code, done.out) == (0, "No changes.\n")


def test_declared_state_file_is_used(command: Command, state: Path) -> None:
    done = command.declare("{}", MONITOR={"STATE": state}).run("history")
    assert len(done.out.splitlines()) == 8


def test_missing_option_names_the_remedy(command: Command) -> None:
    done = command.declare("{}").run("history")
    assert done.code == 2
    assert "Set --state to the state file of the monitor" in done.err


DAMAGED = {
    "empty": b"",
    "truncated": b'{"version": 1, "tracks": [',
    "binary": bytes(range(256)),
    "a list": b"[]",
    "null": b"null",
    "another version": b'{"version": 2}',
    "without parts": b'{"version": 1}',
    "parts of another type": b'{"version": 1, "checked_at": 0, "tracks": 5, "changes": {}, "messages": null}',
    "a huge number": b'{"version": 1, "checked_at": 1' + b"0" * 400 + b', "tracks": [], "changes": [], "messages": []}',
    "infinity": b'{"version": 1, "checked_at": Infinity, "tracks": [], "changes": [], "messages": []}',
    "a time that cannot be shown": b'{"version": 1, "checked_at": 1e30, "tracks": [], "changes": [], "messages": []}',
    "a run at an infinite time": json.dumps(State((Track("pod", "database", checked_at=math.inf),)).to_json()).encode(),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_ends_with_2_and_is_kept(command: Command, tmp_path: Path, content: bytes) -> None:
    state = tmp_path / "state.json"
    state.write_bytes(content)
    done = history(command, state)
    assert done.code == 2
    assert "cannot be read: " in done.err
    assert state.read_bytes() == content


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_is_set_aside_by_the_monitor(command: Command, tmp_path: Path, content: bytes) -> None:
    state = tmp_path / "state.json"
    state.write_bytes(content)
    done = command.declare('{"good": Passes()}').run("monitor", "--once", "--state", str(state))
    assert done.code == 0
    assert "The state file could not be used: " in done.out
    (aside,) = tmp_path.glob("state.json.damaged-*")
    assert aside.read_bytes() == content
    assert history(command, state).code == 0


@pytest.mark.parametrize(("kind", "reason"), [("missing", "There is no state file"), ("folder", "Is a directory")])
def test_file_that_cannot_be_read_ends_with_2(command: Command, tmp_path: Path, kind: str, reason: str) -> None:
    done = history(command, tmp_path if kind == "folder" else tmp_path / "state.json")
    assert done.code == 2
    assert reason in done.err


def test_symbolic_link_to_itself_ends_with_2(command: Command, tmp_path: Path) -> None:
    """It stands for a file that cannot be read, which root can always read."""
    state = tmp_path / "state.json"
    state.symlink_to(state)
    assert "Too many levels of symbolic links" in history(command, state).err
    done = command.declare('{"good": Passes()}').run("monitor", "--once", "--state", str(state))
    assert done.code == 2
    assert "The state file cannot be used: Too many levels of symbolic links." in done.err


def test_file_is_readable_while_a_monitor_uses_it(command: Command, tmp_path: Path) -> None:
    storage = StateFile(tmp_path / "state.json")
    storage.save(State(changes=CHANGES, checked_at=NIGHT))
    assert len(history(command, tmp_path / "state.json").out.splitlines()) == 8
    storage.release()
