"""``manage.py healthguard monitor --mute``: what it keeps from being sent, until when, and its file."""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path

import pytest
from django.test import override_settings

from example_project.webhook_receiver import WebhookReceiver
from tests.management.conftest import Command
from tests.management.monitors import changes, once


@pytest.mark.parametrize("name", ["bad", "/bad/"])
def test_muted_service_is_not_reported_until_the_mute_ends(
    command: Command, receiver: WebhookReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The record has the change, and a later round reports that the service still fails."""
    arguments = ("--notify", receiver.url, "--state", str(tmp_path / "state.json"))
    command.declare('{"bad": Fails()}')
    muted = once(command, *arguments, "--mute", name, "--until", "2h", "--format", "json")
    assert muted.code == 0
    assert changes(muted)["here", "bad"]["is_muted"]
    assert receiver.messages == []
    later = time.time() + 3 * 3600
    monkeypatch.setattr("healthguard.monitor.monitor.time.time", lambda: later)
    once(command, *arguments)
    assert [message["title"] for message in receiver.messages] == ["healthguard: bad on here is unhealthy"]


@pytest.mark.parametrize("name", ["group", "group/loose", "group.loose"])
def test_group_can_be_muted(command: Command, receiver: WebhookReceiver, tmp_path: Path, name: str) -> None:
    command.declare('{"group": {"loose": Warns()}}')
    state = str(tmp_path / "state.json")
    once(command, "--notify", receiver.url, "--state", state, "--mute", name, "--until", "2h")
    assert receiver.messages == []


@pytest.mark.parametrize(
    ("now", "until", "end"),
    [
        ("2026-11-27T12:00:00+01:00", "18:00", "2026-11-27T18:00:00+01:00"),
        ("2026-11-27T18:00:00+01:00", "18:00", "2026-11-28T18:00:00+01:00"),
        ("2026-11-27T12:00:00+01:00", "2026-11-30T09:00", "2026-11-30T09:00:00+01:00"),
        ("2026-11-27T12:00:00+01:00", "2026-11-30T09:00Z", "2026-11-30T10:00:00+01:00"),
        ("2026-11-27T12:00:00+01:00", "1h30m", "2026-11-27T13:30:00+01:00"),
        ("2027-03-27T12:00:00+01:00", "03:30", "2027-03-28T03:30:00+02:00"),
    ],
)
def test_end_of_a_mute_is_in_the_zone_of_the_project(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: str, until: str, end: str
) -> None:
    started = datetime.datetime.fromisoformat(now).timestamp()
    monkeypatch.setattr("healthguard.management.arguments.time.time", lambda: started)
    state = tmp_path / "state.json"
    with override_settings(TIME_ZONE="Europe/Berlin"):
        once(command.declare('{"good": Passes()}'), "--state", str(state), "--mute", "good", "--until", until)
    (stored,) = json.loads((tmp_path / "state.json.mutes").read_text()).values()
    assert stored == datetime.datetime.fromisoformat(end).timestamp()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"bad": "soon"}', '{"bad": Infinity}', '{"bad": NaN}', '{"bad": 1' + "0" * 400 + "}"]
)
def test_damaged_mutes_mute_nothing(command: Command, receiver: WebhookReceiver, tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json.mutes").write_text(content)
    done = once(command.declare('{"bad": Fails()}'), "--notify", receiver.url, "--state", str(tmp_path / "state.json"))
    assert done.code == 1
    assert len(receiver.messages) == 1
    assert "The file of the mutes is damaged. Nothing is muted. Mute the services again with --mute." in done.out


@pytest.mark.parametrize("content", ["", "[]", '{"bad": "soon"}'])
def test_new_mute_replaces_a_damaged_file(command: Command, tmp_path: Path, content: str) -> None:
    mutes = tmp_path / "state.json.mutes"
    mutes.write_text(content)
    command.declare('{"good": Passes()}')
    done = once(command, "--state", str(tmp_path / "state.json"), "--mute", "good", "--until", "2h")
    assert done.code == 0
    (aside,) = tmp_path.glob("state.json.mutes.damaged-*")
    assert aside.read_text() == content
    assert f"The file of the mutes was damaged. It is now {aside.name}, and a new one begins." in done.err
    assert list(json.loads(mutes.read_text())) == ["good"]
