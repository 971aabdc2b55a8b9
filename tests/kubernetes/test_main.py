"""The command ``python -m healthguard.kubernetes``, in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from healthguard.requirements.document import to_json
from healthguard.requirements.requirement import Requirements
from healthguard.requirements.variable import VariableRequirement
from tests.kubernetes.manifests import WEB
from tests.support.sites import PATIENCE, REPOSITORY

SECRET_VALUE = "kZ8vQ2mXw4Rt7Lp9Ns3Yb6Hd"
SOUND = WEB.replace("valueFrom:\n", f"value: {SECRET_VALUE}\n").replace(
    "                secretKeyRef: {name: keys, key: key}\n", ""
)
"""A Deployment whose container gets API_KEY."""
COMMAND = [sys.executable, "-m", "healthguard.kubernetes"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}


@dataclasses.dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


class Folder:
    """A folder with manifests, in which the command runs.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment = {**ENVIRONMENT, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "80"}

    def write(self, name: str, text: str) -> Folder:
        (self.path / name).write_text(text)
        return self

    def run(self, *arguments: str, stdin: str = "", command: Sequence[str] = COMMAND, **environment: str) -> Done:
        """Run the command, which must not show a traceback."""
        done = subprocess.run(
            [*command, *arguments],
            cwd=self.path,
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        assert SECRET_VALUE not in done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with a sound Deployment and the requirements that it meets."""
    requirements = Requirements((VariableRequirement(names=("API_KEY",), declared_by="django: EnvironmentVariable"),))
    made = Folder(tmp_path)
    return made.write("web.yaml", SOUND).write("healthguard-requirements.json", to_json(requirements))


def test_sound_manifest_is_green_and_the_output_states_what_was_checked(folder: Folder) -> None:
    """The requirements are those of the committed file."""
    done = folder.run("--requirements", "healthguard-requirements.json", "web.yaml")
    assert (done.code, done.err) == (0, "")
    assert "Checked 1 container for 1 required variable, in 1 object of 1 file." in done.out


def test_variable_can_be_required_by_hand(folder: Folder) -> None:
    """Nothing has this variable, so no container is chosen."""
    done = folder.run("--require", "NOBODY_HAS_THIS", "web.yaml")
    assert done.code == 1
    assert "Nothing was checked." in done.out


def test_required_variable_that_is_declared_too_is_required_once(folder: Folder) -> None:
    """The declared requirement is kept, because it judges the value."""
    done = folder.run(
        *("--requirements", "healthguard-requirements.json", "--require", "API_KEY"),
        *("--require", "OTHER", "--require", "OTHER", "--format", "json", "web.yaml"),
    )
    assert json.loads(done.out)["checked"]["required_variables"] == [["API_KEY"], ["OTHER"]]


def test_container_can_be_named(folder: Folder) -> None:
    """It is checked although it has no required variable."""
    done = folder.run("--container", "web", "--format", "json", "web.yaml")
    assert json.loads(done.out)["checked"]["containers"] == ["Deployment web, container web"]


def test_manifests_are_read_from_standard_input(folder: Folder) -> None:
    """Helm and kustomize write to it."""
    done = folder.run("--require", "API_KEY", "-", stdin=SOUND)
    assert done.code == 0


def test_standard_input_named_twice_is_wrong_usage(folder: Folder) -> None:
    """The second time it would be empty."""
    done = folder.run("--require", "API_KEY", "-", "-", stdin=SOUND)
    assert (done.code, done.err) == (2, "Standard input is named more than once. Name - only once.\n")


def test_input_that_does_not_exist_is_never_green(folder: Folder) -> None:
    """The other inputs are checked nevertheless."""
    done = folder.run("--require", "API_KEY", "web.yaml", "missing.yaml")
    assert done.code == 2
    assert "missing.yaml" in done.out
    assert "Checked 1 container" in done.out


def test_input_that_is_not_yaml_has_its_line(folder: Folder) -> None:
    """The line is that of the fault."""
    folder.write("broken.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [}\n")
    done = folder.run("--require", "API_KEY", "web.yaml", "broken.yaml")
    assert done.code == 2
    assert "broken.yaml:3: error:" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "The following arguments are required: PATH."),
        (["web.yaml"], "One of --requirements, --require and --container is needed."),
        (["--require", f"API_KEY={SECRET_VALUE}", "web.yaml"], "without its value."),
        (["--require", SECRET_VALUE + "\n", "web.yaml"], "must be the name of an environment variable"),
        (["--container", "Web!", "web.yaml"], "must be the name of a container"),
        (["--format", SECRET_VALUE, "web.yaml"], "invalid choice"),
        (["--token", SECRET_VALUE, "--require", "A", "web.yaml"], "unknown option"),
        (["--strict=" + SECRET_VALUE, "--require", "A", "web.yaml"], "--strict"),
        (["--strict-un", "--require", "A", "web.yaml"], "unknown option"),
    ],
)
def test_wrong_usage_is_one_sentence_without_the_argument(folder: Folder, arguments: list[str], message: str) -> None:
    """An argument may be a secret that was pasted at the wrong place."""
    done = folder.run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"version": 99}', "[" * 100_000, f'{{"variables": "{SECRET_VALUE}"}}', "\x00"]
)
def test_invalid_file_of_requirements_is_named(folder: Folder, content: str) -> None:
    """Nothing was checked, so the exit code is not 1."""
    done = folder.write("r.json", content).run("--requirements", "r.json", "web.yaml")
    assert (done.code, done.out) == (2, "")
    assert "r.json" in done.err


def test_missing_file_of_requirements_is_named(folder: Folder) -> None:
    """The message states how to write it."""
    done = folder.run("--requirements", "missing.json", "web.yaml")
    assert done.code == 2
    assert "missing.json" in done.err
    assert "healthguard requirements" in done.err


def test_missing_pyyaml_is_reported_with_the_extra(folder: Folder) -> None:
    """The package can be installed without it."""
    program = (
        "import runpy, sys; sys.modules['yaml'] = None; runpy.run_module('healthguard.kubernetes', run_name='__main__')"
    )
    done = folder.run("--require", "API_KEY", "web.yaml", command=[sys.executable, "-c", program])
    assert done.code == 2
    assert done.err == 'PyYAML is not installed. Install it: pip install "django-healthguard[kubernetes]"\n'


@pytest.mark.parametrize("output_format", ["text", "json", "github", "sarif"])
def test_neither_django_nor_http_clients_are_imported(folder: Folder, output_format: str) -> None:
    """A pipeline without the settings may not have them, and they take long."""
    program = (
        "import sys; from healthguard.kubernetes.__main__ import main; code = main(sys.argv[1:]); "
        "print(code, sorted({name.split('.')[0] for name in sys.modules} & "
        "{'django', 'health_check', 'httpx', 'asgiref', 'asyncio'}), file=sys.stderr)"
    )
    done = folder.run(
        *("--requirements", "healthguard-requirements.json", "--format", output_format, "web.yaml"),
        command=[sys.executable, "-c", program],
    )
    assert done.err == "0 []\n"


@pytest.mark.parametrize("output_format", ["json", "sarif"])
def test_document_is_the_only_output(folder: Folder, output_format: str) -> None:
    """A program parses it, also if an input cannot be read."""
    done = folder.run("--require", "API_KEY", "--format", output_format, "web.yaml", "missing.yaml")
    assert done.code == 2
    assert json.loads(done.out)


def test_github_appends_the_summary_of_the_job(folder: Folder) -> None:
    """Another step may have written to it before."""
    folder.write("summary.md", "before\n")
    done = folder.run("--require", "API_KEY", "--format", "github", "web.yaml", GITHUB_STEP_SUMMARY="summary.md")
    assert done.code == 0
    assert (folder.path / "summary.md").read_text().startswith("before\n### ✅ healthguard manifests")


def test_summary_that_cannot_be_written_is_reported(folder: Folder) -> None:
    """The annotations are written nevertheless."""
    done = folder.run("--require", "API_KEY", "--format", "github", "web.yaml", GITHUB_STEP_SUMMARY="/no/such/folder")
    assert done.code == 2
    assert "GITHUB_STEP_SUMMARY" in done.err
    assert "No faults found." in done.out


def test_help_fits_80_columns_and_has_examples_and_exit_codes(folder: Folder) -> None:
    """It is read on a terminal."""
    done = folder.run("--help")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    assert "examples:" in done.out
    assert "exit codes:" in done.out


def test_output_that_is_not_utf8_shows_every_character(folder: Folder) -> None:
    """A container often has the locale C."""
    folder.write("ä.yaml", SOUND)
    done = folder.run("--require", "NOBODY_HAS_THIS", "ä.yaml", PYTHONIOENCODING="ascii")
    assert done.code == 1


def shell(folder: Folder, redirection: str) -> Done:
    """Run the command with a redirection of the shell."""
    script = f'exec "$@" {redirection}'
    return folder.run("--require", "API_KEY", "web.yaml", command=["sh", "-c", script, "sh", *COMMAND])


def test_closed_standard_output_changes_no_exit_code(folder: Folder) -> None:
    """The caller may want only the exit code."""
    assert shell(folder, ">&-").code == 0


def test_closed_standard_error_changes_no_exit_code(folder: Folder) -> None:
    """The output is complete."""
    assert shell(folder, "2>&-").code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_standard_output_is_reported(folder: Folder) -> None:
    """The findings are lost, so the exit code is not 0."""
    done = shell(folder, ">/dev/full")
    assert done.code == 2
    assert "The output cannot be written" in done.err


def test_closed_standard_input_is_reported(folder: Folder) -> None:
    """There is nothing to read."""
    command = ["sh", "-c", 'exec "$@" <&-', "sh", *COMMAND]
    done = folder.run("--require", "API_KEY", "-", command=command)
    assert done.code == 2
    assert "Standard input is closed." in done.err


def test_closed_pipe_ends_the_command_quietly(folder: Folder) -> None:
    """``| head`` closes it."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "--require", "API_KEY", "web.yaml"],
        cwd=folder.path,
        env=folder.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> int | None:
    """Send a signal until the process ends. Python does not notice one that arrives just before a read begins."""
    for _ in range(12):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(PATIENCE / 12)
    return None


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_the_command_quietly(folder: Folder, number: signal.Signals, code: int) -> None:
    """The command waits for the rest of its standard input."""
    with subprocess.Popen(
        [*COMMAND, "--require", "API_KEY", "-"],
        cwd=folder.path,
        env=folder.environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        # More than a pipe holds: the command is reading when the whole text is written.
        process.stdin.write(b"# a comment\n" * 200_000)
        process.stdin.flush()
        assert end(process, number) == code
        assert process.stderr.read() == b""
