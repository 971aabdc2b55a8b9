"""Monitors in a process of their own, and the services and servers that they watch."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.management.conftest import Command, Done, Project
from tests.support.sites import wait_until

SWITCHED = """
import dataclasses, pathlib, time
from healthguard import Fault, Unhealthy
from healthguard.checks.base import Check

@dataclasses.dataclass(repr=False)
class Switched(Check):
    name: str
    fault: str = "config"
    def run(self):
        if pathlib.Path(f"{self.name}-hangs").exists():
            pathlib.Path(f"{self.name}-started").touch()
            time.sleep(100_000)
        if pathlib.Path(f"{self.name}-off").exists():
            message = f"The switch {self.name} is off."
            raise Unhealthy("switched_off", message, fault=Fault(self.fault), hint="Turn it on.")
"""


def switched(project: Project, *names: str, **settings: object) -> Project:
    """Declare services, each of which fails while there is a file with its name and ``-off``."""
    services = ", ".join(f'"{name}": Service(Switched("{name}"), timeout=3600)' for name in names)
    project.declare("{}", more=f"from switched import Switched\nHEALTHGUARD['SERVICES'] = {{{services}}}", **settings)
    (project.site.folder / "switched.py").write_text(SWITCHED)
    return project


class RunningMonitor:
    """``manage.py healthguard monitor`` in a process of its own, and its output so far.

    Args:
        project: the project. Its folder gets the output.
        arguments: the arguments of the subcommand.
        environment: further environment variables.
    """

    def __init__(self, project: Project, *arguments: str, **environment: str) -> None:
        self._folder = project.site.folder
        number = len(list(self._folder.glob("monitor-*.out")))
        self._out, self._err = (self._folder / f"monitor-{number}.{kind}" for kind in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            # A shell ignores SIGINT in the commands that it starts in the background, and so would this process.
            self.process = subprocess.Popen(
                ["env", "--default-signal=INT", *project.command("monitor", *arguments)],
                cwd=self._folder,
                env={**project.site.env, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def output(self) -> str:
        """Everything that it has written."""
        return self._out.read_text(errors="replace") + self._err.read_text(errors="replace")

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines that ``--format json`` has written, without one that is not complete yet."""
        text, _, _ = self._out.read_text().rpartition("\n")
        return [json.loads(line) for line in text.splitlines()]

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until it has written a text ``count`` times."""
        wait_until(lambda: self.output.count(text) >= count or self.process.poll() is not None, lambda: self.output)
        assert self.output.count(text) >= count, self.output

    def wait_for_rounds(self, count: int) -> None:
        """Wait for more rounds. It must run with ``--format json``."""
        self.wait_for('"event": "round"', self.output.count('"event": "round"') + count)

    def children(self) -> list[psutil.Process]:
        """Return the processes that it has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait until it and all its children have ended, and return its exit code."""
        children = self.children()
        self.process.send_signal(number)
        code = self.process.wait()
        wait_until(lambda: not any(map(_is_alive, children)), lambda: children)
        return code

    def kill(self) -> None:
        """End it if it is still running."""
        self.process.kill()
        self.process.wait()


class SilentServer:
    """A server that accepts connections, and never answers.

    Args:
        is_listening: False to refuse connections.
    """

    def __init__(self, *, is_listening: bool = True) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        if is_listening:
            self._socket.listen(128)
        self.port = int(self._socket.getsockname()[1])
        self._accepted: list[socket.socket] = []

    def wait_for_request(self) -> None:
        """Wait until a client has connected."""
        self._socket.settimeout(60)
        self._accepted.append(self._socket.accept()[0])

    def close(self) -> None:
        """Close it and its connections."""
        for connection in (self._socket, *self._accepted):
            connection.close()


def files_in(folder: Path) -> Iterator[str]:
    """Yield the content of each file that a monitor has written into a folder."""
    for path in folder.glob("state*"):
        if path.is_file():
            yield path.read_text(errors="replace")


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def once(command: Command, *arguments: str, **environment: str) -> Done:
    """Run one round. An instance without a URL is named "here"."""
    name = () if "--url" in arguments else ("--name", "here")
    return command.run("monitor", "--once", *name, *arguments, **environment)


def changes(done: Done) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the changes that a monitor with ``--format json`` has written, by instance and service."""
    lines = map(json.loads, done.out.splitlines())
    return {(line["instance"], line["service"]): line for line in lines if line["event"] == "change"}
