"""The probes of a container, with the defaults that the API server fills in."""

from __future__ import annotations

import dataclasses
import enum
import re

from healthguard.kubernetes.memo import Memo, memoized
from healthguard.kubernetes.reading.nodes import MapNode, Node, ScalarNode
from healthguard.kubernetes.workloads import Container

HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
"""The ways to probe. A probe has exactly one of them."""
DEFAULTS = {
    "initialDelaySeconds": 0,
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
"""The numbers of a probe that does not set them, and of one that sets them to 0."""

_SHOWABLE = re.compile(r"/?([A-Za-z0-9._-]{0,24}/)*[A-Za-z0-9._-]{0,24}")
_MAX_SHOWN = 80


class ProbeKind(enum.StrEnum):
    """The field that contains the probe."""

    STARTUP = "startupProbe"
    READINESS = "readinessProbe"
    LIVENESS = "livenessProbe"


PROBE_KINDS = tuple(ProbeKind)
"""The fields that contain probes. An enumeration is slow to iterate over."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A probe of a container.

    Args:
        container: the container.
        kind: the field that contains it.
        node: its content.
        memo: the results of functions about it; see :func:`healthguard.kubernetes.memo.memoized`.
    """

    container: Container
    kind: ProbeKind
    node: MapNode
    memo: Memo = dataclasses.field(default_factory=dict, repr=False)

    @property
    def label(self) -> str:
        """The beginning of a sentence about it."""
        return f"The {self.kind} of {self.container.role} {self.container.name or '?'}"

    @property
    def line(self) -> int:
        """The line of the name of the probe."""
        return self.container.node.line_of(self.kind)

    def number(self, field: str) -> int | None:
        """Return a number of the probe, or its default; None if it is not a valid one."""
        return integer(self.node.at(field), DEFAULTS[field]) or (DEFAULTS[field] if self._is_zero(field) else None)

    def _is_zero(self, field: str) -> bool:
        return integer(self.node.at(field), 0) == 0


@memoized
def probes_of(container: Container) -> tuple[Probe, ...]:
    """Return the probes, in the order of :class:`ProbeKind`."""
    nodes = ((kind, container.node.map_at(kind)) for kind in PROBE_KINDS)
    return tuple(Probe(container, kind, node) for kind, node in nodes if node is not None)


def probe_of(container: Container, kind: ProbeKind) -> Probe | None:
    """Return the probe of this kind; None if the container has none."""
    return next((probe for probe in probes_of(container) if probe.kind is kind), None)


def integer(node: Node | None, default: int | None = None) -> int | None:
    """Return a whole number; ``default`` if the value is missing, and None if it is not a whole number.

    1.0 is one too: kubectl converts YAML to JSON, which has only one type of numbers.
    """
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return default
    if not isinstance(node, ScalarNode) or isinstance(node.value, bool | str):
        return None
    if isinstance(node.value, float):
        return int(node.value) if node.value.is_integer() else None
    return node.value


def shown_path(path: str) -> str:
    """Return a path for a message. A path that may contain a secret is not shown."""
    path = path.partition("?")[0]
    return path if len(path) <= _MAX_SHOWN and _SHOWABLE.fullmatch(path) else "a path that is not shown here"
