"""The manifests of the example project, and the ways in which a pipeline checks them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.support.sites import REPOSITORY

PROJECT = REPOSITORY / "example_project"
OVERLAY = PROJECT / "kubernetes" / "overlays" / "production"
OUTAGE = PROJECT / "kubernetes" / "outage.yaml"
REQUIREMENTS = PROJECT / "healthguard-requirements.json"
PRODUCTION = {"DATABASE_URL": "postgresql://localhost/rsolv_platform_prod", "DRAIN_FILE": "/tmp/drain"}
"""The variables on which the declaration depends."""
WORKFLOW = PROJECT / ".github" / "workflows" / "manifests.yml"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY)}

needs_kustomize = pytest.mark.skipif(
    not (shutil.which("kubectl") or shutil.which("kustomize")), reason="neither kubectl nor kustomize is installed"
)


def _check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "healthguard.kubernetes", "--requirements", str(REQUIREMENTS), *arguments]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_committed_requirements_are_those_of_the_declaration() -> None:
    """The step of the workflow succeeds with the variables that it sets, and without any secret."""
    step = yaml.safe_load(WORKFLOW.read_text())["jobs"]["requirements"]["steps"][-1]
    assert step["env"] == PRODUCTION
    command = step["run"].replace("python", sys.executable, 1).split()
    keys = {name: value for name, value in ENVIRONMENT.items() if not name.endswith(("_KEY", "_TOKEN"))}
    environment = {**keys, **PRODUCTION, "DJANGO_SETTINGS_MODULE": "example_project.settings"}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_kustomize
def test_production_overlay_has_no_finding() -> None:
    done = _check("--strict", "--advice", str(OVERLAY))
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("No faults found.\n")


def test_manifest_of_the_outage_has_its_root_causes() -> None:
    done = _check("--format", "json", str(OUTAGE))
    findings = json.loads(done.stdout)["findings"]
    errors = {(each["rule"], each["variable"]) for each in findings if each["severity"] == "error"}
    assert done.returncode == 1
    assert errors == {
        ("variable-missing", "ANTHROPIC_API_KEY"),
        ("variable-missing", "OPENAI_API_KEY"),
        ("secret-key-empty", "SECRET_KEY"),
        ("wrong-database", "DATABASE_URL"),
    }


def test_hook_of_the_deployment_creates_the_drain_file(tmp_path: Path) -> None:
    """The hook runs with the variables of the container. Only its sleep is left out here."""
    deployment = yaml.safe_load((PROJECT / "kubernetes" / "base" / "deployment.yaml").read_text())
    command = deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert command[command.index("--sleep") + 1] == "15"
    command = [sys.executable, *command[1:], "--sleep", "0"]
    environment = {**ENVIRONMENT, "DRAIN_FILE": str(tmp_path / "drain"), "DJANGO_SETTINGS_MODULE": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "drain").exists()


class Action:
    """The composite action, whose steps are run as the runner of GitHub does it.

    Args:
        folder: the folder of the runner. It contains the environment that the first step would install.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = folder / "healthguard" / "bin" / "python"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        program.chmod(0o755)
        self._action = yaml.safe_load((REPOSITORY / "action.yml").read_text())

    def check(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run the step that checks the manifests."""
        step = self._action["runs"]["steps"][-1]
        values = {name: str(entry.get("default", "")) for name, entry in self._action["inputs"].items()} | inputs
        variables = {name: _filled(text, values) for name, text in step["env"].items()}
        environment = {**os.environ, **variables, "RUNNER_TEMP": str(self._folder), "PYTHONPATH": str(REPOSITORY)}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=PROJECT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


def _filled(text: str, inputs: Mapping[str, str]) -> str:
    """Return a text like ``${{ inputs.paths }}`` with the value of the input."""
    return inputs[text.removeprefix("${{ inputs.").removesuffix(" }}")]


@pytest.fixture
def action(tmp_path: Path) -> Action:
    return Action(tmp_path)


def test_action_annotates_the_manifest_of_the_outage(action: Action) -> None:
    done = action.check(paths="kubernetes/outage.yaml\n")
    assert done.returncode == 1
    assert "::error file=example_project/kubernetes/outage.yaml,line=31," in done.stdout


def test_action_passes_a_manifest_without_errors(action: Action) -> None:
    done = action.check(paths="kubernetes/base/deployment.yaml\nkubernetes/base/service.yaml", strict="true")
    assert done.returncode == 0, done.stdout + done.stderr


def test_action_writes_sarif_although_there_are_errors(action: Action, tmp_path: Path) -> None:
    sarif = tmp_path / "healthguard.sarif"
    done = action.check(paths="kubernetes/outage.yaml", containers="web", sarif=str(sarif))
    assert done.returncode == 1
    assert len(json.loads(sarif.read_text())["runs"][0]["results"]) == 5


def test_action_takes_no_path_as_an_option(action: Action) -> None:
    done = action.check(paths="--help")
    assert done.returncode == 2


def test_steps_of_the_workflow_use_options_that_exist() -> None:
    """The commands of the workflow are run in the folder that is the repository there."""
    workflow = yaml.safe_load(WORKFLOW.read_text())
    command = workflow["jobs"]["manifests"]["steps"][-1]["run"].replace("kubernetes/overlays/production", str(OUTAGE))
    done = subprocess.run(
        command.replace("python", sys.executable, 1).split(),
        cwd=PROJECT, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "::error file=" in done.stdout, done.stderr


def test_pre_commit_hook_uses_options_that_exist() -> None:
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    command = [*hook["entry"].replace("python", sys.executable, 1).split(), str(OUTAGE)]
    done = subprocess.run(command, cwd=PROJECT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert "[variable-missing]" in done.stdout, done.stderr
