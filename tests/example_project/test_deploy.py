"""The manifests in deploy/, which run the monitor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import load_command_class

from healthguard.management.monitor_options import Options
from tests.example_project.test_kubernetes import PRODUCTION, needs_kustomize
from tests.support.sites import REPOSITORY

FOLDER = REPOSITORY / "deploy"
VARIANTS = ["monitor-deployment.yaml", "monitor-cronjob.yaml"]


def pod(name: str) -> dict[str, Any]:
    """Return the specification of the pod in a manifest."""
    spec: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())["spec"]
    template = spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]
    found: dict[str, Any] = template["spec"]
    return found


def command(name: str) -> list[str]:
    """Return the command line of the monitor in a manifest."""
    (container,) = pod(name)["containers"]
    return [*container["command"], *container["args"]]


def test_manifests_have_no_fault_and_no_warning() -> None:
    environment = {**os.environ, **PRODUCTION, "DJANGO_SETTINGS_MODULE": "example_project.settings"}
    done = subprocess.run(
        [sys.executable, "-m", "django", "healthguard", "manifests", "--strict", "--advice", str(FOLDER)],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("Checked 2 containers for 4 required variables, in 3 objects of 3 files.")


@needs_kustomize
def test_kustomize_reads_the_manifests(tmp_path: Path) -> None:
    names = ["monitor-state.yaml", "monitor-deployment.yaml"]
    for name in names:
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": names}))
    tool = ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"]
    done = subprocess.run([*tool, str(tmp_path)], capture_output=True, text=True, check=False)
    assert [document["kind"] for document in yaml.safe_load_all(done.stdout)] == ["PersistentVolumeClaim", "Deployment"]


@pytest.mark.parametrize("name", VARIANTS)
def test_options_of_the_monitor_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", "json://127.0.0.1/")
    monkeypatch.setenv("HEARTBEAT_URL", "http://127.0.0.1/ping")
    program, *arguments = command(name)[2:]
    parser = load_command_class("healthguard", "healthguard").create_parser(program, "healthguard")
    options = Options.of(vars(parser.parse_args(arguments[1:])))
    assert (options.once, options.name) == (name == "monitor-cronjob.yaml", "vending-production")
    assert options.notify == ("json://127.0.0.1/",)


@pytest.mark.parametrize("name", VARIANTS)
def test_no_url_is_an_argument(name: str) -> None:
    """Other users of a machine can read the arguments of a process."""
    assert "://" not in shlex.join(command(name))


@pytest.mark.parametrize("name", VARIANTS)
def test_pod_has_only_the_rights_that_it_needs(name: str) -> None:
    spec = pod(name)
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_two_monitors_never_use_the_state_at_once() -> None:
    deployment = yaml.safe_load((FOLDER / "monitor-deployment.yaml").read_text())["spec"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    assert yaml.safe_load((FOLDER / "monitor-cronjob.yaml").read_text())["spec"]["concurrencyPolicy"] == "Forbid"
