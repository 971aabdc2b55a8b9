"""The index of the containers that serve."""

from __future__ import annotations

from healthguard.kubernetes.environment.resolution import resolve
from healthguard.kubernetes.serving import ServingContainers
from healthguard.kubernetes.workloads import Container
from tests.kubernetes.environment.manifests import cluster_of, containers_of
from tests.kubernetes.rules.checked import deployment, job


def index_of(*texts: str) -> tuple[ServingContainers, list[Container]]:
    cluster = cluster_of(*texts)
    containers = containers_of(cluster)
    return ServingContainers((each, resolve(each, cluster)) for each in containers), containers


def test_only_containers_of_the_same_image_are_beside_a_job() -> None:
    """A Job belongs to the containers that run its image, and not to other Jobs."""
    serving, containers = index_of(deployment(""), deployment("", image="mail:1"), job(""), job(""))
    assert [container for container, _ in serving.beside(containers[2]).containers] == containers[:1]


def test_jobs_of_one_folder_share_a_group() -> None:
    """The containers beside one Job need not be determined for the next one."""
    serving, containers = index_of(deployment(""), job(""), job(""))
    assert serving.beside(containers[1]) is serving.beside(containers[2])


def test_images_are_those_of_containers_that_serve() -> None:
    """A container that ends by itself does not show what the application is."""
    serving, _ = index_of(deployment("", image="shop:1"), job("", image="pg:1"))
    assert set(serving.images) == {"shop"}
