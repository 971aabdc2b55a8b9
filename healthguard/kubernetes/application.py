"""The application of the rules to the chosen containers and to the objects that they use."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TypeVar

from healthguard.kubernetes import bugs
from healthguard.kubernetes.environment.resolution import resolve
from healthguard.kubernetes.environment.sources import Source, used_sources
from healthguard.kubernetes.environment.variables import Environment
from healthguard.kubernetes.findings import Finding
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.rules.rule import CONTAINER_RULES, OBJECT_RULES, ContainerSubject, ObjectSubject, Rule
from healthguard.kubernetes.serving import ServingContainers
from healthguard.kubernetes.workloads import Container
from healthguard.requirements.requirement import Requirements

S = TypeVar("S")


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """A finding, and the subject of the rule that found it.

    Args:
        finding: the finding.
        container: the container to which the rule was applied; None if it was applied to an object.
    """

    finding: Finding
    container: Container | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RuleFailure:
    """A rule that raised an exception, which is a bug of healthguard: its subject is not checked.

    Args:
        rule: the id of the rule, or the name of the step before the rules.
        message: the fact. It does not contain the text of the exception, which could contain a value.
        remedy: the remedy.
    """

    rule: str
    message: str
    remedy: str = f"{bugs.REMEDY} The other rules were applied."


class Application:
    """One application of all rules. An exception in one rule does not prevent the others.

    Args:
        cluster: all objects of the inputs.
        requirements: the requirements of the declaration.
    """

    def __init__(self, cluster: Cluster, requirements: Requirements) -> None:
        self.hits: list[Hit] = []
        """The findings so far."""
        self.objects: list[KubernetesObject] = []
        """The objects to which rules were applied."""
        self._cluster = cluster
        self._requirements = requirements
        self._failures: dict[tuple[str, str], RuleFailure] = {}

    @property
    def failures(self) -> tuple[RuleFailure, ...]:
        """The failures, of which one bug causes only one."""
        return tuple(self._failures.values())

    def apply(self, containers: Sequence[Container]) -> None:
        """Apply the rules to the containers, and to the objects that contain or provide something for them."""
        resolved = [
            (container, environment)
            for container in containers
            if (environment := self._environment(container)) is not None
        ]
        serving = ServingContainers(resolved)
        for container, environment in resolved:
            subject = ContainerSubject(container, environment, self._cluster, self._requirements, serving)
            for container_rule in CONTAINER_RULES:
                self._apply(container_rule, subject, container)
        self.objects = self._objects(containers)
        for obj in self.objects:
            object_subject = ObjectSubject(obj, self._cluster)
            for object_rule in OBJECT_RULES:
                self._apply(object_rule, object_subject, obj)

    def _apply(self, rule: Rule[S], subject: S, owner: Container | KubernetesObject) -> None:
        """Apply a rule. Its findings up to an exception count."""
        container = owner if isinstance(owner, Container) else None
        try:
            for finding in rule.find(subject, rule):
                self.hits.append(Hit(finding, container))
        except Exception as error:
            self._add_failure(rule.id, owner, error)

    def _environment(self, container: Container) -> Environment | None:
        try:
            return resolve(container, self._cluster)
        except Exception as error:
            self._add_failure("resolve-environment", container, error)
            return None

    def _objects(self, containers: Iterable[Container]) -> list[KubernetesObject]:
        """Return the objects that contain a container or are used by one, without repetitions."""
        objects: dict[int, KubernetesObject] = {}
        sources: dict[int, Source] = {}
        for container in containers:
            objects.setdefault(id(container.workload.object), container.workload.object)
            try:
                used = [each for each in used_sources(container, self._cluster) if id(each) not in sources]
            except Exception as error:
                self._add_failure("find-objects", container, error)
                continue
            # Many containers may share a source of many objects.
            sources |= {id(source): source for source in used}
            for source in used:
                objects |= {id(content.object): content.object for content in source.contents}
        return list(objects.values())

    def _add_failure(self, step: str, owner: Container | KubernetesObject, error: Exception) -> None:
        message = f"The rule {step} raised {bugs.describe(error)}, so it did not check {owner.label} completely."
        self._failures.setdefault((step, bugs.place_of(error)), RuleFailure(step, message))
