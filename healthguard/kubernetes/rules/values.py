"""Rules on the values of required variables: the judgement of the check itself, made before the rollout."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from healthguard.kubernetes.environment.variables import Variable
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.programs import builds_only
from healthguard.kubernetes.rules.encodings import is_encoded_twice, is_plain_text
from healthguard.kubernetes.rules.expansion import is_altered
from healthguard.kubernetes.rules.names import is_emptied
from healthguard.kubernetes.rules.needs import Need, judgement_of, needs_of
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.requirements.requirement import Judgement
from healthguard.secret_values.values import ValueFault
from healthguard.status import Problem


@container_rule("value-invalid", Severity.ERROR, "The value of a required variable is invalid.")
def find_invalid(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the problems that the check of a variable would report in the running container.

    The id of a finding is the code of the problem with dashes: ``key-placeholder``, ``variable-too-short``.
    """
    for variable, judgement in _judgements(subject):
        obj, node = subject.place_of(variable)
        problem = judgement.problem
        yield dataclasses.replace(rule, id=problem.code.replace("_", "-")).finding(
            f"{problem.message}{origin_of(variable)}",
            problem.hint,
            obj=obj,
            node=node,
            container=subject.container.name,
            variable=variable.name,
            severity=Severity.WARNING if judgement.is_minor else None,
        )


def _judgements(subject: ContainerSubject) -> Iterator[tuple[Variable, Judgement]]:
    """Yield the problems of the variables. A flaw of a value that several checks report is yielded once."""
    found: dict[tuple[str, str], tuple[Variable, Judgement]] = {}
    if builds_only(subject.container):
        return
    for need in needs_of(subject):
        judgement, variable = judgement_of(need, subject), need.variable
        if judgement is None or variable is None or _is_explained(need, variable, subject):
            continue
        flaw = (variable.name, _kind_of(judgement.problem))
        # The check of a secret key or an AI key explains it better than that of a variable.
        if flaw not in found or found[flaw][1].problem.code.startswith("variable_"):
            found[flaw] = variable, judgement
    yield from found.values()


def _kind_of(problem: Problem) -> str:
    """Return the kind of a flaw that several checks find, or the code of any other problem."""
    kind = problem.code.rpartition("_")[2]
    return kind if kind in set(ValueFault) else problem.code


def _is_explained(need: Need, variable: Variable, subject: ContainerSubject) -> bool:
    """Return True if another rule reports the cause of the problem."""
    return (
        is_plain_text(need.requirement, variable)
        or is_encoded_twice(need.requirement, variable)
        or is_altered(variable)
        or is_emptied(variable.name, subject)
    )


def origin_of(variable: Variable) -> str:
    """Return the sentence that names the key from which a variable comes; an empty string for a literal value."""
    return f" It comes from {variable.origin}." if variable.origin.startswith("key ") else ""
