"""The pod templates and containers in the objects."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Sequence

from healthguard.kubernetes.memo import Memo, memoized
from healthguard.kubernetes.reading.nodes import MapNode, Node
from healthguard.kubernetes.reading.objects import KubernetesObject

_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Rollout": ("spec", "template"),
    "PodTemplate": ("template",),
}
_MAX_DEPTH = 12
_FINITE = frozenset({"Job", "CronJob"})


class Role(enum.StrEnum):
    """The part that a container plays in its pod."""

    MAIN = "container"
    INIT = "init container"
    SIDECAR = "sidecar"
    """An init container with ``restartPolicy: Always``, which runs as long as the pod."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """An object with a pod template.

    Args:
        object: the object.
        template: the template, with ``metadata`` and ``spec``; for a Pod the object itself.
        spec: the ``spec`` of the template.
        memo: the results of functions about it; see :func:`healthguard.kubernetes.memo.memoized`.
    """

    object: KubernetesObject
    template: MapNode
    spec: MapNode
    memo: Memo = dataclasses.field(default_factory=dict, repr=False)

    @property
    def is_finite(self) -> bool:
        """True if its pods end by themselves, like those of a Job. They are not probed."""
        return self.object.kind in _FINITE

    @memoized
    def containers(self) -> Sequence[Container]:
        """Return the containers, in the order in which they start."""
        return [
            Container(self, node, _role(field, node), node.text_at("name") or "")
            for field in ("initContainers", "containers")
            for node in self.spec.maps_at(field)
        ]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Container:
    """A container of a workload.

    Args:
        workload: the workload.
        node: its content.
        role: its part in the pod.
        name: its name; an empty string if it has none.
        memo: the results of functions about it; see :func:`healthguard.kubernetes.memo.memoized`.
    """

    workload: Workload
    node: MapNode
    role: Role
    name: str
    memo: Memo = dataclasses.field(default_factory=dict, repr=False)

    @property
    def is_finite(self) -> bool:
        """True if the container ends by itself, like one of a Job, or an init container. It is not probed."""
        return self.workload.is_finite or self.role is Role.INIT

    @property
    def label(self) -> str:
        """The container and its workload, for people."""
        return f"{self.workload.object.label}, {self.role} {self.name or '?'}"


def _role(field: str, node: MapNode) -> Role:
    if field == "containers":
        return Role.MAIN
    return Role.SIDECAR if node.text_at("restartPolicy") == "Always" else Role.INIT


@memoized
def workloads_of(obj: KubernetesObject) -> Sequence[Workload]:
    """Return the workload that an object of a known kind is; for any other kind, those at which a template is found."""
    path = _TEMPLATES.get(obj.kind)
    templates = _templates_in(obj.node, _MAX_DEPTH) if path is None else [obj.node.map_at(*path)]
    return [
        Workload(obj, template, spec)
        for template in templates
        if template is not None and (spec := template.map_at("spec")) is not None
    ]


def is_known(obj: KubernetesObject) -> bool:
    """Return True if the kind of the object is a workload of Kubernetes or Argo, and not an unknown one."""
    return obj.kind in _TEMPLATES


def _templates_in(node: Node, depth: int) -> Iterator[MapNode]:
    """Yield the mappings that look like a pod template: a ``spec`` with a list of containers."""
    if not isinstance(node, MapNode) or depth == 0:
        return
    if any(True for _ in node.maps_at("spec", "containers")):
        yield node
        return
    for member in node.items.values():
        yield from _templates_in(member, depth - 1)
