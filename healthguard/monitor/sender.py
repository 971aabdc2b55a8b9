"""The delivery of messages: the monitor's side of the process that sends them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Any

from healthguard.monitor.channels import Channel
from healthguard.monitor.outbox import Message
from healthguard.runtime import threads

LIMIT = 30.0
"""The longest time that one delivery may take (seconds). The first one includes the start of a process."""
_ENDED = "the process that sends messages ended"
_Answers = dict[int, concurrent.futures.Future[str]]
"""The answers that one process still owes, by the id of the request."""
_LATE = "the receiver did not answer in time"


def is_apprise_installed() -> bool:
    """Return True if the extra ``notify`` is installed."""
    return importlib.util.find_spec("apprise") is not None


class Sender:
    """The sender of messages. It starts a process with the first message, and again if that process has ended.

    Args:
        limit: the longest time that one delivery may take (seconds).
    """

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._process: subprocess.Popen[str] | None = None
        self._answers: _Answers = {}
        self._lock = threading.Lock()
        self._last_id = 0

    def flaws(self, channels: Sequence[Channel]) -> dict[str, str]:
        """Return why a URL cannot be used, by the name of its channel. Valid ones are left out."""
        requests = [{"url": channel.url, "title": "", "body": "", "kind": ""} for channel in channels]
        reasons = dict(zip([channel.name for channel in channels], self._requested(requests), strict=True))
        return {name: reason for name, reason in reasons.items() if reason}

    def deliver(self, messages: Sequence[Message], urls: Mapping[str, str]) -> list[str]:
        """Deliver messages, all at the same time. Return why each has failed; an empty text if it is delivered.

        Args:
            messages: the messages.
            urls: the URL of each channel, by its name.
        """
        return self._requested(
            [
                {
                    "url": urls[message.channel],
                    "title": message.title,
                    "body": message.body,
                    "kind": message.kind,
                }
                for message in messages
            ]
        )

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            with contextlib.suppress(OSError):
                _stream(process.stdin).close()

    def _requested(self, requests: Sequence[Mapping[str, str]]) -> list[str]:
        """Send requests to the process, and return its answers."""
        futures = [self._write(request) for request in requests]
        _, late = concurrent.futures.wait(futures, self._limit)
        if late:
            # What still hangs in the process would use its threads and connections until it ends.
            self.close()
        return [_LATE if future in late else future.result() for future in futures]

    def _write(self, request: Mapping[str, str]) -> concurrent.futures.Future[str]:
        future: concurrent.futures.Future[str] = concurrent.futures.Future()
        try:
            process = self._running()
            with self._lock:
                self._last_id += 1
                identifier = self._last_id
                self._answers[identifier] = future
            _stream(process.stdin).write(json.dumps({**request, "id": identifier}) + "\n")
            _stream(process.stdin).flush()
        except (OSError, RuntimeError, ValueError) as error:
            self.close()
            if not future.done():
                future.set_result(f"the process that sends messages cannot be used: {type(error).__name__}")
        return future

    def _running(self) -> subprocess.Popen[str]:
        """Return the process; start it if it is not running.

        Raises:
            OSError: it cannot be started.
            RuntimeError: this process cannot start another thread.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._answers = {}
            process = subprocess.Popen(
                [sys.executable, "-m", "healthguard.monitor.sending"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # The folders of --pythonpath are only in the path of this process.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                text=True,
                encoding="utf-8",
                # Ctrl-C in a terminal ends the monitor, which ends this process.
                start_new_session=True,
            )
            self._process = process
            threads.start(functools.partial(self._read, process, self._answers), "healthguard-sender")
        return self._process

    def _read(self, process: subprocess.Popen[str], answers: _Answers) -> None:
        """Pass the answers of a process on, until it ends."""
        try:
            with _stream(process.stdout) as lines:
                for line in lines:
                    answer = json.loads(line)
                    self._resolve(answers, answer["id"], answer["reason"])
        except (ValueError, KeyError, OSError):
            process.kill()
        for identifier in list(answers):
            self._resolve(answers, identifier, _ENDED)

    def _resolve(self, answers: _Answers, identifier: int, reason: str) -> None:
        with self._lock:
            future = answers.pop(identifier, None)
        if future is not None and not future.done():
            future.set_result(reason)


def _stream(stream: IO[Any] | None) -> IO[Any]:
    assert stream is not None
    return stream
