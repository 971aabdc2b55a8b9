"""The program that renders a kustomization: kustomize, or the one that is built into kubectl."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

MAX_SECONDS = 20.0
"""The longest time that rendering may take. A remote base is fetched with git."""
MAX_OUTPUT = 16 * 1024 * 1024
"""The largest rendered output that is read (bytes)."""
_MAX_ERROR = 64 * 1024

# kustomize first: where it is installed, it was chosen for this, while that of kubectl is often years old.
_COMMANDS = (("kustomize", "build"), ("kubectl", "kustomize"))
_NO_PROMPTS = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}


class ProgramError(Exception):
    """The program did not come to an end. The text continues a sentence: "The folder … ".

    Args:
        reason: the reason, which contains nothing of the program's output.
        remedy: the remedy.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """The result of a program that has ended.

    Args:
        is_success: True if it has rendered the folder.
        output: its output. It contains secrets.
        error: the beginning of its error output. It may contain secrets.
    """

    is_success: bool
    output: bytes = dataclasses.field(repr=False)
    error: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """A program that renders a kustomization.

    Args:
        path: the path of the executable file.
        name: its name, ``kustomize`` or ``kubectl``.
        command: its subcommand.
    """

    path: str
    name: str
    command: str

    @classmethod
    def find(cls) -> Program | None:
        """Return the program on PATH; None if there is none."""
        for name, command in _COMMANDS:
            if path := shutil.which(name):
                return cls(path, name, command)
        return None

    def render(self, folder: Path, *, seconds: float | None = None, max_output: int = MAX_OUTPUT) -> Result:
        """Run the program in a folder with a kustomization, and return the result.

        Args:
            folder: the folder.
            seconds: the longest time; by default MAX_SECONDS.
            max_output: the largest output (bytes).

        Raises:
            ProgramError: the program could not be started, has not ended in time, or its output is too large.
        """
        with tempfile.TemporaryFile() as error:
            try:
                process = subprocess.Popen(  # noqa: S603 the path was found on PATH
                    [self.path, self.command, "."],
                    cwd=folder,
                    env=_NO_PROMPTS | os.environ,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=error,
                    # A group of its own, so that git ends with it. Without a terminal, ssh cannot prompt.
                    start_new_session=True,
                )
            except OSError as cause:
                reason = f"cannot be rendered, because {self.path} could not be started ({type(cause).__name__})."
                raise ProgramError(reason, f"Install {self.name} again.") from None
            output = _read_all(process, MAX_SECONDS if seconds is None else seconds, max_output)
            error.seek(0)
            text = error.read(_MAX_ERROR).decode(errors="replace")
        return Result(process.returncode == 0, output, text)


def _read_all(process: subprocess.Popen[bytes], seconds: float, max_output: int) -> bytes:
    """Return the output of a process when it has ended; end it if that takes too long."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        _end_group(process)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    assert process.stdout is not None
    try:
        with process.stdout as stream:
            output = stream.read(max_output + 1)
            if len(output) <= max_output:
                process.wait()
    finally:
        timer.cancel()
        _end_group(process)
        process.wait()
    if is_late.is_set():
        raise ProgramError(
            f"could not be rendered within {seconds:g} s.",
            "Check that its remote bases can be reached, or render it yourself and pipe the result in.",
        )
    if len(output) > max_output:
        raise ProgramError(
            f"renders to more than {max_output // (1024 * 1024)} MiB.", "Name the folder of one application."
        )
    return output


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it has started."""
    if sys.platform == "win32":
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # All of them have ended. On macOS, EPERM is raised for a group of zombies.
