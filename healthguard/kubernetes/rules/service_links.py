"""Rules on the variables that the kubelet adds for Services."""

from __future__ import annotations

from collections.abc import Iterator

from healthguard.kubernetes.environment.variables import Variable
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.rules.needs import needs_of
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule


@container_rule(
    "service-link-collision", Severity.ERROR, "A required variable gets the address of a Service instead of its value."
)
def find_collisions(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the required variables that only the kubelet sets: ``REDIS_PORT`` is ``tcp://…`` for a Service redis.

    Variables like ``REDIS_SERVICE_HOST`` have no other meaning, so an application that requires them means the Service.
    """
    yield from _inside_values(subject, rule)
    for need in needs_of(subject):
        variable = need.variable
        if variable is not None and _is_address(variable):
            yield subject.finding(
                rule,
                f'{variable.name} is not set in env, so it gets the address of {variable.origin}, like "tcp://…", from '
                f"Kubernetes.{need.reason}",
                f'Set {variable.name} in env. Set "enableServiceLinks: false" in the pod to get no such variables.',
                node=subject.container.node,
                line=subject.container.node.line_of("env"),
                variable=variable.name,
            )


def _inside_values(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the literal values that refer to the address of a Service as if it was a port."""
    for variable in subject.environment.variables.values():
        for part in variable.parts:
            # A value that begins with the address may mean it.
            if part.variable is None or not _is_address(part.variable) or part is variable.parts[0]:
                continue
            yield subject.finding(
                rule,
                f"{variable.name} refers to {part.name}, which is not set in env, so it is the address of "
                f'{part.variable.origin}, like "tcp://…".',
                f"Set {part.name} in env before it, or write the port itself.",
                node=variable.value_node or variable.entry,
                variable=variable.name,
            )


def _is_address(variable: Variable) -> bool:
    """Return True if the kubelet sets a variable to a URL: ``tcp://10.0.0.1:80``."""
    obj = variable.value_object
    if obj is None or obj.kind != "Service" or variable.value is not None:
        return False
    # "X_PORT" of the Service "x", and not "X_PORT_SERVICE_PORT" of a Service "x-port".
    return variable.name == f"{obj.name.upper().replace('-', '_')}_PORT"
