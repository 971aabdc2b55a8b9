"""``manage.py healthguard manifests``: manifests against the declaration of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from healthguard.requirements.document import to_json
from healthguard.requirements.requirement import Requirements
from tests.management.conftest import Command, Project

DECLARED = "{'django': Service(EnvironmentVariable('API_KEY'))}"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: web
          env: [{name: API_KEY, value: 5d41402abc4b2a76b9719d911017c592}]
"""


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    """The path of a sound manifest."""
    path = tmp_path / "web.yaml"
    path.write_text(WEB)
    return str(path)


def test_requirements_are_those_of_the_declaration(command: Command, manifest: str) -> None:
    """No check is run, and the variable is not set here."""
    done = command.declare(DECLARED).run("manifests", manifest, "--format", "json")
    assert done.json["checked"]["required_variables"] == [["API_KEY"]]
    assert done.json["checked"]["containers"] == ["Deployment web, container web"]
    assert done.code == 0


def test_text_is_the_default(command: Command, manifest: str) -> None:
    """The verdict is the last line."""
    done = command.declare(DECLARED).run("manifests", manifest)
    assert done.out.splitlines()[-1] == "No faults found."


def test_file_of_requirements_replaces_the_declaration(command: Command, manifest: str, tmp_path: Path) -> None:
    """Another project may have written it."""
    (tmp_path / "r.json").write_text(to_json(Requirements(())))
    arguments = ("--requirements", str(tmp_path / "r.json"), "--require", "OTHER")
    done = command.declare(DECLARED).run("manifests", manifest, *arguments, "--format", "json")
    assert done.json["checked"]["required_variables"] == [["OTHER"]]
    assert done.code == 1


def test_invalid_declaration_is_exit_code_2(command: Command, manifest: str) -> None:
    """Its message is that of the system check, and not that of a bug."""
    done = command.declare("{'django': Service(EnvironmentVariable(5))}").run("manifests", manifest)
    assert done.code == 2
    assert "bug" not in done.err


def test_wrong_usage_is_exit_code_2(command: Command, manifest: str) -> None:
    """The value is not shown."""
    done = command.declare(DECLARED).run("manifests", manifest, "--require", "API_KEY=s3cr3t")
    assert done.code == 2
    assert "s3cr3t" not in done.out + done.err


def test_missing_input_is_exit_code_2(command: Command, manifest: str) -> None:
    """It is named in the report."""
    done = command.declare(DECLARED).run("manifests", manifest, "missing.yaml")
    assert done.code == 2
    assert "missing.yaml" in done.out


def test_help_fits_80_columns_and_has_examples_and_exit_codes(project: Project) -> None:
    """It is read on a terminal."""
    text = project.help("manifests", "--help")
    assert max(map(len, text.splitlines())) <= 80
    assert "examples:" in text
    assert "exit codes:" in text
