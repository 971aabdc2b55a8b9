"""The rules for probes and hooks that are missing."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.nodes import MapNode, Node, ScalarNode
from healthguard.kubernetes.rules.probes.names import has_misplaced_name
from healthguard.kubernetes.rules.probes.probe import ProbeKind, integer, probe_of
from healthguard.kubernetes.rules.probes.requests import has_known_mounts, subpath
from healthguard.kubernetes.rules.probes.subjects import ports_of, serves_http
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.kubernetes.workloads import Workload

_REASON = {
    ProbeKind.READINESS: "Every pod gets traffic as soon as its process has started, also one with a wrong "
    "configuration.",
    ProbeKind.STARTUP: "A liveness probe may restart the container while it still starts, and a pod with a wrong "
    "configuration is not reported as such.",
}


@container_rule("probe-readiness-missing", Severity.WARNING, "A container that serves HTTP has no readiness probe.")
def find_missing_readiness(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding if no readiness probe of the pod depends on the container."""
    if not _is_missing(subject, ProbeKind.READINESS):
        return
    if _is_covered(subject):
        return
    yield _missing(subject, rule, ProbeKind.READINESS, "ready")


@container_rule("probe-startup-missing", Severity.ADVICE, "A container that serves HTTP has no startup probe.")
def find_missing_startup(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding if the container has no startup probe."""
    if _is_missing(subject, ProbeKind.STARTUP):
        yield _missing(subject, rule, ProbeKind.STARTUP, "startup")


@container_rule("prestop-missing", Severity.ADVICE, "A container that serves HTTP has no preStop hook.")
def find_missing_prestop(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding if nothing delays the end of the server until the pod gets no new requests."""
    container = subject.container
    hook = container.node.at("lifecycle", "preStop")
    if not _is_absent(hook) or not serves_http(subject) or has_misplaced_name(container, "preStop"):
        return
    yield subject.finding(
        rule,
        f"{container.label} has no preStop hook. Its server stops accepting connections while load balancers still "
        "send requests to it, so that each rollout fails some requests.",
        "Add a preStop hook that sleeps for a few seconds. manage.py healthguard probes prints one.",
        node=container.node,
    )


def _is_missing(subject: ContainerSubject, kind: ProbeKind) -> bool:
    container = subject.container
    is_absent = _is_absent(container.node.at(kind))
    return is_absent and serves_http(subject) and not has_misplaced_name(container, kind)


def _is_absent(node: Node | None) -> bool:
    return node is None or (isinstance(node, ScalarNode) and node.value is None)


def _is_covered(subject: ContainerSubject) -> bool:
    """Return True if the readiness of a container of the pod depends on this one: its probe requests this one.

    All containers of a pod have the same address.
    """
    requested = _readiness(subject.container.workload, subject.requirements.mount_paths)
    return requested.has_mount or any(port.number in requested.ports for port in ports_of(subject.container))


@dataclasses.dataclass(frozen=True, slots=True)
class _Readiness:
    """The requests of the readiness probes of a pod.

    Args:
        ports: the numbers of their ports.
        has_mount: True if one of them is passed on to healthguard, as by a proxy.
    """

    ports: frozenset[int]
    has_mount: bool


@functools.lru_cache(1)
def _readiness(workload: Workload, mounts: tuple[str, ...]) -> _Readiness:
    probes = (probe_of(container, ProbeKind.READINESS) for container in workload.containers())
    requests = [get for probe in probes if probe is not None and (get := probe.node.map_at("httpGet")) is not None]
    ports = (integer(get.at("port")) for get in requests)
    return _Readiness(frozenset(port for port in ports if port), any(_requests_mount(get, mounts) for get in requests))


def _requests_mount(http_get: MapNode, mounts: tuple[str, ...]) -> bool:
    path = (http_get.text_at("path") or "/").partition("?")[0]
    return has_known_mounts(mounts) and subpath(path, mounts) is not None


def _missing(subject: ContainerSubject, rule: Rule[ContainerSubject], kind: ProbeKind, name: str) -> Finding:
    container = subject.container
    mounts = subject.requirements.mount_paths
    path = f"/{mounts[0].strip('/')}/{name}".replace("//", "/") if has_known_mounts(mounts) else f"…/{name}"
    return subject.finding(
        rule,
        f"{container.label} has no {kind}. {_REASON[kind]}",
        f"Add a {kind} that requests {path}. manage.py healthguard probes prints one.",
        node=container.node,
    )
