"""The rules for what the API server refuses in probes and hooks."""

from __future__ import annotations

import pytest

from tests.kubernetes.rules.probes.probe_manifests import LIFECYCLE, Case, fault_line, faults, manifest

SOUND = manifest()


def readiness(*fields: str, handler: str = "httpGet: {path: /api/health/ready, port: http}") -> str:
    return "readinessProbe:\n" + "\n".join(f"  {field}" for field in (handler, *fields) if field)


def liveness(*fields: str) -> str:
    return "livenessProbe:\n" + "\n".join(
        f"  {field}" for field in ("httpGet: {path: /api/health/live, port: http}", *fields)
    )


def http_get(*fields: str) -> str:
    return "readinessProbe:\n  httpGet:\n" + "\n".join(f"    {field}" for field in fields)


PATH = "path: /api/health/ready"
REFUSED = {
    "two handlers": readiness("tcpSocket: {port: http}  # fault"),
    "no handler": "readinessProbe:  # fault\n  periodSeconds: 5",
    "empty": "readinessProbe: {}  # fault",
    "text": "readinessProbe: true  # fault",
    "handler is text": readiness(handler="httpGet: /api/health/ready  # fault"),
    "no port": "readinessProbe:\n  httpGet:  # fault\n    path: /api/health/ready",
    "port 0": http_get(PATH, "port: 0  # fault"),
    "port too large": http_get(PATH, "port: 80000  # fault"),
    "negative port": http_get(PATH, "port: -1  # fault"),
    "quoted port": http_get(PATH, 'port: "8000"  # fault'),
    "fractional port": http_get(PATH, "port: 80.5  # fault"),
    "port is a boolean": http_get(PATH, "port: true  # fault"),
    "invalid name of a port": http_get(PATH, "port: HTTP  # fault"),
    "long name of a port": http_get(PATH, "port: application-server  # fault"),
    "scheme": http_get(PATH, "port: http", "scheme: https  # fault"),
    "path is a number": http_get("port: http", "path: 5  # fault"),
    "header is a number": http_get(PATH, "port: http", "httpHeaders: [{name: X-Probe, value: 1}]  # fault"),
    "header without a name": http_get(PATH, "port: http", "httpHeaders: [{value: probe}]  # fault"),
    "headers are a mapping": http_get(PATH, "port: http", "httpHeaders: {X-Probe: probe}  # fault"),
    "command is text": readiness(handler="exec: {command: /app/check}  # fault"),
    "no command": "readinessProbe:\n  exec: {}  # fault",
    "number in a command": readiness(handler="exec: {command: [/app/check, 5]}  # fault"),
    "boolean in a command": readiness(handler="exec: {command: [/app/check, true]}  # fault"),
    "grpc with a name": readiness(handler="grpc: {port: http}  # fault"),
    "quoted seconds": readiness('periodSeconds: "5"  # fault'),
    "seconds with a unit": readiness("periodSeconds: 5s  # fault"),
    "fractional seconds": readiness("timeoutSeconds: 1.5  # fault"),
    "negative seconds": readiness("initialDelaySeconds: -1  # fault"),
    "grace on readiness": readiness("terminationGracePeriodSeconds: 30  # fault"),
}
CASES = [
    *(Case("probe-refused", "error", manifest(readiness=text), SOUND, name) for name, text in REFUSED.items()),
    Case("probe-refused", "error", manifest(liveness=liveness("successThreshold: 2  # fault")), SOUND, "threshold"),
    Case(
        "probe-refused",
        "error",
        manifest(liveness=liveness("terminationGracePeriodSeconds: 0  # fault")),
        manifest(liveness=liveness("terminationGracePeriodSeconds: 10")),
        "grace of 0",
    ),
    Case(
        "probe-refused",
        "error",
        manifest(lifecycle="lifecycle:\n  preStop:\n    sleep: {seconds: 40}  # fault"),
        manifest(lifecycle="lifecycle:\n  preStop:\n    sleep: {seconds: 40}", pod="terminationGracePeriodSeconds: 90"),
        "sleep above the grace period",
    ),
    Case(
        "probe-refused",
        "error",
        manifest(lifecycle="lifecycle:\n  preStop:\n    exec: {command: [sleep, 5]}  # fault"),
        manifest(lifecycle="lifecycle:\n  preStop:\n    exec: {command: [sleep, '5']}"),
        "number in the command of a hook",
    ),
    Case(
        "probe-refused",
        "error",
        manifest(pod="initContainers:\n  - name: init\n    readinessProbe:  # fault\n      exec: {command: [/check]}"),
        manifest(pod="initContainers: [{name: init}]"),
        "init container",
    ),
    Case(
        "probe-field", "error", manifest(readiness="readynessProbe: {tcpSocket: {port: http}}  # fault"), SOUND, "name"
    ),
    Case(
        "probe-field", "error", manifest(startup="startUpProbe: {tcpSocket: {port: http}}  # fault"), SOUND, "capital"
    ),
    Case(
        "probe-field", "error", manifest(liveness="livenesProbe: {tcpSocket: {port: http}}  # fault"), SOUND, "letter"
    ),
    Case(
        "probe-field",
        "error",
        manifest(lifecycle="lifecyle: {preStop: {sleep: {seconds: 5}}}  # fault"),
        SOUND,
        "cycle",
    ),
    Case(
        "probe-field",
        "error",
        manifest(lifecycle="lifecycle: {prestop: {sleep: {seconds: 5}}}  # fault"),
        SOUND,
        "stop",
    ),
    Case("probe-field", "error", manifest(readiness=readiness("initialDelaySecond: 5  # fault")), SOUND, "seconds"),
    Case("probe-field", "error", manifest(readiness=readiness("timeout: 5  # fault")), SOUND, "unknown"),
    Case(
        "probe-field",
        "error",
        manifest(readiness=readiness(handler="httpget: {path: /api/health/ready, port: http}  # fault")),
        SOUND,
        "httpget",
    ),
    Case(
        "probe-field",
        "error",
        manifest(readiness=http_get(PATH, "port: http", "timeoutSeconds: 5  # fault")),
        SOUND,
        "in httpGet",
    ),
    Case(
        "probe-field",
        "error",
        manifest(readiness="readinessProbe:\n  path: /api/health/ready  # fault"),
        SOUND,
        "no httpGet",
    ),
    Case(
        "probe-misplaced",
        "error",
        manifest(readiness="", pod="readinessProbe: {tcpSocket: {port: http}}  # fault"),
        SOUND,
        "pod",
    ),
    Case(
        "probe-misplaced",
        "error",
        manifest(readiness="", spec="readinessProbe: {tcpSocket: {port: http}}  # fault"),
        SOUND,
        "spec",
    ),
    Case(
        "probe-misplaced",
        "error",
        manifest(readiness="", template="readinessProbe: {tcpSocket: {port: http}}  # fault"),
        SOUND,
        "template",
    ),
    Case(
        "probe-misplaced", "error", manifest(spec="terminationGracePeriodSeconds: 60  # fault"), SOUND, "grace period"
    ),
    Case(
        "probe-misplaced",
        "error",
        manifest(more="terminationGracePeriodSeconds: 60  # fault"),
        SOUND,
        "grace in container",
    ),
    Case("probe-misplaced", "error", manifest(lifecycle="preStop: {sleep: {seconds: 5}}  # fault"), SOUND, "preStop"),
    Case(
        "probe-misplaced",
        "error",
        manifest(
            readiness="",
            ports="""
            ports:
              - name: http
                containerPort: 8000
                readinessProbe: {tcpSocket: {port: http}}  # fault
            """,
        ),
        SOUND,
        "ports",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fault_is_found_at_its_line(case: Case) -> None:
    """A broken manifest has exactly one finding above advice."""
    assert faults(case.broken) == [(case.rule, case.severity, fault_line(case.broken))]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sound_twin_has_no_finding(case: Case) -> None:
    """A manifest without the fault has no finding above advice."""
    assert faults(case.sound) == []


@pytest.mark.parametrize(
    "text",
    [
        readiness(handler="tcpSocket: {port: http}"),
        readiness(handler="grpc: {port: 9000}"),
        readiness(handler="grpc: {port: 9000, service: shop.Health}"),
        readiness(handler="exec: {command: [/app/check]}"),
        readiness("successThreshold: 2", "periodSeconds: 0", "failureThreshold: 5.0"),
        readiness("initialDelaySeconds: null"),
        readiness("timeoutSeconds: ${TIMEOUT}", "periodSeconds: ${PERIOD:-10}", handler="grpc: {port: '${PORT}'}"),
        http_get("path: ${HEALTH_PATH}", "port: ${PORT}", "scheme: ${SCHEME}"),
        http_get(PATH, "port: http", "scheme: HTTP", "httpHeaders: [{name: X-Probe, value: '1'}]"),
        http_get(PATH, "port: http", "tcpSocket: null").replace("    tcpSocket", "  tcpSocket"),
    ],
)
def test_valid_probe_is_accepted(text: str) -> None:
    """A probe that the API server accepts has no finding."""
    assert faults(manifest(readiness=text)) == []


@pytest.mark.parametrize(
    "lifecycle",
    [LIFECYCLE, "lifecycle: {preStop: {httpGet: {path: /stop, port: http}}}", "lifecycle: {stopSignal: SIGINT}"],
)
def test_valid_hook_is_accepted(lifecycle: str) -> None:
    """A hook may use any handler."""
    assert faults(manifest(lifecycle=lifecycle)) == []


def test_unknown_kind_may_have_another_schema() -> None:
    """Knative accepts a probe without a port, and its probes may have further fields."""
    text = manifest(kind="Service", readiness="readinessProbe: {httpGet: {path: /api/health/ready}, enabled: true}")
    assert faults(text.replace("apps/v1", "serving.knative.dev/v1")) == []
