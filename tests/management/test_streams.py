"""The standard streams of the command: pipes that close, terminals, encodings, and Ctrl-C."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.management.conftest import Project
from tests.support.sites import wait_until

LONG = '{f"s{number}": Fails() for number in range(1000)}'


def shell(project: Project, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command, in which ``$CHECK`` is ``manage.py healthguard check``."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=project.site.folder,
        env={**project.site.env, "CHECK": f"{sys.executable} -m django healthguard check", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_pipe_that_closes_ends_the_command_without_a_traceback(project: Project) -> None:
    done = shell(project.declare(LONG), "set -o pipefail; $CHECK | head -1")
    assert done.stderr == ""
    assert done.returncode in (1, 141), "all of it was written before, or not"
    assert "UNHEALTHY" in done.stdout


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_stream_does_not_change_the_exit_code(project: Project, redirection: str) -> None:
    done = shell(project.declare('{"bad": Fails()}'), f"$CHECK {redirection}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_full_device_is_reported(project: Project) -> None:
    done = shell(project.declare('{"good": Passes()}'), "$CHECK > /dev/full")
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_note_that_cannot_be_written_does_not_change_the_exit_code(project: Project) -> None:
    project.declare('{"good": Passes()}')
    noted = shell(project, "$CHECK --allow migration_pending")
    assert (noted.returncode, noted.stderr != "") == (0, True)
    assert shell(project, "$CHECK --allow migration_pending 2> /dev/full").returncode == 0


def test_character_that_the_output_cannot_encode_is_escaped(project: Project) -> None:
    services = '{"bad": Fails(message="Überlauf")}'
    done = shell(project.declare(services), "$CHECK", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 1
    assert "\\xdcberlauf" in done.stdout


def test_ctrl_c_ends_the_command_with_130(project: Project) -> None:
    project.declare('{"slow": Service(Hangs(), timeout=3600)}')
    started = project.site.folder / "started"
    (project.site.folder / "outcomes.py").write_text(
        (project.site.folder / "outcomes.py")
        .read_text()
        .replace("time.sleep(100_000)", 'open("started", "w"); time.sleep(100_000)')
    )
    # A shell ignores SIGINT in the commands that it starts in the background, and so would this process.
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *project.command("check")],
        cwd=project.site.folder,
        env=project.site.env,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(started.exists)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")


def test_sigterm_ends_the_command_with_143(project: Project) -> None:
    """Process 1 of a container ignores the signal unless it has a handler."""
    project.declare('{"bad": Fails(fault="outage")}')
    process = subprocess.Popen(
        project.command("check", "--wait", "3600"),
        cwd=project.site.folder,
        env=project.site.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "Waiting" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    assert process.communicate() == ("", "")
    assert process.returncode == 143


def terminal_output(project: Project, *arguments: str, **environment: str) -> str:
    """Return what the command writes to a terminal."""
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        project.command("check", *arguments),
        cwd=project.site.folder,
        env={**project.site.env, "TERM": "xterm", "PYTHONUTF8": "1", **environment},
        stdin=writer,
        stdout=writer,
        stderr=writer,
    )
    os.close(writer)
    output = b""
    # Linux reports EIO when the last process has closed the terminal.
    try:
        while chunk := os.read(reader, 65536):
            output += chunk
    except OSError:
        pass
    os.close(reader)
    process.wait()
    return output.decode()


def test_terminal_shows_progress_colors_and_symbols(project: Project) -> None:
    text = terminal_output(project.declare('{"slow": Service(Hangs(), timeout=1), "bad": Fails()}'))
    assert "Checking slow" in text
    assert "✗" in text
    assert "\x1b[31m" in text


def test_no_color_is_respected_on_a_terminal(project: Project) -> None:
    text = terminal_output(project.declare('{"bad": Fails()}'), NO_COLOR="1")
    assert "UNHEALTHY bad" in text
    assert "\x1b[31m" not in text


def test_summary_of_a_job_is_appended_on_github(project: Project, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    done = project.declare('{"bad": Fails()}').check("--format", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == 1
    assert "::error title=bad%3A Fails (plug_out)::The plug is out.%0APut it in." in done.out
    assert summary.read_text().startswith("before\n### ❌ healthguard: unhealthy\n")


def test_summary_that_cannot_be_written_is_reported(project: Project) -> None:
    done = project.declare('{"good": Passes()}').check("--format", "github", GITHUB_STEP_SUMMARY="/no/such/file")
    assert done.code == 2
    assert "GITHUB_STEP_SUMMARY" in done.err
