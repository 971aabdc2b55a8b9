"""Manifests with probes, and the findings of the rules on them."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping

from healthguard.kubernetes.catalog import load_rules
from healthguard.kubernetes.environment.variables import Environment, Presence, Variable
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.documents import compose
from healthguard.kubernetes.reading.nodes import Node
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.rules import probes
from healthguard.kubernetes.rules.rule import CONTAINER_RULES, ContainerSubject, Rule
from healthguard.kubernetes.workloads import workloads_of
from healthguard.requirements.requirement import Requirements

FAULT = "# fault"
"""The comment at the end of the line on which a finding must be."""
REQUIREMENTS = Requirements((), mount_paths=("api/health",), deadline=0.8)
PORTS = "ports: [{name: http, containerPort: 8000}]"
STARTUP = "startupProbe: {httpGet: {path: /api/health/startup, port: http}, failureThreshold: 30}"
READINESS = "readinessProbe: {httpGet: {path: /api/health/ready, port: http}}"
LIVENESS = "livenessProbe: {httpGet: {path: /api/health/live, port: http}}"
LIFECYCLE = "lifecycle: {preStop: {sleep: {seconds: 5}}}"

load_rules()
PROBE_RULES: list[Rule[ContainerSubject]] = [
    rule for rule in CONTAINER_RULES if rule.find.__module__.startswith(f"{probes.__name__}.")
]


def manifest(
    *,
    startup: str = STARTUP,
    readiness: str = READINESS,
    liveness: str = LIVENESS,
    ports: str = PORTS,
    lifecycle: str = LIFECYCLE,
    more: str = "",
    pod: str = "",
    spec: str = "",
    template: str = "",
    kind: str = "Deployment",
) -> str:
    """Return a Deployment with one container. Without arguments it is sound."""
    fields = "\n".join(map(textwrap.dedent, (startup, readiness, liveness, ports, lifecycle, more)))
    return f"""\
apiVersion: apps/v1
kind: {kind}
metadata: {{name: shop}}
spec:
{textwrap.indent(textwrap.dedent(spec), "  ")}
  template:
{textwrap.indent(textwrap.dedent(template), "    ")}
    metadata: {{labels: {{app: shop}}}}
    spec:
{textwrap.indent(textwrap.dedent(pod), "      ")}
      containers:
        - name: web
          image: registry.example.com/shop:1.0
{textwrap.indent(fields, "          ")}
"""


def subjects(
    text: str, requirements: Requirements = REQUIREMENTS, variables: Mapping[str, str] | None = None
) -> list[ContainerSubject]:
    """Return the containers of all workloads, each with the same variables."""
    objects = [found for node in compose(text) if (found := KubernetesObject.of(node, "shop.yaml"))]  # type: ignore[arg-type]
    cluster = Cluster(objects)
    environment = Environment(
        {name: Variable(name, Presence.PRESENT, value, "env", Node(1)) for name, value in (variables or {}).items()},
        is_open=False,
    )
    return [
        ContainerSubject(container, environment, cluster, requirements)
        for each in cluster.objects
        for workload in workloads_of(each)
        for container in workload.containers()
        if container.name in ("web", "worker", "init")
    ]


def findings(
    text: str, requirements: Requirements = REQUIREMENTS, variables: Mapping[str, str] | None = None
) -> list[Finding]:
    """Return the findings of all rules on probes, advice included."""
    return [
        finding
        for subject in subjects(text, requirements, variables)
        for rule in PROBE_RULES
        for finding in rule.find(subject, rule)
    ]


def faults(
    text: str, requirements: Requirements = REQUIREMENTS, variables: Mapping[str, str] | None = None
) -> list[tuple[str, str, int]]:
    """Return the rule, the severity and the line of each finding that is more than advice."""
    return [
        (finding.rule, finding.severity.value, finding.line)
        for finding in findings(text, requirements, variables)
        if finding.severity in (Severity.ERROR, Severity.WARNING)
    ]


def fault_line(text: str) -> int:
    """Return the number of the line that is marked with :data:`FAULT`."""
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.endswith(FAULT)]
    assert len(lines) == 1, text
    return lines[0]


@dataclasses.dataclass(frozen=True)
class Case:
    """A manifest with one fault, and its sound twin.

    Args:
        rule: the rule that finds the fault.
        severity: the severity.
        broken: the manifest, with the mark.
        sound: the twin.
        name: the id of the test.
    """

    rule: str
    severity: str
    broken: str
    sound: str
    name: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.name}"
