"""The rounds of a monitor that watches a running deployment, and the messages that it sends to a local webhook."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

from example_project.webhook_receiver import WebhookReceiver

_PROBLEM = re.compile(r"\[(\w+), (config|outage)\]$", re.MULTILINE)
_RESTORED = re.compile(r"^(\S+) on \S+ is healthy again\b", re.MULTILINE)


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """A message of the monitor.

    Args:
        title: its title.
        body: its text.
    """

    title: str
    body: str

    @property
    def problems(self) -> set[tuple[str, str]]:
        """The code and the fault of each problem in the text."""
        return set(_PROBLEM.findall(self.body))

    @property
    def restored(self) -> set[str]:
        """The services that are healthy again according to the text."""
        return set(_RESTORED.findall(self.body))


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """A round of the monitor.

    Args:
        exit_code: its exit code.
        alerts: the messages that the webhook has received.
        output: what it has written.
    """

    exit_code: int
    alerts: tuple[Alert, ...]
    output: str


class Watch:
    """A monitor: each round is a process of its own, as in a CronJob, and sends its messages to a local webhook.

    Args:
        folder: the working directory of the processes.
        arguments: the options of ``manage.py healthguard monitor``, without ``--once`` and ``--notify``.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        self._arguments = arguments
        self._receiver = WebhookReceiver()

    def round(self, environment: dict[str, str]) -> Round:
        """Run one round in ``environment`` and return it."""
        received = len(self._receiver.messages)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "django", "healthguard", "monitor", "--once"),
                *("--notify", self._receiver.url),
                *self._arguments,
            ],
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        alerts = tuple(Alert(each["title"], each["message"]) for each in self._receiver.messages[received:])
        return Round(done.returncode, alerts, done.stdout + done.stderr)

    def stop(self) -> None:
        """Stop the webhook."""
        self._receiver.stop()
