"""Rules on references like ``$(NAME)`` in the values of env."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from healthguard.kubernetes.environment.expansion import has_escaped_dollar
from healthguard.kubernetes.environment.variables import Part, Variable
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import ScalarNode
from healthguard.kubernetes.rules.needs import needs_of, required_names
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.kubernetes.workloads import Container

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


@container_rule("expansion-order", Severity.ERROR, "A reference like $(NAME) is before the variable that it names.")
def find_wrong_order(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the references to variables that are set only later in env."""
    for variable, part in _unresolved(subject):
        if _is_set_later(part.name, variable, subject):
            yield _finding(
                rule,
                subject,
                variable,
                f"{variable.name} refers to {part.name}, which is set later in env, so the reference is not resolved.",
                f"Move {part.name} before {variable.name}. kustomize puts the entries that an overlay adds first: let "
                "the overlay set both, or set the referenced one in the base.",
            )


@container_rule("expansion-unresolved", Severity.ERROR, "A reference like $(NAME) names a variable that is not set.")
def find_unresolved(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the references to variables that the container does not get."""
    required = required_names(subject)
    for variable, part in _unresolved(subject):
        is_name = _NAME.fullmatch(part.name) is not None
        if not _is_set_later(part.name, variable, subject) and is_name | (variable.name in required):
            yield _finding(
                rule,
                subject,
                variable,
                f"{variable.name} refers to a variable that is not set, so the application gets the reference as text.",
                "Set the referenced variable earlier in env, or in envFrom. Write $$(NAME) if the text is meant.",
            )


@container_rule("expansion-dollar", Severity.ERROR, "A required value contains $$, which the kubelet turns into $.")
def find_escaped_dollars(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the literal values of required variables that reach the container in another form."""
    for need in needs_of(subject):
        if need.variable is not None and _loses_dollar(need.variable):
            yield _finding(
                rule,
                subject,
                need.variable,
                f'{need.variable.name} contains "$$", of which the container gets only "$".',
                "Move the value to a Secret, which is not expanded, or double each dollar sign of it.",
            )


def is_altered(variable: Variable) -> bool:
    """Return True if a rule of this module reports the value of a variable."""
    return any(part.is_unresolved for part in variable.parts) or _loses_dollar(variable)


def _loses_dollar(variable: Variable) -> bool:
    node = variable.value_node
    if not variable.parts or not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return False
    return has_escaped_dollar(node.value)


def _unresolved(subject: ContainerSubject) -> Iterator[tuple[Variable, Part]]:
    for variable in subject.environment.variables.values():
        # Two references to one variable are one fault.
        for part in {part.name: part for part in variable.parts if part.is_unresolved}.values():
            yield variable, part


def _is_set_later(name: str, variable: Variable, subject: ContainerSubject) -> bool:
    """Return True if an entry of this name stands after the one of a variable that refers to it."""
    last = _last_entries(subject.container)
    return name != variable.name and last.get(name, -1) > last.get(variable.name, -1)


@memoized
def _last_entries(container: Container) -> Mapping[str, int]:
    """Return the position of the last entry of env for each name. A variable is resolved at its last one."""
    return {entry.text_at("name") or "": position for position, entry in enumerate(container.node.maps_at("env"))}


def _finding(
    rule: Rule[ContainerSubject], subject: ContainerSubject, variable: Variable, message: str, remedy: str
) -> Finding:
    return subject.finding(
        rule,
        message,
        remedy,
        node=variable.value_node or variable.entry,
        variable=variable.name,
    )
