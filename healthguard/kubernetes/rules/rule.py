"""A rule, and the subjects to which rules are applied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from healthguard.kubernetes.environment.variables import Environment, Variable
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.memo import Memo
from healthguard.kubernetes.reading.nodes import Node
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.serving import ServingContainers
from healthguard.kubernetes.workloads import Container
from healthguard.requirements.requirement import Requirements

S = TypeVar("S")


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerSubject:
    """A container of the application, with everything that a rule may need.

    Args:
        container: the container.
        environment: its environment.
        cluster: all objects of the inputs.
        requirements: the requirements of the declaration.
        serving: the chosen containers of all workloads that run as long as their pod.
        memo: the results that several rules need; see :func:`healthguard.kubernetes.memo.memoized`.
    """

    container: Container
    environment: Environment
    cluster: Cluster
    requirements: Requirements
    serving: ServingContainers = dataclasses.field(default_factory=ServingContainers)
    memo: Memo = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def place_of(self, variable: Variable) -> tuple[KubernetesObject, Node]:
        """Return the object and the node in which the value of a variable is written."""
        if variable.value_object is not None and variable.value_node is not None:
            return variable.value_object, variable.value_node
        return self.container.workload.object, variable.entry

    def finding(
        self,
        rule: Rule[ContainerSubject],
        message: str,
        remedy: str,
        *,
        node: Node,
        obj: KubernetesObject | None = None,
        line: int | None = None,
        variable: str = "",
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding about the container.

        Args:
            rule: the rule that finds it.
            message: the fact.
            remedy: the remedy.
            node: the value at which the fault is.
            obj: the object in which it is, if that is not the workload.
            line: its line, if it is not that of the node.
            variable: the environment variable.
            severity: the severity, if it is not that of the rule.
        """
        return rule.finding(
            message,
            remedy,
            obj=obj or self.container.workload.object,
            node=node,
            line=line,
            container=self.container.name,
            variable=variable,
            severity=severity,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectSubject:
    """An object that a chosen container uses, or that contains one.

    Args:
        object: the object.
        cluster: all objects of the inputs.
    """

    object: KubernetesObject
    cluster: Cluster


@dataclasses.dataclass(frozen=True, slots=True)
class Rule(Generic[S]):
    """A rule.

    Args:
        id: its id, in lower case with dashes: ``probe-path``. It is stable: ``healthguard.io/ignore`` and SARIF use it.
        severity: the severity of its findings.
        summary: the fault that it finds, as one sentence.
        find: yields its findings.
    """

    id: str
    severity: Severity
    summary: str
    find: Callable[[S, Rule[S]], Iterator[Finding]]

    def finding(
        self,
        message: str,
        remedy: str,
        *,
        obj: KubernetesObject,
        node: Node,
        line: int | None = None,
        container: str = "",
        variable: str = "",
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding of this rule.

        Args:
            message: the fact.
            remedy: the remedy.
            obj: the object in which the fault is.
            node: the value at which it is.
            line: its line, if it is not that of the node.
            container: the name of the container.
            variable: the environment variable.
            severity: the severity, if it is not that of the rule.
        """
        return Finding(
            self.id,
            severity or self.severity,
            message,
            remedy,
            obj,
            node,
            node.line if line is None else line,
            container,
            variable,
        )


CONTAINER_RULES: list[Rule[ContainerSubject]] = []
"""The rules that are applied to each chosen container. A module adds its rules with :func:`container_rule`."""
OBJECT_RULES: list[Rule[ObjectSubject]] = []
"""The rules that are applied to each object that concerns a chosen container."""

_ContainerFind = Callable[[ContainerSubject, Rule[ContainerSubject]], Iterator[Finding]]
_ObjectFind = Callable[[ObjectSubject, Rule[ObjectSubject]], Iterator[Finding]]


def container_rule(rule_id: str, severity: Severity, summary: str) -> Callable[[_ContainerFind], _ContainerFind]:
    """Return a decorator that makes a rule for containers of a function."""

    def add(find: _ContainerFind) -> _ContainerFind:
        CONTAINER_RULES.append(Rule(rule_id, severity, summary, find))
        return find

    return add


def object_rule(rule_id: str, severity: Severity, summary: str) -> Callable[[_ObjectFind], _ObjectFind]:
    """Return a decorator that makes a rule for objects of a function."""

    def add(find: _ObjectFind) -> _ObjectFind:
        OBJECT_RULES.append(Rule(rule_id, severity, summary, find))
        return find

    return add
