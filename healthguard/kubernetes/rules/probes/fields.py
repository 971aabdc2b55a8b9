"""The rules for what the API server refuses in probes and hooks.

They follow validateProbe, validateHandler and validateLifecycle in pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from healthguard.kubernetes.environment.deferred import is_deferred_node
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.rules.probes.names import GRACE, WrongName, misplaced_fields, misspelled_fields
from healthguard.kubernetes.rules.probes.ports import is_port_name
from healthguard.kubernetes.rules.probes.probe import (
    DEFAULTS,
    HANDLERS,
    PROBE_KINDS,
    Probe,
    ProbeKind,
    integer,
    probes_of,
)
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.kubernetes.workloads import Container, Role, is_known

_MAX_INT32 = 2**31 - 1
_HEADER_NAME = re.compile(r"[-A-Za-z0-9]+")


@dataclasses.dataclass(frozen=True, slots=True)
class _Refusal:
    """A value that the API server refuses: the fact as the predicate of a sentence about the probe, and the remedy."""

    node: Node
    fact: str
    remedy: str
    line: int | None = None


@container_rule("probe-refused", Severity.ERROR, "The API server refuses a probe or a preStop hook.")
def find_refusals(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each value in a probe that the API server refuses.

    Objects of unknown kinds are not judged: their schema may allow more, as that of Knative does.
    """
    container = subject.container
    if not is_known(container.workload.object):
        return
    for kind in PROBE_KINDS:
        node = container.node.at(kind)
        if node is None or isinstance(node, MapNode) or (isinstance(node, ScalarNode) and node.value is None):
            continue
        line = container.node.line_of(kind)
        refusal = _Refusal(node, "is not a mapping", "Write its fields below it, indented.", line)
        yield _finding(rule, subject, f"The {kind} of {container.role} {container.name or '?'}", refusal)
    for probe in probes_of(container):
        for refusal in _refusals(probe):
            if not is_deferred_node(refusal.node):
                yield _finding(rule, subject, probe.label, refusal)
    hook = container.node.map_at("lifecycle", "preStop")
    for refusal in _hook_refusals(container, hook) if hook is not None else ():
        if not is_deferred_node(refusal.node):
            yield _finding(rule, subject, f"The preStop hook of {container.role} {container.name or '?'}", refusal)


def _finding(rule: Rule[ContainerSubject], subject: ContainerSubject, label: str, refusal: _Refusal) -> Finding:
    message = f"{label} {refusal.fact}. The API server refuses it."
    return subject.finding(rule, message, refusal.remedy, node=refusal.node, line=refusal.line)


def _refusals(probe: Probe) -> Iterator[_Refusal]:
    if probe.container.role is Role.INIT:
        yield _Refusal(
            probe.node,
            "belongs to an init container that ends before the others start",
            "Move the probe to the container that runs, or set restartPolicy: Always to make this one a sidecar.",
            probe.line,
        )
        return
    yield from _handler_count(probe.node, HANDLERS, probe.line)
    present = probe.node.items
    for handler in HANDLERS:
        if handler in present:
            yield from _handler_refusals(probe.node, handler)
    for field in DEFAULTS:
        if field in present:
            yield from _number_refusals(probe.node, field, minimum=0)
    if GRACE in present:
        yield from _number_refusals(probe.node, GRACE, minimum=1)
    threshold = probe.node.at("successThreshold")
    if threshold is not None and probe.kind is not ProbeKind.READINESS and (integer(threshold) or 1) > 1:
        yield _Refusal(threshold, "has a successThreshold above 1", "Remove it: only a readinessProbe may have one.")
    if probe.kind is ProbeKind.READINESS and (grace := probe.node.at(GRACE)) is not None:
        yield _Refusal(grace, f"has {GRACE}", "Remove it: a failing readinessProbe ends no container.")


def _handler_count(node: MapNode, handlers: tuple[str, ...], line: int) -> Iterator[_Refusal]:
    present = [name for name in handlers if name in node.items and not _is_null(node.items[name])]
    if len(present) > 1:
        yield _Refusal(node, f"has {' and '.join(present)} at once", "Keep one of them.", node.line_of(present[1]))
    elif not present and not any(_is_unknown(name, handlers) for name in node.items):
        yield _Refusal(node, f"has none of {', '.join(handlers)}", "Add one of them.", line)


def _is_unknown(name: str, handlers: tuple[str, ...]) -> bool:
    """Return True if the API server does not know a field. It then explains the missing handler."""
    return name not in DEFAULTS and name not in handlers and name != GRACE


def _handler_refusals(node: MapNode, handler: str) -> Iterator[_Refusal]:
    value = node.at(handler)
    if _is_null(value) or value is None:
        return
    if not isinstance(value, MapNode):
        yield _Refusal(value, f"has {handler} with a value that is not a mapping", f"Write the fields below {handler}.")
    elif handler == "exec":
        yield from _command_refusals(value, node.line_of("exec"))
    elif handler == "grpc":
        yield from _grpc_refusals(value, node.line_of("grpc"))
    else:
        yield from _port_refusals(value, handler, node.line_of(handler))
        yield from _http_refusals(value) if handler == "httpGet" else ()


def _port_refusals(handler: MapNode, name: str, line: int) -> Iterator[_Refusal]:
    port = handler.at("port")
    if port is None or _is_null(port):
        yield _Refusal(handler, f"has {name} without a port", "Set port to the number or the name of a port.", line)
    elif isinstance(port, ScalarNode) and isinstance(port.value, str):
        if port.value.isdigit():
            yield _Refusal(port, "has a port number in quotes", "Remove the quotes: a text is the name of a port.")
        elif not is_port_name(port.value):
            yield _Refusal(
                port,
                "has an invalid name of a port",
                "Use at most 15 lowercase letters, digits and dashes, as in the ports of the container.",
            )
    elif (number := integer(port)) is None or not 1 <= number <= 65535:
        yield _Refusal(port, "has a port that is not a number from 1 to 65535", "Use the port of the server.")


def _grpc_refusals(handler: MapNode, line: int) -> Iterator[_Refusal]:
    number = integer(handler.at("port"))
    if number is None or not 1 <= number <= 65535:
        place = handler.at("port") or handler
        yield _Refusal(
            place,
            "has grpc with a port that is not a number from 1 to 65535",
            "Use the number of the port: grpc knows no names.",
            line if place is handler else None,
        )


def _http_refusals(handler: MapNode) -> Iterator[_Refusal]:
    for field in ("path", "host", "scheme"):
        value = handler.at(field)
        if value is not None and not _is_null(value) and not _is_text(value):
            yield _Refusal(value, f"has a {field} that is not a text", f"Put the {field} in quotes.")
    scheme = handler.text_at("scheme")
    if scheme and scheme not in ("HTTP", "HTTPS") and (node := handler.at("scheme")) is not None:
        yield _Refusal(node, "has an unknown scheme", "Use HTTP or HTTPS, in capitals.")
    for header in handler.maps_at("httpHeaders"):
        value = header.at("value")
        if value is not None and not _is_null(value) and not _is_text(value):
            yield _Refusal(value, "has a header whose value is not a text", "Put the value in quotes.")
        if not _HEADER_NAME.fullmatch(header.text_at("name") or ""):
            yield _Refusal(header.at("name") or header, "has a header without a valid name", "Set its name.")
    headers = handler.at("httpHeaders")
    if isinstance(headers, MapNode):
        yield _Refusal(headers, "has httpHeaders that are not a list", "Write a list of name and value.")


def _command_refusals(handler: MapNode, line: int) -> Iterator[_Refusal]:
    command = handler.at("command")
    if command is None or _is_null(command) or (isinstance(command, ListNode) and not command.items):
        yield _Refusal(handler, "has exec without a command", "Set command to a list of words.", line)
    elif not isinstance(command, ListNode):
        yield _Refusal(command, "has a command that is not a list", "Write the command as a list of words.")
    else:
        for item in command.items:
            if not _is_text(item):
                yield _Refusal(item, "has a command with a word that is not a text", "Put the word in quotes.")


def _number_refusals(node: MapNode, field: str, *, minimum: int) -> Iterator[_Refusal]:
    value = node.at(field)
    if value is None or _is_null(value):
        return
    number = integer(value)
    if number is None:
        is_quoted = isinstance(value, ScalarNode) and isinstance(value.value, str) and value.value.isdigit()
        remedy = "Remove the quotes." if is_quoted else "Use a whole number, without a unit."
        yield _Refusal(value, f"has a {field} that is not a whole number", remedy)
    elif not minimum <= number <= _MAX_INT32:
        yield _Refusal(value, f"has a {field} out of range", f"Use a number from {minimum}.")


def _hook_refusals(container: Container, hook: MapNode) -> Iterator[_Refusal]:
    handlers = ("exec", "httpGet", "tcpSocket", "sleep")
    lifecycle = container.node.map_at("lifecycle")
    yield from _handler_count(hook, handlers, hook.line if lifecycle is None else lifecycle.line_of("preStop"))
    for handler in ("exec", "httpGet", "tcpSocket"):
        yield from _handler_refusals(hook, handler)
    seconds = hook.at("sleep", "seconds")
    number, grace = integer(seconds), integer(container.workload.spec.at(GRACE), 30)
    if seconds is not None and (number is None or number < 0):
        yield _Refusal(seconds, "has seconds that are not a whole number", "Use a whole number above 0.")
    elif seconds is not None and number is not None and grace is not None and number > grace:
        yield _Refusal(
            seconds,
            f"sleeps for {number} s, longer than the {GRACE} of {grace} s",
            f"Set {GRACE} of the pod to more than {number} s plus the time that the server needs to stop.",
        )


def _is_null(node: Node | None) -> bool:
    return node is None or (isinstance(node, ScalarNode) and node.value is None)


def _is_text(node: Node) -> bool:
    return isinstance(node, ScalarNode) and isinstance(node.value, str)


@container_rule("probe-field", Severity.ERROR, "The API server does not know a field of a probe or a hook.")
def find_unknown_fields(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each misspelled field."""
    has_known_schema = is_known(subject.container.workload.object)
    misplaced = {(id(wrong.node), wrong.name) for wrong in misplaced_fields(subject.container)}
    for wrong in misspelled_fields(subject.container, has_known_schema=has_known_schema):
        if (id(wrong.node), wrong.name) not in misplaced:
            yield _wrong_name(rule, subject.container, wrong)


@container_rule("probe-misplaced", Severity.ERROR, "A probe or a hook is in a place where it has no effect.")
def find_misplaced_fields(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each field in a wrong place."""
    if is_known(subject.container.workload.object):
        for wrong in misplaced_fields(subject.container):
            yield _wrong_name(rule, subject.container, wrong)


def _wrong_name(rule: Rule[ContainerSubject], container: Container, wrong: WrongName) -> Finding:
    name = wrong.name if re.fullmatch(r"[A-Za-z_-]{1,40}", wrong.name) else "a field"
    return rule.finding(
        f"{name} is not a field of {wrong.place}. The API server refuses it, or it has no effect.",
        wrong.remedy,
        obj=container.workload.object,
        node=wrong.node,
        line=wrong.node.line_of(wrong.name),
        container=container.name,
    )
