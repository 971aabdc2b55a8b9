"""The program is bounded in time and output, and nothing that it has started remains."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import psutil
import pytest

from healthguard.kubernetes.reading.kustomization.program import Program, ProgramError


def script(folder: Path, text: str, name: str = "kustomize") -> Program:
    """Return a program that a shell script in the folder simulates."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Program(str(path), name, "build")


def test_output_and_error_of_a_failure_are_returned(tmp_path: Path) -> None:
    result = script(tmp_path, "echo out; echo err >&2; exit 3").render(tmp_path)
    assert (result.is_success, result.output, result.error) == (False, b"out\n", "err\n")


def test_result_does_not_show_the_output(tmp_path: Path) -> None:
    assert "hunter2" not in repr(script(tmp_path, "echo hunter2; echo hunter2 >&2").render(tmp_path))


def test_program_runs_in_the_folder_that_it_renders(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    result = script(tmp_path, "pwd; echo $*").render(tmp_path / "here")
    assert result.output.decode().split() == [os.path.realpath(tmp_path / "here"), "build", "."]


def test_program_that_takes_too_long_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    """The process that it has started keeps the output open, as git does."""
    slow = script(tmp_path, "sleep 600 &\necho $! > child; sleep 600")
    with pytest.raises(ProgramError, match=r"^could not be rendered within 2 s\.$"):
        slow.render(tmp_path, seconds=2)
    wait_for_end(int((tmp_path / "child").read_text()))


def test_program_with_too_much_output_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"^renders to more than 2 MiB\.$"):
        script(tmp_path, "yes").render(tmp_path, max_output=2 * 1024 * 1024)


def test_program_cannot_prompt(tmp_path: Path) -> None:
    result = script(tmp_path, "cat; echo $GIT_TERMINAL_PROMPT; tty").render(tmp_path)
    assert result.output.decode().split("\n")[:2] == ["0", "not a tty"]


def test_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"/none could not be started \(FileNotFoundError\)\.$"):
        Program(str(tmp_path / "none"), "kubectl", "kustomize").render(tmp_path)


def test_kustomize_is_preferred_to_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "", "kubectl")
    monkeypatch.setenv("PATH", str(tmp_path))
    before = Program.find()
    script(tmp_path, "", "kustomize")
    after = Program.find()
    assert [(each.name, each.command) for each in (before, after) if each is not None] == [
        ("kubectl", "kustomize"),
        ("kustomize", "build"),
    ]


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended; fail after a generous time."""
    deadline = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < deadline, "The process is still running."
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        # Init may not have collected it yet.
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
