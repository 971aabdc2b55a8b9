"""The chosen containers that run as long as their pod, indexed by image, pod and folder."""

from __future__ import annotations

import dataclasses
import os.path
from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

from healthguard.kubernetes.environment.variables import Environment
from healthguard.kubernetes.programs import image_of
from healthguard.kubernetes.reading.objects import is_same_namespace
from healthguard.kubernetes.workloads import Container

Resolved: TypeAlias = tuple[Container, Environment]
"""A container with its environment."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Containers of one image that belong together.

    Args:
        containers: the containers.
    """

    containers: Sequence[Resolved] = ()


class ServingContainers:
    """The containers that serve, such as those of web servers and workers.

    Args:
        resolved: the chosen containers of all workloads. Those that end by themselves are left out.
    """

    def __init__(self, resolved: Iterable[Resolved] = ()) -> None:
        self._by_image: dict[str, list[Resolved]] = {}
        pods: dict[tuple[str, int], list[Resolved]] = {}
        for container, environment in resolved:
            if not container.is_finite:
                image, pod = image_of(container), id(container.workload.spec)
                self._by_image.setdefault(image, []).append((container, environment))
                pods.setdefault((image, pod), []).append((container, environment))
        self._pods = {pod: Group(containers) for pod, containers in pods.items()}
        self._places: dict[tuple[str, str, str], Group] = {}

    @property
    def images(self) -> Collection[str]:
        """The images of the containers."""
        return self._by_image.keys()

    def beside(self, container: Container) -> Group:
        """Return the containers of the same image in the pod of a container, else in its folder, else in its namespace.

        All containers of a folder and a namespace get the same group.
        """
        image, obj = image_of(container), container.workload.object
        if (in_pod := self._pods.get((image, id(container.workload.spec)))) is not None:
            return in_pod
        place = (image, obj.namespace, os.path.dirname(obj.file))
        if place not in self._places:
            self._places[place] = self._in_place(*place)
        return self._places[place]

    def _in_place(self, image: str, namespace: str, folder: str) -> Group:
        near = [
            (container, environment)
            for container, environment in self._by_image.get(image, ())
            if is_same_namespace(container.workload.object.namespace, namespace)
        ]
        in_folder = [each for each in near if os.path.dirname(each[0].workload.object.file) == folder]
        return Group(in_folder or near)
