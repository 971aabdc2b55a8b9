"""The rules for the ports, the scheme and the host of an HTTP probe."""

from __future__ import annotations

import pytest

from tests.kubernetes.rules.probes.probe_manifests import Case, fault_line, faults, findings, manifest

SOUND = manifest()
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80, targetPort: 8000}]}
"""


def readiness(*lines: str, port: str = "http") -> str:
    fields = [f"port: {port}", "path: /api/health/ready", *lines]
    return "readinessProbe:\n  httpGet:\n" + "\n".join(f"    {line}" for line in fields)


HOST_HEADER = "httpHeaders: [{name: Host, value: shop.example.com}]"
FORWARDED = "httpHeaders: [{name: Host, value: shop.example.com}, {name: X-Forwarded-Proto, value: https}]"
CASES = [
    Case("probe-port-name", "error", manifest(readiness=readiness(port="web  # fault")), SOUND, "unknown"),
    Case(
        "probe-port-name",
        "error",
        manifest(ports="", readiness=readiness(port="web  # fault"), startup="", liveness="") + SERVICE,
        manifest(ports="", readiness=readiness(port="8000"), startup="", liveness=""),
        "no ports",
    ),
    Case(
        "probe-port-name",
        "error",
        manifest(readiness=readiness(port="proxy  # fault"))
        + "        - name: envoy\n          ports: [{name: proxy, containerPort: 9000}]\n",
        SOUND,
        "port of another container",
    ),
    Case(
        "probe-port-name",
        "error",
        manifest(liveness="livenessProbe:\n  tcpSocket:\n    port: web  # fault"),
        manifest(liveness="livenessProbe:\n  tcpSocket:\n    port: http"),
        "tcpSocket",
    ),
    Case("probe-port-unlisted", "warning", manifest(readiness=readiness(port="8080  # fault")), SOUND, "number"),
    Case(
        "probe-scheme",
        "warning",
        manifest(
            ports="ports: [{name: https, containerPort: 8443}]",
            startup="",
            liveness="",
            readiness=readiness(port="https  # fault"),
        ),
        manifest(
            ports="ports: [{name: https, containerPort: 8443}]",
            startup="",
            liveness="",
            readiness=readiness("scheme: HTTPS", port="https"),
        ),
        "HTTP at https",
    ),
    Case(
        "probe-host", "error", manifest(readiness=readiness("host: 127.0.0.1  # fault")), SOUND, "loopback of the node"
    ),
    Case(
        "probe-host", "warning", manifest(readiness=readiness("host: shop.example.com  # fault")), SOUND, "other host"
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


def test_port_may_be_listed_by_another_container() -> None:
    """All containers of a pod share its address, so a number may be that of a proxy."""
    text = (
        manifest(readiness=readiness(port="9000")) + "        - name: envoy\n          ports: [{containerPort: 9000}]\n"
    )
    assert faults(text) == []


def test_number_is_accepted_if_no_port_is_listed() -> None:
    """containerPort is informational: a container that lists none may listen anywhere."""
    text = manifest(ports="", readiness=readiness(port="8000"), startup="", liveness="")
    assert faults(text + SERVICE) == []


@pytest.mark.parametrize("pod", ["hostNetwork: true"])
def test_loopback_is_right_in_the_network_of_the_node(pod: str) -> None:
    """The kubelet and a pod with hostNetwork share the loopback."""
    assert faults(manifest(pod=pod, readiness=readiness("host: 127.0.0.1"))) == []


@pytest.mark.parametrize("name", ["SECURE_SSL_REDIRECT", "DJANGO_SECURE_SSL_REDIRECT", "FORCE_HTTPS"])
def test_host_header_with_a_known_redirect_is_a_warning(name: str) -> None:
    """The redirect leads to another host than the pod, so it counts as success."""
    text = manifest(readiness=readiness(f"{HOST_HEADER}  # fault"))
    assert faults(text, variables={name: "True"}) == [("probe-redirect", "warning", fault_line(text))]


@pytest.mark.parametrize(
    ("line", "value"), [(FORWARDED, "True"), ("scheme: HTTP", "True"), (HOST_HEADER, "False"), (HOST_HEADER, "")]
)
def test_request_that_is_not_redirected_gives_no_warning(line: str, value: str) -> None:
    """X-Forwarded-Proto prevents the redirect; without a Host header it does not count as success."""
    assert faults(manifest(readiness=readiness(line)), variables={"SECURE_SSL_REDIRECT": value}) == []


def test_host_header_alone_is_advice() -> None:
    """The redirect may be turned on in the settings, which the manifest does not show."""
    found = [f for f in findings(manifest(readiness=readiness(HOST_HEADER))) if f.rule == "probe-redirect"]
    assert [finding.severity for finding in found] == ["advice"]


def test_value_of_a_header_is_not_shown() -> None:
    """A header may be a token."""
    text = manifest(readiness=readiness("httpHeaders: [{name: Host, value: s3cr3t}]"))
    assert "s3cr3t" not in repr(findings(text))
