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
        self._by_folder: dict[tuple[str, str], list[Resolved]] = {}
        pods: dict[tuple[str, int], list[Resolved]] = {}
        for container, environment in resolved:
            if not container.is_finite:
                image, workload = image_of(container), container.workload
                folder = os.path.dirname(workload.object.file)
                self._by_image.setdefault(image, []).append((container, environment))
                self._by_folder.setdefault((image, folder), []).append((container, environment))
                pods.setdefault((image, id(workload.spec)), []).append((container, environment))
        self._pods = {pod: Group(containers) for pod, containers in pods.items()}
        self._places: dict[tuple[str, str, str], Group] = {}
        self._namespaces: dict[tuple[str, str], Group] = {}

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
        in_folder = _in_namespace(self._by_folder.get((image, folder), ()), namespace)
        if in_folder:
            return Group(in_folder)
        # All folders without a container that serves share one group.
        if (image, namespace) not in self._namespaces:
            self._namespaces[image, namespace] = Group(_in_namespace(self._by_image.get(image, ()), namespace))
        return self._namespaces[image, namespace]


def _in_namespace(resolved: Iterable[Resolved], namespace: str) -> list[Resolved]:
    """Return the containers that may be in a namespace."""
    return [each for each in resolved if is_same_namespace(each[0].workload.object.namespace, namespace)]
