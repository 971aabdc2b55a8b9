"""The rules for the time limits of probes and of the shutdown."""

from __future__ import annotations

import dataclasses

import pytest

from healthguard.requirements.requirement import Requirements
from tests.kubernetes.rules.probes.probe_manifests import REQUIREMENTS, fault_line, faults, findings, manifest

SLOW = dataclasses.replace(REQUIREMENTS, deadline=2.5)
LONG = "timeoutSeconds: 5"
STARTUP = f"startupProbe: {{httpGet: {{path: /api/health/startup, port: http}}, {LONG}}}"
DRAINING = Requirements((), mount_paths=("api/health",), drain_file="/tmp/drain")


def readiness(*fields: str, handler: str = "httpGet: {path: /api/health/ready, port: http}") -> str:
    return "readinessProbe:\n" + "\n".join(f"  {field}" for field in (handler, *fields))


def command(*words: str) -> str:
    return f"exec: {{command: [{', '.join(words)}]}}"


OWN = command("python", "-m", "healthguard.probe", "'http://127.0.0.1:8000/api/health/ready'")


@pytest.mark.parametrize("fields", ["timeoutSeconds: 1  # fault", "timeoutSeconds: 2  # fault"])
def test_timeout_at_or_below_the_deadline_is_a_warning(fields: str) -> None:
    """The kubelet must wait longer than a response may take."""
    text = manifest(startup=STARTUP, readiness=readiness(fields))
    assert faults(text, SLOW) == [("probe-timeout", "warning", fault_line(text))]


def test_timeout_equal_to_the_deadline_is_a_warning() -> None:
    """A response that takes exactly DEADLINE arrives too late."""
    text = manifest(startup=STARTUP, readiness=readiness("timeoutSeconds: 2  # fault"))
    requirements = dataclasses.replace(REQUIREMENTS, deadline=2.0)
    assert faults(text, requirements) == [("probe-timeout", "warning", fault_line(text))]


def test_default_timeout_is_one_second() -> None:
    """A probe without timeoutSeconds is reported at its name."""
    text = manifest(startup=STARTUP, readiness=readiness().replace("readinessProbe:", "readinessProbe:  # fault"))
    assert faults(text, SLOW) == [("probe-timeout", "warning", fault_line(text))]


@pytest.mark.parametrize("fields", [LONG, "timeoutSeconds: 3"])
def test_timeout_above_the_deadline_is_accepted(fields: str) -> None:
    """A liveness probe at /live waits for nothing, so its timeout is not judged."""
    assert faults(manifest(startup=STARTUP, readiness=readiness(fields)), SLOW) == []


def test_default_timeout_is_above_the_default_deadline() -> None:
    """The defaults of Kubernetes and of healthguard fit each other."""
    assert faults(manifest(readiness=readiness())) == []


@pytest.mark.parametrize(
    ("handler", "fields"),
    [
        (OWN, ""),
        (OWN, "timeoutSeconds: 1"),
        (OWN.replace("probe,", "probe, --timeout, '3',"), "timeoutSeconds: 3"),
        (OWN.replace("probe,", "probe, --timeout=0.5,"), LONG),
        (command("curl", "-f", "-m", "'0.5'", "'http://localhost:8000/api/health/ready'"), LONG),
        (command("curl", "-f", "--max-time", "'0.8'", "'http://localhost:8000/api/health/ready'"), LONG),
        (command("wget", "-qO-", "-T0.5", "'http://localhost:8000/api/health/ready'"), LONG),
    ],
)
def test_time_limit_of_a_program_is_judged(handler: str, fields: str) -> None:
    """The program must wait longer than DEADLINE, and the kubelet longer than the program."""
    assert [rule for rule, _, _ in faults(manifest(readiness=readiness(fields, handler=handler)))] == ["probe-timeout"]


@pytest.mark.parametrize(
    "handler",
    [
        OWN,
        OWN.replace("probe,", "probe, --timeout=3,"),
        command("curl", "-f", "-m", "'3'", "'http://localhost:8000/api/health/ready'"),
        command("curl", "-f", "'http://localhost:8000/api/health/ready'"),
        command("curl", "-f", "'http://redis.example.com/api/health/ready'", "-m", "'0.1'"),
        OWN.replace("'http://127.0.0.1:8000/api/health/ready'", "'unix:/run/app.sock:/api/health/ready'"),
    ],
)
def test_program_that_waits_long_enough_is_accepted(handler: str) -> None:
    """A time limit that is not known, and one of a request to another host, are not judged."""
    assert faults(manifest(readiness=readiness(LONG, handler=handler))) == []


def shutdown(*, grace: str = "", sleep: str = "sleep: {seconds: 20}", server: str = "", args: str = "") -> str:
    """Return a manifest with a hook that sleeps, and with the command of a server."""
    words = f"[{server}]" if server else "[]"
    return manifest(
        pod=f"terminationGracePeriodSeconds: {grace}" if grace else "",
        lifecycle=f"lifecycle:\n  preStop:\n    {sleep}",
        more=f"command: {words}\nargs: [{args}]",
    )


def drain(*options: str) -> str:
    """Return a hook that runs the command of healthguard."""
    return command("python", "manage.py", "healthguard", "drain", *options)


GUNICORN = "gunicorn, --graceful-timeout, '25', shop.wsgi"


@pytest.mark.parametrize(
    "text",
    [
        shutdown(grace="40  # fault", server=GUNICORN),
        shutdown(sleep="sleep: {seconds: 20}  # fault", server=GUNICORN),
        shutdown(grace="40  # fault", server="gunicorn, --graceful-timeout=25, shop.wsgi"),
        shutdown(grace="40  # fault", args="gunicorn, --graceful-timeout=25, shop.wsgi"),
        shutdown(grace="40  # fault", server="sh, -c, 'exec gunicorn --graceful-timeout 25 shop.wsgi'"),
        shutdown(grace="40  # fault", server="uvicorn, --timeout-graceful-shutdown, '25', shop.asgi:app"),
        shutdown(grace="30  # fault", sleep="exec: {command: [sleep, '30']}"),
        shutdown(grace="30  # fault", sleep="exec: {command: [sh, -c, 'touch /tmp/drain && sleep 1m']}"),
        shutdown(sleep="exec: {command: [sleep, '45']}  # fault"),
        shutdown(grace="30  # fault", sleep=drain("--sleep", "'30'")),
        shutdown(grace="40  # fault", sleep=drain("--sleep=20"), server=GUNICORN),
        shutdown(grace="30  # fault", sleep="exec: {command: [sh, -c, './manage.py healthguard drain --sleep 45']}"),
        shutdown(grace="30  # fault", sleep="exec: {command: [sh, -c, 'django-admin healthguard drain; sleep 45']}"),
        shutdown(grace="20  # fault", sleep="exec: {command: [echo, stop]}", server=GUNICORN),
    ],
)
def test_grace_period_below_the_time_of_a_shutdown_is_a_warning(text: str) -> None:
    """The pod is killed while its server still finishes requests."""
    assert faults(text) == [("grace-period", "warning", fault_line(text))]


@pytest.mark.parametrize(
    "text",
    [
        shutdown(grace="60", server=GUNICORN),
        shutdown(grace="45", server=GUNICORN),
        shutdown(server="gunicorn, shop.wsgi"),
        shutdown(server="gunicorn, -c, gunicorn.conf.py, shop.wsgi"),
        shutdown(server="uvicorn, shop.asgi:app"),
        shutdown(server="gunicorn, --graceful-timeout, $(GRACE), shop.wsgi"),
        shutdown(sleep="exec: {command: [/app/drain.sh]}", server=GUNICORN),
        shutdown(grace="60", sleep=drain("--sleep", "'30'"), server=GUNICORN),
        shutdown(sleep=drain(), server=GUNICORN),
        shutdown(sleep=drain("--sleep", "$(DRAIN_SECONDS)"), server=GUNICORN),
        shutdown(sleep=command("python", "manage.py", "healthguard", "check", "--sleep", "'60'"), server=GUNICORN),
        shutdown(sleep="exec: {command: [sh, -c, 'while test -f /tmp/busy; do sleep 60; done']}"),
    ],
)
def test_grace_period_that_may_be_long_enough_is_accepted(text: str) -> None:
    """Facts that the manifest does not show are not judged."""
    assert faults(text) == []


def test_default_of_gunicorn_is_advice() -> None:
    """gunicorn finishes requests for up to 30 s unless a file sets another time."""
    found = findings(shutdown(server="gunicorn, shop.wsgi"))
    assert [(finding.rule, finding.severity) for finding in found] == [("grace-period", "advice")]


def test_options_of_gunicorn_in_the_environment_are_read() -> None:
    """GUNICORN_CMD_ARGS contains further options."""
    text = shutdown(server="gunicorn, shop.wsgi")
    assert [rule for rule, _, _ in faults(text, variables={"GUNICORN_CMD_ARGS": "--graceful-timeout=25"})] == [
        "grace-period"
    ]


def hook(script: str) -> str:
    return manifest(lifecycle=f"lifecycle:\n  preStop:  # fault\n    exec: {{command: [sh, -c, '{script}']}}")


def test_hook_with_another_drain_file_is_a_warning() -> None:
    """/ready reports draining only if the declared file exists."""
    text = hook("touch /tmp/draining; sleep 5")
    assert faults(text, DRAINING) == [("prestop-drain-file", "warning", fault_line(text))]


@pytest.mark.parametrize("script", ["sleep 5", "touch /tmp/stopping; sleep 5"])
def test_hook_without_a_drain_file_is_advice(script: str) -> None:
    """The hook works without it, only less exactly."""
    found = findings(hook(script), DRAINING)
    assert [(finding.rule, finding.severity) for finding in found] == [("prestop-drain-file", "advice")]


@pytest.mark.parametrize(
    "script",
    [
        "touch /tmp/drain; sleep 5",
        "touch $DRAIN_FILE && sleep 5",
        "/app/drain.sh",
        "> /tmp/drain; sleep 5",
        "python manage.py healthguard drain --sleep 5",
    ],
)
def test_hook_that_creates_the_drain_file_is_accepted(script: str) -> None:
    """A script of the image may create it as well."""
    assert findings(hook(script), DRAINING) == []


def test_hook_is_not_judged_without_a_declared_drain_file() -> None:
    """Without DRAIN_FILE there is nothing to create."""
    assert findings(hook("touch /tmp/draining; sleep 5")) == []


def test_hook_may_create_the_file_that_the_environment_names() -> None:
    """The declaration reads the path from the environment, which differs between clusters."""
    assert findings(hook("touch /run/drain; sleep 5"), DRAINING, {"DRAIN_FILE": "/run/drain"}) == []
