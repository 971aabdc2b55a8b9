"""The texts of the probes that fit a declaration."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from healthguard.kubernetes.probe_template.plan import Part, Plan
from healthguard.kubernetes.probe_template.rendering import render_docker, render_json, render_yaml
from healthguard.requirements.requirement import Requirements
from tests.kubernetes.rules.probes.probe_manifests import findings

PLAN = Plan("/api/health", 8000, 0.8, 5.0)
PLANS = [
    PLAN,
    Plan("/api/health", "http", 0.8, 5.0, "/tmp/drain"),
    Plan("/internal/health", 8000, 1.0, 30.0, "/run/the app/drain's file"),
    Plan("/api/health", 8000, 2.5, 0.5),
    Plan("/health", 8000, 30.0, 60.0, "/tmp/drain", ("workers", "mail/smtp")),
]


def deployment(part: Part, plan: Plan) -> str:
    """Return a Deployment that contains the printed fields."""
    name = f"        - name: {part}\n"
    ports = "          image: shop\n          ports: [{name: http, containerPort: 8000}]\n"
    head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\n"
    return head + render_yaml(part, plan).replace(name, name + (ports if part is Part.WEB else ""))


def requirements(plan: Plan) -> Requirements:
    return Requirements((), (plan.mount_path.strip("/"),), plan.deadline, plan.drain_file)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("part", Part)
def test_printed_probes_satisfy_all_rules(part: Part, plan: Plan) -> None:
    """The printed fields, in a Deployment, have not even advice."""
    assert findings(deployment(part, plan), requirements(plan)) == []


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("part", Part)
def test_yaml_and_json_contain_the_same_fields(part: Part, plan: Plan) -> None:
    """The comments and the quotes of the YAML change no value."""
    pod: dict[str, Any] = yaml.safe_load(render_yaml(part, plan))["spec"]["template"]["spec"]
    [container] = pod.pop("containers")
    assert container.pop("name") == part
    assert {"container": container, "pod": pod} == json.loads(render_json(part, plan))


@pytest.mark.parametrize(("deadline", "timeout"), [(0.8, 1), (0.2, 1), (1.0, 2), (2.5, 3)])
def test_timeout_is_above_the_deadline(deadline: float, timeout: int) -> None:
    """timeoutSeconds is a whole number above DEADLINE."""
    fields = json.loads(render_json(Part.WEB, Plan("/api/health", 8000, deadline, 5.0)))["container"]
    assert [fields[name]["timeoutSeconds"] for name in ("startupProbe", "readinessProbe")] == [timeout, timeout]


@pytest.mark.parametrize(("longest", "seconds"), [(5.0, 60), (30.0, 110), (0.5, 52)])
def test_startup_budget_covers_the_slowest_service(longest: float, seconds: int) -> None:
    """A pod has the time for two runs of the slowest service."""
    probe = json.loads(render_json(Part.WEB, Plan("/api/health", 8000, 0.8, longest)))["container"]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == seconds


def test_hook_creates_the_drain_file() -> None:
    """The path is quoted for the shell."""
    fields = json.loads(render_json(Part.WEB, Plan("/api/health", 8000, 0.8, 5.0, "/run/the app/drain")))
    hook = fields["container"]["lifecycle"]["preStop"]
    assert hook == {"exec": {"command": ["sh", "-c", "touch '/run/the app/drain'; sleep 10"]}}


def test_hook_without_a_drain_file_only_sleeps() -> None:
    """Without DRAIN_FILE no shell is needed."""
    assert json.loads(render_json(Part.WEB, PLAN))["container"]["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}


@pytest.mark.parametrize("part", [Part.WORKER, Part.SCHEDULER])
def test_worker_has_only_a_startup_probe(part: Part) -> None:
    """A probe that starts Django runs only until it has succeeded once."""
    plan = Plan("/api/health", 8000, 0.8, 5.0, "/tmp/drain", ("workers",))
    [(name, probe)] = json.loads(render_json(part, plan))["container"].items()
    assert name == "startupProbe"
    assert probe["exec"]["command"] == ["python", "manage.py", "healthguard", "check", "--exclude", "workers"]
    assert probe["timeoutSeconds"] <= probe["periodSeconds"]


def test_docker_probe_waits_longer_than_the_deadline_and_docker_longer_than_the_probe() -> None:
    """The instruction contains a command of JSON, without a shell."""
    comment, instruction = render_docker(Part.WEB, PLAN).split("\nHEALTHCHECK ")
    options, command = instruction.split(" \\\n    CMD ")
    assert comment.startswith("#")
    assert options == "--interval=10s --timeout=5s --start-period=60s --retries=3"
    assert json.loads(command) == [
        *("python", "-m", "healthguard.probe", "--timeout=2"),
        "http://127.0.0.1:8000/api/health/ready",
    ]


def test_docker_check_of_a_worker_is_rare() -> None:
    """Each check starts Django."""
    assert "--interval=300s --timeout=20s" in render_docker(Part.WORKER, PLAN)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("part", Part)
def test_lines_fit_a_review(part: Part, plan: Plan) -> None:
    """No line of the YAML is longer than 120 characters."""
    assert max(map(len, render_yaml(part, plan).splitlines())) <= 120
