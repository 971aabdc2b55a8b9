"""The application of the rules to the chosen containers and to the objects that they use."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from healthguard.kubernetes import bugs
from healthguard.kubernetes.environment.resolution import resolve
from healthguard.kubernetes.environment.sources import used_objects
from healthguard.kubernetes.environment.variables import Environment
from healthguard.kubernetes.findings import Finding
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.rules.rule import CONTAINER_RULES, OBJECT_RULES, ContainerSubject, ObjectSubject, Rule
from healthguard.kubernetes.serving import ServingContainers
from healthguard.kubernetes.workloads import Container
from healthguard.requirements.requirement import Requirements

S = TypeVar("S")
T = TypeVar("T")


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
                self._apply(container_rule, subject, container.label, container)
        self.objects = self._objects(containers)
        for obj in self.objects:
            for object_rule in OBJECT_RULES:
                self._apply(object_rule, ObjectSubject(obj, self._cluster), obj.label, None)

    def _apply(self, rule: Rule[S], subject: S, label: str, container: Container | None) -> None:
        for finding in self._collected(rule.id, label, lambda: rule.find(subject, rule)):
            self.hits.append(Hit(finding, container))

    def _environment(self, container: Container) -> Environment | None:
        environments = self._collected(
            "resolve-environment", container.label, lambda: [resolve(container, self._cluster)]
        )
        return environments[0] if environments else None

    def _objects(self, containers: Iterable[Container]) -> list[KubernetesObject]:
        """Return the objects that contain a container or are used by one, without repetitions."""
        objects: dict[int, KubernetesObject] = {}
        for container in containers:
            objects.setdefault(id(container.workload.object), container.workload.object)
            for used in self._collected("find-objects", container.label, self._used(container)):
                objects.setdefault(id(used), used)
        return list(objects.values())

    def _used(self, container: Container) -> Callable[[], Iterator[KubernetesObject]]:
        return lambda: used_objects(container, self._cluster)

    def _collected(self, step: str, label: str, produce: Callable[[], Iterable[T]]) -> list[T]:
        """Return what a rule or a step produces, up to the exception that it may raise."""
        collected: list[T] = []
        try:
            # Not list(), which would lose what was produced before an exception.
            for each in produce():
                collected.append(each)  # noqa: PERF402
        except Exception as error:
            self._add_failure(step, label, error)
        return collected

    def _add_failure(self, step: str, label: str, error: Exception) -> None:
        message = f"The rule {step} raised {bugs.describe(error)}, so it did not check {label} completely."
        self._failures.setdefault((step, bugs.place_of(error)), RuleFailure(step, message))
