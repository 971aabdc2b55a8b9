"""The rules for probes and hooks that are missing, and the containers that they are about."""

from __future__ import annotations

import pytest

from tests.kubernetes.rules.probes.probe_manifests import PORTS, faults, findings, manifest

SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports: [{port: 80, targetPort: 8000}]
"""
CONTAINER_LINE = manifest().splitlines().index("        - name: web") + 1


def container(*, kind: str = "Deployment", ports: str = PORTS, more: str = "", pod: str = "") -> str:
    """Return a workload whose container has no probes."""
    return manifest(startup="", readiness="", liveness="", kind=kind, ports=ports, more=more, pod=pod)


def missing(text: str) -> list[str]:
    return [rule for rule, _, _ in faults(text) if rule == "probe-readiness-missing"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "CloneSet"])
def test_missing_readiness_probe_is_a_warning(kind: str) -> None:
    """A container with a port is probed, in a workload of any kind that runs for ever."""
    assert faults(container(kind=kind)) == [("probe-readiness-missing", "warning", CONTAINER_LINE)]


def test_null_counts_as_missing() -> None:
    """A chart renders a disabled probe as null."""
    assert missing(manifest(readiness="readinessProbe: null")) == ["probe-readiness-missing"]


def test_container_behind_a_service_is_probed_without_ports() -> None:
    """containerPort is informational, so a Service shows that requests arrive."""
    assert missing(container(ports="") + SERVICE) == ["probe-readiness-missing"]


@pytest.mark.parametrize(
    "text",
    [
        container(ports=""),
        container(ports="ports: []"),
        container(ports="ports: [{name: metrics, containerPort: 9090}]"),
        container(ports="ports: [{name: http-metrics, containerPort: 9090}]"),
        container(ports="ports: [{name: dns, containerPort: 53, protocol: UDP}]"),
        container(more="command: [celery, -A, shop, worker]"),
        container(more="args: [celery, -A, shop, flower]"),
        container(more="command: [sh, -c, 'exec celery -A shop worker']"),
        container(more="command: [python, manage.py, qcluster]"),
        container(kind="Job"),
        container(ports="") + SERVICE.replace("app: shop", "app: other"),
        container(ports="") + SERVICE.replace("apiVersion: v1", "apiVersion: serving.knative.dev/v1"),
        container(ports="") + SERVICE.replace("  selector: {app: shop}\n", ""),
    ],
)
def test_container_without_requests_needs_no_probe(text: str) -> None:
    """Workers, Jobs and ports for metrics are not probed."""
    assert faults(text) == []


def test_service_of_another_namespace_is_ignored() -> None:
    """A Service selects only pods of its own namespace."""
    text = container(ports="").replace("{name: shop}", "{name: shop, namespace: one}")
    assert missing(text + SERVICE.replace("{name: shop}", "{name: shop, namespace: two}")) == []


def test_service_for_metrics_is_ignored() -> None:
    """A Service that only a monitor uses brings no requests of customers."""
    service = SERVICE.replace("{port: 80, ", "{name: metrics, port: 80, ")
    assert missing(container(ports="") + service) == []


@pytest.mark.parametrize("image", ["nginx:1.27", "docker.io/envoyproxy/envoy:v1", "oauth2-proxy@sha256:0", "redis"])
def test_sidecar_is_not_judged(image: str) -> None:
    """The usual sidecars do not serve the project, even if they get its variables."""
    assert faults(container().replace("registry.example.com/shop:1.0", image)) == []


def test_init_container_needs_no_probe() -> None:
    """An init container ends before the others start."""
    text = container(ports="", pod="initContainers: [{name: init, ports: [{containerPort: 8000}]}]")
    assert faults(text) == []


def test_sidecar_that_runs_as_long_as_the_pod_is_probed() -> None:
    """An init container with restartPolicy Always serves requests."""
    pod = "initContainers: [{name: init, restartPolicy: Always, ports: [{containerPort: 8000}]}]"
    assert missing(container(ports="", pod=pod)) == ["probe-readiness-missing"]


@pytest.mark.parametrize(
    "http_get", ["{path: /api/health/ready, port: 80}", "{path: /any, port: 8000}"], ids=["through a proxy", "direct"]
)
def test_probe_of_another_container_covers_the_server(http_get: str) -> None:
    """A pod is ready if all of its containers are, so a probe that reaches the server is enough."""
    text = (
        container()
        + f"        - name: proxy\n          image: nginx\n          readinessProbe: {{httpGet: {http_get}}}\n"
    )
    assert missing(text) == []


def test_probe_of_the_proxy_alone_does_not_cover_the_server() -> None:
    """A proxy that answers by itself shows nothing about the server."""
    text = container() + "        - name: proxy\n          readinessProbe: {httpGet: {path: /nginx, port: 80}}\n"
    assert missing(text) == ["probe-readiness-missing"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (manifest(startup=""), "probe-startup-missing"),
        (manifest(lifecycle=""), "prestop-missing"),
        (manifest(lifecycle="lifecycle: {postStart: {exec: {command: [echo, started]}}}"), "prestop-missing"),
    ],
)
def test_missing_startup_probe_and_hook_are_advice(text: str, rule: str) -> None:
    """Most real manifests have neither, so they are reported only on request."""
    assert [(f.rule, f.severity.value, f.line) for f in findings(text)] == [(rule, "advice", CONTAINER_LINE)]


def test_complete_manifest_has_not_even_advice() -> None:
    """The manifest from which the others are made is sound."""
    assert findings(manifest()) == []


@pytest.mark.parametrize("name", ["readynessProbe", "readinessprobe", "ReadinessProbe", "readiness_probe", "readiness"])
def test_misspelled_probe_is_not_reported_as_missing_too(name: str) -> None:
    """One fault has one finding."""
    text = manifest(readiness=f"{name}: {{httpGet: {{path: /api/health/ready, port: http}}}}")
    assert [rule for rule, _, _ in faults(text)] == ["probe-field"]


def test_remedy_names_the_path_of_the_declaration() -> None:
    """The remedy can be followed without the documentation."""
    [found] = [f for f in findings(container()) if f.rule == "probe-readiness-missing"]
    assert found.remedy.startswith("Add a readinessProbe that requests /api/health/ready.")
