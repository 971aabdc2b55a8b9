"""Manifests, and rules with a known outcome."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.documents import compose
from healthguard.kubernetes.reading.nodes import MapNode
from healthguard.kubernetes.reading.objects import KubernetesObject
from healthguard.kubernetes.rules.rule import ContainerSubject, ObjectSubject, Rule
from healthguard.requirements.requirement import NO_VALUES, Judgement, Requirement, Requirements, Values

NAME = "API_KEY"
SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: keys
  annotations: {}
stringData:
  key: s3cr3t-v4lue
---
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {}
spec:
  template:
    metadata:
      annotations: {}
    spec:
      containers:
        - name: web
          image: shop
          env:
            - name: API_KEY
              valueFrom:
                secretKeyRef: {name: keys, key: key}
---
"""
WORKER = WEB.replace("name: web", "name: worker")


@dataclasses.dataclass(frozen=True, slots=True)
class Needed(Requirement):
    """A variable whose values are all valid."""

    def judge(self, name: str, value: str, others: Values = NO_VALUES) -> Judgement | None:
        """Return None: every value is valid."""
        return None


REQUIREMENTS = Requirements((Needed((NAME,), "test"),))


def objects(text: str, file: str = "k8s.yaml") -> list[KubernetesObject]:
    """Return the objects in a stream."""
    found = [KubernetesObject.of(node, file) for node in compose(text) if isinstance(node, MapNode)]
    return [obj for obj in found if obj is not None]


def annotated(manifest: str, entry: str) -> str:
    """Return a manifest whose object, and not its pod template, has an ``ignore`` annotation on line 6."""
    return manifest.replace("  annotations: {}", f"  annotations:\n    healthguard.io/ignore: {entry!r}", 1)


def find_entry(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding at the first entry of ``env``."""
    container = subject.container
    entry = next(container.node.maps_at("env"))
    obj = container.workload.object
    yield rule.finding("It is wrong.", "Fix it.", obj=obj, node=entry, container=container.name, variable=NAME)


def find_value(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding at the value in each Secret, which names the container."""
    for secret in subject.cluster.of_kind("Secret"):
        node = secret.node.at("stringData", "key")
        assert node is not None
        message = f"The container {subject.container.name} gets a wrong value."
        yield rule.finding(message, "Fix it.", obj=secret, node=node, container=subject.container.name, variable=NAME)


def find_object(subject: ObjectSubject, rule: Rule[ObjectSubject]) -> Iterator[Finding]:
    """Yield a finding at the object."""
    obj = subject.object
    yield rule.finding(f"{obj.label} is wrong.", "Fix it.", obj=obj, node=obj.node)


def container_rule(rule_id: str = "entry", severity: Severity = Severity.ERROR) -> Rule[ContainerSubject]:
    """Return a rule that finds the first entry of ``env``."""
    return Rule(rule_id, severity, "An entry is wrong.", find_entry)


def value_rule() -> Rule[ContainerSubject]:
    """Return a rule that finds the value in a Secret."""
    return Rule("value", Severity.ERROR, "A value is wrong.", find_value)


def object_rule() -> Rule[ObjectSubject]:
    """Return a rule that finds each object."""
    return Rule("object", Severity.ERROR, "An object is wrong.", find_object)
