"""The rules for the ports, the scheme and the host of an HTTP probe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from healthguard.kubernetes.environment.variables import Environment, Presence
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import MapNode, Node, ScalarNode
from healthguard.kubernetes.rules.probes.probe import Probe, integer, probes_of
from healthguard.kubernetes.rules.probes.requests import LOOPBACK
from healthguard.kubernetes.rules.probes.subjects import port_owners, ports_of, serves_http
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.kubernetes.workloads import Container

_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_NAMED_HTTP = re.compile(r"http(-.+)?|.+-http")
_NAMED_HTTPS = re.compile(r"https(-.+)?|.+-https")
_REDIRECT_VARIABLE = re.compile(r"(.*_)?(SSL_REDIRECT|HTTPS_REDIRECT|FORCE_HTTPS|FORCE_SSL|HTTPS_ONLY)")
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})


def is_port_name(text: str) -> bool:
    """Return True if a text can be the name of a port: at most 15 letters, digits and dashes, with a letter."""
    return len(text) <= 15 and _PORT_NAME.fullmatch(text) is not None


@memoized
def _ports(container: Container) -> Sequence[tuple[Probe, MapNode, Node]]:
    """Return the port of each probe with ``httpGet`` or ``tcpSocket``, with its handler."""
    if container.is_finite:
        return ()
    return [
        (probe, handler, port)
        for probe in probes_of(container)
        for name in ("httpGet", "tcpSocket")
        if (handler := probe.node.map_at(name)) is not None and (port := handler.at("port")) is not None
    ]


@container_rule("probe-port-name", Severity.ERROR, "A probe uses the name of a port that the container does not list.")
def find_unknown_port_name(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each named port that the kubelet cannot find.

    The kubelet searches only the ports of the probed container (ResolveContainerPort in pkg/probe/util.go).
    """
    own = [port.name for port in ports_of(subject.container)]
    for probe, _, node in _ports(subject.container):
        name = node.value if isinstance(node, ScalarNode) else None
        if not isinstance(name, str) or not is_port_name(name) or name in own:
            continue
        owner = next(iter(port_owners(subject.container.workload).get(name, ())), None)
        fact = "which no container of the pod lists" if owner is None else f"which only {owner.role} {owner.name} lists"
        yield subject.finding(
            rule,
            f'{probe.label} uses the port "{name}", {fact}. The kubelet searches the ports of the probed container '
            "only, so the probe always fails.",
            "Use the name of a port of this container, or the number."
            if own
            else "List the port with this name in ports of this container, or use the number.",
            node=node,
        )


@container_rule("probe-port-unlisted", Severity.WARNING, "A probe uses a port number that no container lists.")
def find_unlisted_port(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each number that is not among the listed ports of the pod.

    ``containerPort`` is informational, so the probe may work all the same, and a container may list no port at all.
    """
    container = subject.container
    own = [port.number for port in ports_of(container)]
    listed = port_owners(container.workload)
    if not own or not serves_http(subject):
        return
    for probe, handler, node in _ports(subject.container):
        number = integer(node)
        if number is None or not 1 <= number <= 65535 or number in listed or handler.text_at("host"):
            continue
        yield subject.finding(
            rule,
            f"{probe.label} uses port {number}, which the container does not list. It fails unless a server listens "
            "there.",
            f"Use a listed port ({', '.join(str(each) for each in own if each is not None)}), or list {number}.",
            node=node,
        )


@container_rule("probe-scheme", Severity.WARNING, "A probe uses HTTP at a port that is called https.")
def find_wrong_scheme(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the probes over HTTP at a port called ``https``.

    HTTPS at a port called ``http`` is not a contradiction: applications often keep that name when they add TLS.
    """
    if not serves_http(subject):
        return
    for probe, handler, node in _ports(subject.container):
        if probe.node.map_at("httpGet") is not handler:
            continue
        scheme = handler.text_at("scheme") or "HTTP"
        name = _name_of(node, subject.container)
        if scheme != "HTTP" or not _NAMED_HTTPS.fullmatch(name):
            continue
        place = handler.at("scheme") or node
        yield subject.finding(
            rule,
            f'{probe.label} uses HTTP at the port "{name}". A server that expects HTTPS there rejects every request.',
            "Set scheme to HTTPS, or name the port after the protocol that is used there.",
            node=place,
        )


def _name_of(node: Node, container: Container) -> str:
    """Return the name of a port that is given by name or number."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node.value if is_port_name(node.value) else ""
    number = integer(node)
    return next((port.name for port in ports_of(container) if port.number == number and is_port_name(port.name)), "")


@container_rule("probe-host", Severity.WARNING, "A probe is sent to another host than the pod.")
def find_other_host(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each ``host``: the kubelet connects to it instead of the pod.

    The kubelet runs in the network of the node. A pod with ``hostNetwork`` shares it.
    """
    container = subject.container
    spec = container.workload.spec.at("hostNetwork")
    if not serves_http(subject) or (isinstance(spec, ScalarNode) and spec.value is True):
        return
    for probe, handler, port in _ports(subject.container):
        host = handler.at("host")
        text = handler.text_at("host")
        if host is None or not text or _has_host_port(container, integer(port)):
            continue
        is_loopback = text.strip("[]") in LOOPBACK
        fact = "localhost, which is the node" if is_loopback else "a host of its own"
        yield subject.finding(
            rule,
            f"{probe.label} is sent to {fact}, and not to the pod. Its result shows nothing about this container.",
            "Remove host: the kubelet connects to the pod itself. To send a Host header, use httpHeaders.",
            node=host,
            severity=Severity.ERROR if is_loopback else Severity.WARNING,
        )


def _has_host_port(container: Container, number: int | None) -> bool:
    return number is not None and any(
        integer(port.at("hostPort")) == number for port in container.node.maps_at("ports")
    )


@container_rule(
    "probe-redirect", Severity.WARNING, "A probe with a Host header gets a redirect, which counts as success."
)
def find_counted_redirect(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each Host header on a plain HTTP probe.

    A redirect to another host counts as success (RedirectChecker in pkg/probe/http/http.go). It is certain only if
    the environment turns the redirect to HTTPS on; otherwise the finding is advice.
    """
    if not serves_http(subject):
        return
    is_redirected = has_https_redirect(subject.environment)
    for probe in probes_of(subject.container):
        handler = probe.node.map_at("httpGet")
        if handler is None or handler.text_at("scheme") == "HTTPS":
            continue
        headers = {(header.text_at("name") or "").lower(): header for header in handler.maps_at("httpHeaders")}
        host, forwarded = headers.get("host"), headers.get("x-forwarded-proto")
        if host is None or (forwarded is not None and forwarded.text_at("value") == "https"):
            continue
        yield subject.finding(
            rule,
            f"{probe.label} sends a Host header over HTTP. A redirect to HTTPS leads to another host than the pod, "
            "which the kubelet counts as success: the container passes whatever its state is.",
            "Remove the Host header: healthguard's middleware, put first, accepts every Host. Otherwise send "
            "X-Forwarded-Proto: https as well.",
            node=host,
            severity=Severity.WARNING if is_redirected else Severity.ADVICE,
        )


def has_https_redirect(environment: Environment) -> bool:
    """Return True if a variable of the container turns the redirect to HTTPS on."""
    return any(
        variable.presence is Presence.PRESENT
        and _REDIRECT_VARIABLE.fullmatch(name) is not None
        and (variable.value or "").strip().lower() in _TRUE
        for name, variable in environment.variables.items()
    )
