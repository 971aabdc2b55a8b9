"""The variables of a container, as far as the inputs determine them."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from healthguard.kubernetes.reading.nodes import Node
from healthguard.kubernetes.reading.objects import KubernetesObject


class Presence(enum.Enum):
    """Three values: nothing is claimed that the inputs do not show."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWABLE = "unknowable"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A part of a literal value: a plain text, or a reference like ``$(NAME)``.

    Args:
        text: the text that the kubelet puts in its place; None if the inputs do not determine it.
        name: the name in the reference; an empty string for a plain text.
        variable: the variable that the reference resolves to; None if there is none.
    """

    text: str | None = dataclasses.field(repr=False)
    name: str = ""
    variable: Variable | None = None

    @property
    def is_unresolved(self) -> bool:
        """True if it is a reference that the container gets as it is written."""
        return bool(self.name) and self.variable is None and self.text is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a container.

    Args:
        name: its name.
        presence: PRESENT if the container gets it; UNKNOWABLE if that depends on something outside the inputs.
        value: its value, if the inputs determine it; otherwise None. It is never shown.
        origin: where the value comes from, for people: ``key "x" of Secret "y"``.
        entry: the entry of ``env`` or ``envFrom`` that provides it.
        value_object: the object in which the value itself is written: the workload, or a Secret.
        value_node: the value itself in that object; None if the inputs do not contain it.
        parts: the parts of a literal value; empty for any other.
        is_encoded: True if the value is written in base64.
    """

    name: str
    presence: Presence
    value: str | None = dataclasses.field(repr=False)
    origin: str
    entry: Node
    value_object: KubernetesObject | None = None
    value_node: Node | None = None
    parts: tuple[Part, ...] = ()
    is_encoded: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Environment:
    """The variables of one container.

    Args:
        variables: the variables that the inputs name, in the order in which the kubelet would set them.
        is_open: True if a source whose keys the inputs do not contain may provide further variables.
        open_prefixes: the prefixes of the names of such variables.
        service_variables: the variables for Services, which fill in what is not set otherwise.
    """

    variables: Mapping[str, Variable]
    is_open: bool
    open_prefixes: tuple[str, ...] = ("",)
    service_variables: Mapping[str, Variable] = dataclasses.field(default_factory=dict)

    def variable(self, name: str) -> Variable | None:
        """Return the variable with this name; None if the inputs do not name it."""
        variable = self.variables.get(name)
        if variable is not None and variable.presence is not Presence.ABSENT:
            return variable
        service = self.service_variables.get(name)
        if service is not None and self.may_provide(name):
            # It is certainly set, but perhaps not to the address of the Service.
            return dataclasses.replace(service, value_object=None)
        return service or variable

    def presence(self, name: str) -> Presence:
        """Return PRESENT, ABSENT or UNKNOWABLE for a name."""
        variable = self.variable(name)
        if variable is not None and variable.presence is not Presence.ABSENT:
            return variable.presence
        return Presence.UNKNOWABLE if self.may_provide(name) else Presence.ABSENT

    def may_provide(self, name: str) -> bool:
        """Return True if a source whose keys the inputs do not contain may provide a variable of this name."""
        return self.is_open and any(name.startswith(prefix) for prefix in self.open_prefixes)
