"""``manage.py healthguard drain`` and ``undrain``: the file, the sleep, and the exit codes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings

from healthguard.management import drain
from tests.management.conftest import Command, Done, Project

SERVICES = '{"good": Passes()}'
SLEEP = 1.0
"""The seconds for which the hook sleeps in a process of its own."""

NOTES_ITS_START = """
import time


class Noted:
    def __fspath__(self):
        with open("started", "w") as file:
            file.write(str(time.monotonic()))
        {action}


HEALTHGUARD["DRAIN_FILE"] = Noted()
"""
"""Settings whose DRAIN_FILE stores the moment at which it is read, immediately before the file is created."""


def hook(project: Project, action: str, redirections: str = "") -> tuple[Done, float]:
    """Run the command in a shell. Return its end, and the seconds from the moment at which it read DRAIN_FILE."""
    project.declare(SERVICES, more=NOTES_ITS_START.format(action=action))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m django healthguard drain --sleep {SLEEP} {redirections}"],
        cwd=project.site.folder,
        env={**project.site.env, "PYTHONUNBUFFERED": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    # The clock is that of the whole machine.
    seconds = time.monotonic() - float((project.site.folder / "started").read_text())
    return Done(done.returncode, done.stdout, done.stderr), seconds


def test_command_creates_the_file_and_sleeps(project: Project) -> None:
    done, seconds = hook(project, "return 'drain'")
    assert (done.code, done.err) == (0, "")
    assert done.out == "The pod is draining: DRAIN_FILE exists. Sleeping for 1 s.\n"
    assert seconds >= SLEEP
    assert (project.site.folder / "drain").exists()


@pytest.mark.parametrize(
    ("action", "code", "text"),
    [
        ("return 'outcomes.py/drain'", 1, "DRAIN_FILE could not be created (Not a directory)"),
        ("raise RuntimeError('Vq3zN8rT')", 2, "The declaration cannot be read: RuntimeError at "),
    ],
    ids=["not-created", "unreadable"],
)
def test_command_sleeps_although_it_has_failed(project: Project, action: str, code: int, text: str) -> None:
    done, seconds = hook(project, action)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(text)
    assert "Traceback" not in done.err
    assert "Vq3zN8rT" not in done.err
    assert seconds >= SLEEP


@pytest.mark.parametrize(
    ("redirections", "path", "code"),
    [
        (">&- 2>&-", "drain", 0),
        ("> /dev/full 2> /dev/full", "outcomes.py/drain", 1),
        ("2>&1 | true", "drain", 0),
    ],
)
def test_streams_that_cannot_be_written_do_not_end_the_sleep(
    project: Project, redirections: str, path: str, code: int
) -> None:
    done, seconds = hook(project, f"return {path!r}", redirections)
    assert (done.code, done.out, done.err) == (code, "", "")
    assert seconds >= SLEEP


@pytest.mark.parametrize(("path", "stream"), [("drain", "stdout"), ("outcomes.py/drain", "stderr")])
def test_message_is_written_before_the_sleep_which_sigterm_ends(project: Project, path: str, stream: str) -> None:
    project.declare(SERVICES, DRAIN_FILE=path)
    process = subprocess.Popen(
        project.command("drain", "--sleep", "3600"),
        cwd=project.site.folder,
        env={**project.site.env, "PYTHONUNBUFFERED": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = getattr(process, stream).readline()
        assert line.startswith(("The pod is draining", "DRAIN_FILE could not be created"))
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.communicate() == ("", "")
        assert process.returncode == 143
    finally:
        process.kill()


def test_ready_probe_follows_the_commands(project: Project) -> None:
    project.declare(SERVICES, DRAIN_FILE=str(project.site.folder / "drain"))
    server = project.site.serve()
    assert server.until("/api/health/ready", 200, host="example.com").status == 200
    assert project.run("drain").code == 0
    assert server.get("/api/health/ready", host="example.com").status == 503
    assert project.run("undrain").code == 0
    assert server.get("/api/health/ready", host="example.com").status == 200


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each sleep. None of them takes any time."""
    seconds: list[float] = []
    monkeypatch.setattr(drain, "time", types.SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [([], 0), (["--sleep", "0"], 0), (["--sleep", "2.5"], 2.5), (["--sleep=604800"], 604800)],
)
def test_time_of_the_sleep(
    command: Command, slept: list[float], tmp_path: Path, arguments: list[str], seconds: float
) -> None:
    done = command.declare(SERVICES, DRAIN_FILE=tmp_path / "drain").run("drain", *arguments)
    assert (done.code, slept) == (0, [seconds])


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "604801", "15s", ""])
def test_invalid_time_ends_with_2(command: Command, slept: list[float], tmp_path: Path, seconds: str) -> None:
    done = command.declare(SERVICES, DRAIN_FILE=tmp_path / "drain").run("drain", f"--sleep={seconds}")
    assert (done.code, slept) == (2, [])
    assert "must be a number of seconds from 0 to 604800" in done.err
    assert not (tmp_path / "drain").exists()


@pytest.mark.parametrize("declared", [{}, {"DRAIN_FILE": None}, {"DRAIN_FILE": ""}, {"DRAIN_FILE": 5}])
def test_undeclared_file_ends_with_2_after_the_sleep(
    command: Command, slept: list[float], declared: dict[str, object]
) -> None:
    done = command.declare(SERVICES, **declared).run("drain", "--sleep", "9")
    assert (done.code, done.out, slept) == (2, "", [9])
    assert "HEALTHGUARD['DRAIN_FILE'] is not set to a path. Set it to " in done.err


def test_verbosity_0_shows_only_problems(command: Command, slept: list[float], tmp_path: Path) -> None:
    command.declare(SERVICES, DRAIN_FILE=tmp_path / "drain")
    assert command.run("drain", "--verbosity", "0") == Done(0, "", "")
    command.declare(SERVICES, DRAIN_FILE=tmp_path / "missing" / "drain")
    assert "could not be created" in command.run("drain", "--verbosity", "0").err


@pytest.mark.parametrize("drain_file", [None, "/missing/drain"])
def test_traceback_is_shown_after_the_sleep(slept: list[float], drain_file: str | None) -> None:
    with override_settings(HEALTHGUARD={"DRAIN_FILE": drain_file}), pytest.raises(Exception, match="DRAIN_FILE"):
        call_command("healthguard", "drain", sleep=3.0, traceback=True)
    assert slept == [3]


def test_undrain_removes_the_file(command: Command, tmp_path: Path) -> None:
    (tmp_path / "drain").touch()
    done = command.declare(SERVICES, DRAIN_FILE=tmp_path / "drain").run("undrain")
    assert done == Done(0, "The pod is no longer draining: DRAIN_FILE was removed.\n", "")
    assert not (tmp_path / "drain").exists()


def test_undrain_accepts_a_missing_file(command: Command, tmp_path: Path) -> None:
    done = command.declare(SERVICES, DRAIN_FILE=tmp_path / "drain").run("undrain")
    assert done == Done(0, "The pod is not draining: DRAIN_FILE does not exist.\n", "")


def test_undrain_ends_with_1_if_the_file_cannot_be_removed(command: Command, tmp_path: Path) -> None:
    done = command.declare(SERVICES, DRAIN_FILE=tmp_path).run("undrain")
    assert (done.code, done.out) == (1, "")
    assert "DRAIN_FILE could not be removed (Is a directory)" in done.err
    assert str(tmp_path) not in done.err


def test_undrain_ends_with_2_without_a_declared_file(command: Command) -> None:
    done = command.declare(SERVICES).run("undrain")
    assert (done.code, done.out) == (2, "")
    assert "HEALTHGUARD['DRAIN_FILE'] is not set to a path" in done.err
