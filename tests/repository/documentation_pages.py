"""A new Django project into which the code blocks of a documentation page are pasted unchanged.

This module imports only the standard library, because ``.ci/smoke.py`` uses it with an installed healthguard.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import re
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from example_project.ports import free_port, listens

PROJECT = "mysite"
START_SECONDS = 60.0
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\S+\.py)$", re.MULTILINE)
_KEPT_VARIABLES = re.compile(r"PATH|HOME|TMPDIR|LANG|LC_\w+|COVERAGE_\w+")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced code block.

    Args:
        language: the word after the fence.
        text: the code.
    """

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that the first line names, as in ``# settings.py``."""
        match = _FILE.match(self.text)
        return match[1] if match else None

    @property
    def is_declaration(self) -> bool:
        """True if the block assigns the HEALTHGUARD setting."""
        return self.file == "settings.py" and "\nHEALTHGUARD = {" in self.text


@dataclasses.dataclass(frozen=True)
class Page:
    """A page of the documentation."""

    path: Path

    @property
    def text(self) -> str:
        """The Markdown text."""
        return self.path.read_text(encoding="utf-8")

    def blocks(self, language: str) -> list[Block]:
        """Return the code blocks in ``language``, in the order of the page."""
        found = [Block(match[2], textwrap.dedent(match[3])) for match in _FENCE.finditer(self.text)]
        return [block for block in found if block.language == language]

    def first_steps(self) -> list[Block]:
        """Return the blocks for settings.py and urls.py before the declaration."""
        blocks = self.blocks("python")
        declared = blocks.index(self.declaration())
        return [block for block in blocks[:declared] if block.file in {"settings.py", "urls.py"}]

    def declaration(self) -> Block:
        """Return the block with the HEALTHGUARD setting."""
        return next(block for block in self.blocks("python") if block.is_declaration)

    def paths(self) -> list[str]:
        """Return the paths in the curl lines and in the probes."""
        requested = re.findall(r"curl -s localhost:8000(/\S+)", self.text)
        probed = [path for block in self.blocks("yaml") for path in re.findall(r"path: (/[\w/]+)", block.text)]
        return list(dict.fromkeys([*requested, *probed]))


@dataclasses.dataclass(frozen=True)
class JsonReply:
    """A response whose body is JSON."""

    status: int
    json: Any


class DocumentedProject:
    """A project made by ``django-admin startproject``.

    Args:
        folder: an empty folder.
        python: the interpreter of the environment in which healthguard is installed.
    """

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = python
        self.environment = {name: value for name, value in os.environ.items() if _KEPT_VARIABLES.fullmatch(name)}
        """The environment variables, without the keys and the DATABASE_URL of the user who runs the tests."""
        self._run("-m", "django", "startproject", PROJECT, str(folder)).check_returncode()

    def paste(self, *blocks: Block) -> None:
        """Append each block to the file that it names."""
        for block in blocks:
            assert block.file, block.text
            folder = self.folder if block.file == "gunicorn.conf.py" else self.folder / PROJECT
            with (folder / block.file).open("a", encoding="utf-8") as file:
                file.write(f"\n{block.text}")

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py and return the finished process."""
        return self._run("manage.py", *arguments)

    @contextlib.contextmanager
    def serve(self, *command: str) -> Iterator[RunningProject]:
        """Serve the project with ``command``, in which ``{port}`` is replaced by a free port, or with runserver."""
        port = free_port()
        command = command or ("manage.py", "runserver", "--noreload", "127.0.0.1:{port}")
        log = self.folder / f"server-{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.python, *(argument.format(port=port) for argument in command)],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            ends = time.monotonic() + START_SECONDS
            while not listens(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < ends, log.read_text()
                time.sleep(0.05)
            yield RunningProject(port)
        finally:
            process.terminate()
            process.wait(30)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@dataclasses.dataclass(frozen=True)
class RunningProject:
    """A project that is being served."""

    port: int

    def get(self, path: str, host: str = "localhost") -> JsonReply:
        """Request ``path`` as ``curl localhost:<port>`` does, and return the response, which must be JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": f"{host}:{self.port}"})
            response = connection.getresponse()
            body = response.read()
            assert response.headers.get_content_type() == "application/json", body
            return JsonReply(response.status, json.loads(body))
        finally:
            connection.close()

    def wait_for(self, path: str, status: int) -> JsonReply:
        """Request ``path`` until the status of the response is ``status``, and return the response."""
        return self._wait(path, lambda reply: reply.status == status)

    def wait_until_known(self, path: str) -> JsonReply:
        """Request ``path`` until no service in the response is unknown, and return the response.

        A check that does not run because an earlier check failed stays unknown.
        """
        return self._wait(path, lambda reply: not _is_unknown(reply.json))

    def _wait(self, path: str, is_expected: Callable[[JsonReply], bool]) -> JsonReply:
        ends = time.monotonic() + START_SECONDS
        while not is_expected(reply := self.get(path)):
            assert time.monotonic() < ends, reply
            time.sleep(0.2)
        return reply


def _is_unknown(answer: dict[str, Any]) -> bool:
    """Return True if a service is unknown or the first run of a check has not finished."""
    services = json.dumps([answer["status"], answer.get("services")])
    return '"unknown"' in services or '"code": "pending"' in json.dumps(answer)
