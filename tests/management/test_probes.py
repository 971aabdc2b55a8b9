"""``manage.py healthguard probes``."""

from __future__ import annotations

import json

import pytest
from django.test import override_settings
from django.urls import include, path

from tests.management.conftest import Command, Project

SERVICES = "{'slow': Service(Passes(), timeout=30), 'workers': Service(Passes(), ready='never')}"


def test_yaml_is_the_default(command: Command) -> None:
    """Without options, the probes of a web container are printed."""
    done = command.declare(SERVICES).run("probes")
    assert (done.code, done.err) == (0, "")
    assert "path: /api/health/ready" in done.out


def test_numbers_come_from_the_declaration(command: Command) -> None:
    """DEADLINE, DRAIN_FILE and the timeouts of the services decide the numbers."""
    done = command.declare(SERVICES, DEADLINE=3, DRAIN_FILE="/run/drain").run("probes", "--format", "json")
    fields = done.json["container"]
    assert fields["readinessProbe"]["timeoutSeconds"] == 4
    assert fields["startupProbe"]["periodSeconds"] * fields["startupProbe"]["failureThreshold"] >= 110
    assert fields["lifecycle"]["preStop"]["exec"]["command"][-1].startswith("touch /run/drain")


def test_worker_does_not_wait_for_services_that_only_report(command: Command) -> None:
    """A worker that pings all workers would wait for itself."""
    done = command.declare(SERVICES).run("probes", "--part", "worker", "--format", "json")
    assert done.json["container"]["startupProbe"]["exec"]["command"][-2:] == ["--exclude", "workers"]


def test_port_may_be_a_name(command: Command) -> None:
    """A manifest may use the name of a port."""
    done = command.declare(SERVICES).run("probes", "--port", "http", "--format", "json")
    assert done.json["container"]["livenessProbe"]["httpGet"] == {"path": "/api/health/live", "port": "http"}


def test_docker_line_contains_the_port(command: Command) -> None:
    """The probe of Docker runs in the container itself."""
    done = command.declare(SERVICES).run("probes", "--format", "docker", "--port", "9000")
    command_line = json.loads(done.out.partition("CMD ")[2])
    assert command_line[-1] == "http://127.0.0.1:9000/api/health/ready"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "0"),
        ("--port", "65536"),
        ("--port", "HTTP"),
        ("--port", "a-name-that-is-too-long"),
        ("--part", "cron"),
        ("--format", "xml"),
        ("--format", "docker", "--port", "http"),
    ],
)
def test_wrong_usage_ends_with_2(command: Command, arguments: tuple[str, ...]) -> None:
    """The reason is in one line of standard error."""
    done = command.declare(SERVICES).run("probes", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.strip()


@pytest.mark.parametrize(
    ("urlconf", "message"), [((), "is not mounted"), ("tests.management.no_such_urls", "cannot be imported")]
)
def test_missing_mount_ends_with_2(command: Command, urlconf: object, message: str) -> None:
    """Probes of a path at which nothing responds would fail in the cluster."""
    command.declare(SERVICES)
    with override_settings(ROOT_URLCONF=urlconf):
        done = command.run("probes")
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_mount_that_depends_on_the_request_ends_with_2(command: Command) -> None:
    """No probe can know the captured argument."""
    command.declare(SERVICES)
    with override_settings(ROOT_URLCONF=(path("<slug:tenant>/health", include("healthguard.urls")),)):
        done = command.run("probes")
    assert (done.code, done.out) == (2, "")
    assert "depend on the request" in done.err


def test_command_runs_in_a_project(project: Project) -> None:
    """The printed text is all that the process writes."""
    done = project.declare("{'ok': Passes()}").run("probes", "--part", "scheduler")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("# A scheduler.")


def test_help_fits_80_columns(project: Project) -> None:
    """The help is readable on a small terminal."""
    assert max(map(len, project.help("probes", "--help").splitlines())) <= 80
