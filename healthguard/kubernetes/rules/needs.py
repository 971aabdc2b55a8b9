"""The requirements that apply to a container, and the variables with which it meets them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from healthguard.kubernetes.environment.variables import Environment, Presence, Variable
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.programs import image_of, may_run_application
from healthguard.kubernetes.rules.partial_values import judge_known_parts
from healthguard.kubernetes.rules.rule import ContainerSubject
from healthguard.requirements.requirement import Judgement, Requirement, Values


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """A requirement that applies to a container.

    Args:
        requirement: the requirement.
        presence: PRESENT if the container gets one of the variables; UNKNOWABLE if that cannot be determined.
        variable: the variable that the application reads; None if it is not determined.
    """

    requirement: Requirement
    presence: Presence
    variable: Variable | None

    @property
    def names(self) -> str:
        """The variables, for a sentence."""
        return " or ".join(self.requirement.names)

    @property
    def reason(self) -> str:
        """The declaration, as the end of a sentence; empty if it is not known."""
        return f" It is required by {self.requirement.declared_by}." if self.requirement.declared_by else ""


@memoized
def needs_of(subject: ContainerSubject) -> Sequence[Need]:
    """Return the requirements that apply to a container: for one that ends by itself, only those of all processes."""
    values = values_of(subject)
    return [
        _need(requirement, subject.environment, values)
        for requirement in subject.requirements.variables
        if requirement.is_needed_by_jobs or not subject.container.is_finite
    ]


def required_names(subject: ContainerSubject) -> set[str]:
    """Return the names of the variables of which the container needs one or all."""
    return {name for need in needs_of(subject) for name in need.requirement.names}


def distinct_needs(subject: ContainerSubject) -> Iterator[Need]:
    """Yield the requirements that apply to a container, without those of the same variables as an earlier one."""
    seen: set[tuple[str, ...]] = set()
    for need in needs_of(subject):
        if need.requirement.names not in seen:
            seen.add(need.requirement.names)
            yield need


def is_application(subject: ContainerSubject) -> bool:
    """Return True if a container certainly needs all variables.

    A container that ends by itself may only use some of them, like one that waits for the database or copies it. It is
    one of the application if its image is, and if its command shows no other program.
    """
    container = subject.container
    if not container.is_finite:
        return True
    images = subject.serving.images
    return may_run_application(container) and (not images or image_of(container) in images)


@memoized
def values_of(subject: ContainerSubject) -> Values:
    """Return the values of the variables that a container certainly gets; None for a value that is not known.

    Of the variables for Services, only the required ones are included.
    """
    environment = subject.environment
    required = {name for requirement in subject.requirements.variables for name in requirement.names}
    variables = {name: environment.variable(name) for name in (*environment.variables, *required)}
    return {
        name: variable.value
        for name, variable in variables.items()
        if variable is not None and variable.presence is Presence.PRESENT
    }


def judgement_of(need: Need, subject: ContainerSubject) -> Judgement | None:
    """Return the problem of the value of the variable that the application reads; None if there is none."""
    variable = need.variable
    if variable is None or variable.presence is not Presence.PRESENT:
        return None
    others = values_of(subject)
    if variable.value is None:
        return judge_known_parts(need.requirement, variable, others)
    return need.requirement.judge(variable.name, variable.value, others)


def _need(requirement: Requirement, environment: Environment, values: Values) -> Need:
    name = requirement.chosen_name(values)
    unknowable = [each for each in requirement.names if environment.presence(each) is Presence.UNKNOWABLE]
    if name is None:
        return Need(requirement, Presence.UNKNOWABLE if unknowable else Presence.ABSENT, None)
    # A preferred variable that may be set would be read instead.
    preferred = requirement.names[: requirement.names.index(name)]
    is_certain = not any(each in unknowable for each in preferred)
    return Need(requirement, Presence.PRESENT, environment.variable(name) if is_certain else None)
