"""The arguments of the monitor, from which secret URLs are removed before other users can read them for long."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import NoReturn

import psutil
import pytest

from healthguard.management.hidden_arguments import without_secrets
from tests.management.conftest import Project
from tests.management.monitors import RunningMonitor, switched

SECRET = "json://127.0.0.1:1/Vq3zN8rT5wXb7Yc2KdLm9Pf4"
Replaced = Callable[[list[str]], tuple[list[str], dict[str, str]]]


class _Started(Exception):
    """The process would have been replaced."""


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> Replaced:
    """The function that returns the arguments and the variables of the process that replaces this one."""

    def replaced(argv: list[str]) -> tuple[list[str], dict[str, str]]:
        seen: list[tuple[list[str], dict[str, str]]] = []

        def execve(path: str, arguments: list[str], environment: dict[str, str]) -> NoReturn:
            seen.append((arguments, environment))
            raise _Started

        monkeypatch.setattr(os, "execve", execve)
        monkeypatch.setattr(sys, "orig_argv", ["python", "-X", "dev", *argv])
        with pytest.raises(_Started):
            without_secrets(argv)
        return seen[0]

    return replaced


@pytest.mark.parametrize(
    "arguments",
    [
        ["monitor", "--notify", SECRET],
        ["monitor", f"--notify={SECRET}"],
        ["monitor", "--noti", SECRET],
        ["monitor", "--notify-noncritical", SECRET, "--heartbeat", SECRET, "--notify", SECRET],
        ["monitor", SECRET],
        ["-v", "3", "monitor", "--notify", SECRET],
        ["--traceback", "monitor", "--notify", SECRET],
        ["--settings=site", "monitor", "--notify", SECRET],
        ["monitor", "--name", "hidden:0", "--notify", SECRET],
        ["monitor", "--name", "hidden:x", "--notify", SECRET],
        ["monitor", "--url", "https://a.example/", "--link=https://b.example/", "--notify", SECRET],
    ],
    ids=" ".join,
)
def test_secret_is_hidden_and_restored(
    replaced: Replaced, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    argv = ["manage.py", "healthguard", *arguments]
    shown, environment = replaced(argv)
    assert SECRET not in " ".join(shown)
    assert shown[:5] == ["python", "-X", "dev", "manage.py", "healthguard"]
    monkeypatch.setenv("HEALTHGUARD_HIDDEN_ARGUMENTS", environment["HEALTHGUARD_HIDDEN_ARGUMENTS"])
    assert without_secrets(shown[3:]) == argv
    assert "HEALTHGUARD_HIDDEN_ARGUMENTS" not in os.environ


@pytest.mark.parametrize(
    "arguments",
    [
        ["monitor", "--notify", "SLACK", "--url", "https://a.example/", "--link", "https://b.example/"],
        ["monitor", "--url=https://a.example/"],
        ["check", "--url", "https://a.example/"],
        ["history"],
        [],
    ],
    ids=" ".join,
)
def test_arguments_without_secrets_are_used_as_they_are(arguments: list[str]) -> None:
    argv = ["manage.py", "healthguard", *arguments]
    assert without_secrets(argv) == argv


def test_arguments_of_another_program_are_left_alone() -> None:
    """The command is called with arguments that are not those of the process."""
    argv = ["manage.py", "healthguard", "monitor", "--notify", SECRET]
    assert without_secrets(argv) == argv


def test_process_shows_no_secret_and_keeps_its_id(project: Project) -> None:
    switched(project, "a")
    monitor = RunningMonitor(project, "--notify", SECRET, "--link", "https://link.example/")
    try:
        monitor.wait_for("The monitor has started")
        processes = [psutil.Process(monitor.process.pid), *monitor.children()]
        shown = [process.cmdline() for process in processes]
        assert len(shown) == 2
        assert shown[0][-5:] == ["monitor", "--notify", "hidden:0", "--link", "https://link.example/"]
        assert SECRET not in json.dumps(shown)
        assert monitor.stop() == 0
    finally:
        monitor.kill()
