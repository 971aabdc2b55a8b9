"""The monitor in a process of its own: signals, restarts, its state file, its lock, and its output."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from example_project.webhook_receiver import WebhookReceiver
from tests.management.conftest import Project
from tests.management.monitors import RunningMonitor, SilentServer, switched
from tests.support.sites import PATIENCE, wait_until

Start = Callable[..., RunningMonitor]
FAST = ("--interval", "0.2", "--name", "here", "--format", "json")


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    """The function that starts a monitor with fast rounds. The test ends those that are left."""
    with contextlib.ExitStack() as stack:

        def started(*arguments: str, **environment: str) -> RunningMonitor:
            monitor = RunningMonitor(project, *FAST, *arguments, **environment)
            stack.callback(monitor.kill)
            return monitor

        yield started


def titles(receiver: WebhookReceiver) -> list[str]:
    """Return what the messages are about, without the parts that all have in common."""
    return [message["title"].removeprefix("healthguard: ").replace(" on here", "") for message in receiver.messages]


def test_sigterm_ends_it_during_a_check_that_hangs(project: Project, start: Start) -> None:
    switched(project, "a")
    folder = project.site.folder
    (folder / "a-hangs").touch()
    monitor = start()
    wait_until((folder / "a-started").exists, lambda: monitor.output)
    assert monitor.stop() == 0


def test_ctrl_c_ends_it_during_a_delivery_that_hangs(project: Project, start: Start) -> None:
    """A receiver that accepts a message, and never answers, keeps neither the monitor nor its process."""
    switched(project, "a")
    (project.site.folder / "a-off").touch()
    silent = SilentServer()
    monitor = start("--notify", f"json://127.0.0.1:{silent.port}/")
    silent.wait_for_request()
    assert len(monitor.children()) == 1
    assert monitor.stop(signal.SIGINT) == 0
    assert "Traceback" not in monitor.output
    silent.close()


def test_each_change_is_sent_once_over_a_restart(project: Project, start: Start, receiver: WebhookReceiver) -> None:
    """The monitor is killed after a message, and restarted before the next change."""
    switched(project, "a")
    folder = project.site.folder
    arguments = ("--notify", receiver.url, "--state", "state.json")
    (folder / "a-off").touch()
    first = start(*arguments)
    first.wait_for('"event": "delivered"')
    child = first.children()[0]
    first.process.kill()
    first.process.wait()
    wait_until(lambda: not child.is_running())
    second = start(*arguments)
    second.wait_for_rounds(3)
    (folder / "a-off").unlink()
    second.wait_for('"event": "delivered"')
    second.wait_for_rounds(2)
    assert second.stop() == 0
    assert titles(receiver) == ["a is unhealthy", "a is healthy again"]


def test_message_that_was_not_delivered_survives_kill(
    project: Project, start: Start, receiver: WebhookReceiver
) -> None:
    switched(project, "a")
    (project.site.folder / "a-off").touch()
    receiver.status_of = lambda message: 503
    arguments = ("--notify", receiver.url, "--state", "state.json")
    first = start(*arguments)
    first.wait_for('"event": "undelivered"')
    assert "the receiver answered with HTTP status 503. It is kept and tried again." in first.output
    first.process.kill()
    first.process.wait()
    receiver.status_of = lambda message: 200
    second = start(*arguments)
    second.wait_for('"event": "delivered"')
    assert second.stop() == 0
    assert titles(receiver) == ["a is unhealthy"]


def test_second_monitor_on_one_state_file_ends_with_2(project: Project, start: Start) -> None:
    switched(project, "a")
    first = start("--state", "state.json")
    first.wait_for_rounds(1)
    second = start("--state", "state.json")
    assert second.process.wait() == 2
    assert "Another monitor uses the state file state.json. End it first" in second.output


def test_mute_beside_a_running_monitor_survives_a_restart(
    project: Project, start: Start, receiver: WebhookReceiver
) -> None:
    """The muted service fails before and after the restart, and no message is sent."""
    switched(project, "a", "b")
    arguments = ("--notify", receiver.url, "--state", "state.json")
    first = start(*arguments)
    first.wait_for_rounds(1)
    muting = start("--mute", "a", "--until", "2h", "--state", "state.json")
    assert muting.process.wait() == 0
    assert "sends no messages about it." in muting.output
    (project.site.folder / "a-off").touch()
    first.wait_for('"event": "change", "instance": "here", "service": "a", "previous": "healthy"')
    first.wait_for_rounds(2)
    first.process.kill()
    first.process.wait()
    (project.site.folder / "b-off").touch()
    second = start(*arguments)
    second.wait_for('"event": "delivered"')
    assert second.stop() == 0
    assert titles(receiver) == ["b is unhealthy"]


def test_output_that_is_closed_does_not_end_it(project: Project, receiver: WebhookReceiver) -> None:
    """It goes on and sends messages; one of the outputs is a pipe without a reader."""
    switched(project, "a")
    (project.site.folder / "a-off").touch()
    read, write = os.pipe()
    os.close(read)
    monitors = []
    for number, redirection in enumerate(("2>&- >&-", f">&{write}")):
        command = project.command("monitor", *FAST, "--notify", f"{receiver.url}{number}")
        shell = ["bash", "-c", f'exec "$@" {redirection}', "bash", *command]
        monitors.append(
            subprocess.Popen(
                shell, cwd=project.site.folder, env=project.site.env, stderr=subprocess.PIPE, pass_fds=[write]
            )
        )
    os.close(write)
    wait_until(lambda: len(receiver.messages) == 2)
    assert [monitor.poll() for monitor in monitors] == [None] * 2
    for monitor in monitors:
        monitor.terminate()
    ends = [(monitor.communicate()[1], monitor.returncode) for monitor in monitors]
    assert ends == [(b"", 0)] * 2


def test_output_that_nobody_reads_does_not_delay_it(project: Project, receiver: WebhookReceiver) -> None:
    """The output is a full pipe. It goes on, sends messages, and can be stopped."""
    switched(project, "a")
    (project.site.folder / "a-off").touch()
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"\n")
    os.set_blocking(write, True)
    command = project.command("monitor", *FAST, "--notify", receiver.url)
    monitor = subprocess.Popen(command, cwd=project.site.folder, env=project.site.env, stdout=write)
    try:
        wait_until(lambda: len(receiver.messages) == 1)
        (project.site.folder / "a-off").unlink()
        wait_until(lambda: len(receiver.messages) == 2)
        monitor.terminate()
        assert monitor.wait(PATIENCE) == 0
    finally:
        monitor.kill()
        monitor.wait()
        os.close(read)
        os.close(write)


def test_full_device_does_not_change_the_exit_code_of_one_round(project: Project) -> None:
    """A CronJob reports the services, and not its own output."""
    project.declare('{"a": Passes()}')
    command = project.command("monitor", "--once")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, cwd=project.site.folder, env=project.site.env, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_full_disk_does_not_end_it(project: Project, start: Start, receiver: WebhookReceiver) -> None:
    """A limit of the size of a file stands for a full disk. Neither the state file nor the output can be written."""
    switched(project, "a")
    settings = project.site.folder / "site_settings.py"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))"
    settings.write_text(f"{settings.read_text()}\n{limit}\n")
    (project.site.folder / "a-off").touch()
    monitor = start("--notify", receiver.url, "--state", "state.json")
    wait_until(lambda: len(receiver.messages) == 1, lambda: monitor.output)
    (project.site.folder / "a-off").unlink()
    wait_until(lambda: len(receiver.messages) == 2, lambda: monitor.output)
    assert titles(receiver) == ["a is unhealthy", "a is healthy again"]
    assert monitor.stop() == 0
    assert sorted(path.name for path in project.site.folder.glob("state*")) == ["state.json.lock"]


def test_state_file_that_cannot_be_written_for_a_time_is_written_later(project: Project, start: Start) -> None:
    """The reason is written once."""
    switched(project, "a")
    obstacle = project.site.folder / "state.json.new"
    obstacle.mkdir()
    monitor = start("--state", "state.json")
    monitor.wait_for_rounds(3)
    assert monitor.output.count("The state file could not be written: Is a directory. Changes are kept") == 1
    obstacle.rmdir()
    wait_until((project.site.folder / "state.json").exists)
    assert monitor.stop() == 0


def test_heartbeat_stops_while_a_service_fails(project: Project, start: Start, receiver: WebhookReceiver) -> None:
    """A muted failure does not stop it."""
    switched(project, "a")
    monitor = start("--heartbeat", f"http://127.0.0.1:{receiver.port}/beat", "--state", "state.json")
    wait_until(lambda: len(receiver.messages) >= 2, lambda: monitor.output)
    (project.site.folder / "a-off").touch()
    monitor.wait_for('"status": "unhealthy"')
    monitor.wait_for_rounds(1)
    count = len(receiver.messages)
    monitor.wait_for_rounds(3)
    assert len(receiver.messages) == count
    start("--state", "state.json", "--mute", "a", "--until", "2h").process.wait()
    wait_until(lambda: len(receiver.messages) > count, lambda: monitor.output)
    assert {message["path"] for message in receiver.messages} == {"/beat"}
    assert monitor.stop() == 0


def test_heartbeat_that_fails_is_noted_once(project: Project, start: Start) -> None:
    switched(project, "a")
    closed = SilentServer(is_listening=False)
    monitor = start("--heartbeat", f"http://127.0.0.1:{closed.port}/hunter2")
    monitor.wait_for_rounds(4)
    assert monitor.output.count("The heartbeat failed, because its receiver did not answer") == 1
    assert "hunter2" not in monitor.output
    assert monitor.stop() == 0
    closed.close()
