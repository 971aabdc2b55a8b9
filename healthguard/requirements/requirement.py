"""A requirement: the variables that a check needs in the environment, and the values that are valid."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from healthguard.status import Problem

Values: TypeAlias = Mapping[str, "str | None"]
"""The values of variables by name; None for a variable that is set to an unknown value."""

NO_VALUES: Values = MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """The problem of a value.

    Args:
        problem: the problem, with the code and the text that the check reports in a running container.
        is_minor: True if the application works nevertheless: the check is then only degraded.
    """

    problem: Problem
    is_minor: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement(abc.ABC):
    """Something that a check needs from the environment.

    Args:
        names: the variables of which one must be set, the preferred one first.
        declared_by: the service and the check that declare it, for people: ``ai_providers/anthropic: AIProviderKey``.
            A check leaves it empty; it is set when the requirements of a declaration are collected.
    """

    names: tuple[str, ...]
    declared_by: str = ""

    @property
    def is_needed_by_jobs(self) -> bool:
        """True if each process of the application needs it, also those that only migrate the database."""
        return False

    def chosen_name(self, values: Values) -> str | None:
        """Return the variable that the application reads, of those that are set; None if none of them is set."""
        return next((name for name in self.names if name in values), None)

    @abc.abstractmethod
    def judge(self, name: str, value: str, others: Values = NO_VALUES) -> Judgement | None:
        """Return the problem of a value; None if the value alone shows none.

        The codes and the texts are those that the check itself reports in a running container. No text contains the
        value, whole or in part.

        Args:
            name: the variable, one of ``names``.
            value: its value.
            others: the other variables of the container. They may change the meaning of the value.
        """

    def problem(self, name: str, value: str, others: Values = NO_VALUES) -> Problem | None:
        """Return the problem of a value without its severity; see :meth:`judge`."""
        judgement = self.judge(name, value, others)
        return None if judgement is None else judgement.problem


@dataclasses.dataclass(frozen=True, slots=True)
class Requirements:
    """All that a declaration needs from a deployment.

    Args:
        variables: the requirements that concern variables.
        mount_paths: the paths at which the health endpoint answers, without slashes at their ends: ``api/health``.
            Empty if they are not known.
        deadline: the DEADLINE of the declaration (seconds).
        drain_file: the DRAIN_FILE of the declaration; None if there is none.
    """

    variables: tuple[Requirement, ...]
    mount_paths: tuple[str, ...] = ()
    deadline: float = 0.8
    drain_file: str | None = None
