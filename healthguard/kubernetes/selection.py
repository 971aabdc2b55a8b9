"""The containers of the application, among all containers of the inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator

from healthguard.kubernetes.environment.fields import has_ineffective_variables, ineffective_names
from healthguard.kubernetes.environment.near_misses import is_near
from healthguard.kubernetes.environment.references import env_from_reference, misspelled_references
from healthguard.kubernetes.environment.sources import source_of
from healthguard.kubernetes.programs import image_of, runs_management_command
from healthguard.kubernetes.reading.objects import Cluster
from healthguard.kubernetes.workloads import Container, is_known, workloads_of
from healthguard.requirements.requirement import Requirements
from healthguard.runtime.text import escaped

_MAX_NAMES = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """The chosen containers.

    Args:
        containers: the containers, in the order of the inputs.
        explanation: the reason why none is chosen, and the remedy; an empty string if there are some.
    """

    containers: tuple[Container, ...]
    explanation: str = ""


def choose(cluster: Cluster, requirements: Requirements, names: Collection[str]) -> Selection:
    """Return the containers of the application.

    Args:
        cluster: all objects of the inputs.
        requirements: the requirements of the declaration.
        names: the names of the containers; empty for those that bring a required variable.
    """
    containers = list(_containers(cluster, is_any_kind=bool(names)))
    if not containers:
        return Selection((), _no_workload(cluster))
    if names:
        return _named(containers, names)
    wanted = {name for requirement in requirements.variables for name in requirement.names}
    if not wanted:
        return Selection((), "No variables are required. Declare them, add --require NAME, or name containers with "
                             "--container NAME.")  # fmt: skip
    brought = {
        id(container): found for container in containers if (found := brought_names(container, cluster) & wanted)
    }
    chosen = _of_application(containers, brought) or _possible(containers, cluster)
    return Selection(chosen) if chosen else Selection((), _no_container(containers, cluster, wanted))


def brought_names(container: Container, cluster: Cluster) -> set[str]:
    """Return the names of the variables that a container states itself, or gets from sources with known keys."""
    names = {entry.text_at("name") or "" for entry in container.node.maps_at("env")}
    for entry in container.node.maps_at("envFrom"):
        reference = env_from_reference(entry)
        for found in [reference] if reference is not None else misspelled_references(entry):
            source = source_of(found, container.workload, cluster)
            names.update(found.prefix + key for key in source.values)
    return names.union(ineffective_names(container))


def _containers(cluster: Cluster, *, is_any_kind: bool) -> Iterator[Container]:
    for obj in cluster.objects:
        if is_any_kind or is_known(obj):
            for workload in workloads_of(obj):
                yield from workload.containers()


def _named(containers: Iterable[Container], names: Collection[str]) -> Selection:
    found = tuple(container for container in containers if container.name in names)
    missing = sorted(set(names) - {container.name for container in found})
    if not missing:
        return Selection(found)
    existing = sorted({container.name for container in containers if container.name})
    return Selection(
        (),
        f"No container is named {_listed(missing, 'or')}. The containers are {_listed(existing, 'and')}. Check the "
        "option --container.",
    )


def _possible(containers: list[Container], cluster: Cluster) -> tuple[Container, ...]:
    """Return the containers that may bring a required variable, from sources whose keys are not known."""
    return tuple(container for container in containers if _is_open(container, cluster))


def _is_open(container: Container, cluster: Cluster) -> bool:
    if has_ineffective_variables(container):
        return True
    references = filter(None, map(env_from_reference, container.node.maps_at("envFrom")))
    return any(source_of(reference, container.workload, cluster).is_open for reference in references)


def _of_application(containers: list[Container], brought: dict[int, set[str]]) -> tuple[Container, ...]:
    """Return the containers that bring a required variable, and the management commands of the same image."""
    most = _most_by_pod(containers, brought)
    chosen = [
        container
        for container in containers
        if id(container) in brought and (container.is_finite or _is_main_program(container, brought, most))
    ]
    images = {image_of(container) for container in chosen if not container.is_finite} - {""}
    chosen_ids = set(map(id, chosen))
    return tuple(
        container
        for container in containers
        if id(container) in chosen_ids
        or (container.is_finite and image_of(container) in images and runs_management_command(container))
    )


def _most_by_pod(containers: list[Container], brought: dict[int, set[str]]) -> dict[int, tuple[int, set[str]]]:
    """Return the largest number of required names that a container of a pod brings, and the images of these."""
    most: dict[int, tuple[int, set[str]]] = {}
    for container in containers:
        count = len(brought.get(id(container), ()))
        if not count or container.is_finite:
            continue
        best, images = most.get(id(container.workload.spec), (0, set()))
        if count > best:
            most[id(container.workload.spec)] = (count, {image_of(container)})
        elif count == best:
            images.add(image_of(container))
    return most


def _is_main_program(container: Container, brought: dict[int, set[str]], most: dict[int, tuple[int, set[str]]]) -> bool:
    """Return True unless a container is a helper of the application in the same pod, like a proxy of its database."""
    best, images = most[id(container.workload.spec)]
    return len(brought[id(container)]) == best or image_of(container) in images


def _no_workload(cluster: Cluster) -> str:
    kinds = sorted({obj.kind for obj in cluster.objects})
    found = f"The inputs contain only {_listed(kinds, 'and')}" if kinds else "The inputs contain no object"
    return (
        f"{found}, so no container was checked. Pass the manifests of the workloads as well. For a custom resource "
        "with a pod template, name its container with --container NAME."
    )


def _no_container(containers: list[Container], cluster: Cluster, wanted: set[str]) -> str:
    """Return the explanation that no container has a required variable, with the names that are similar."""
    names = set().union(*(brought_names(container, cluster) for container in containers))
    near = sorted(f"{name} (required: {each})" for name in names for each in wanted if is_near(name, each))
    hint = f" Similar names: {_listed(near, 'and')}." if near else ""
    return (
        f"None of the {len(containers)} containers has any of the required variables: {_listed(sorted(wanted), 'or')}."
        f"{hint} Name the containers of the application with --container NAME."
    )


def _listed(names: list[str], conjunction: str) -> str:
    """Return names for a sentence, of which only the first ones are spelled out."""
    shown = [escaped(name, 80) for name in names[:_MAX_NAMES]]
    if len(names) > _MAX_NAMES:
        return f"{', '.join(shown)} {conjunction} {len(names) - _MAX_NAMES} more"
    return f" {conjunction} ".join(filter(None, (", ".join(shown[:-1]), shown[-1] if shown else "")))
