"""The environment of a container agrees with what the kubelet gives it."""

from __future__ import annotations

import dataclasses

import pytest

from healthguard.kubernetes.environment.resolution import resolve
from healthguard.kubernetes.environment.variables import Environment, Presence
from tests.kubernetes.environment.manifests import cluster_of, containers_of, pod
from tests.kubernetes.environment.resolution_cases import (
    CASES,
    FROM_C,
    FROM_S,
    UNKNOWN,
    config_map,
    literals,
    operated,
    secret,
    service,
)


def outcome(environment: Environment, name: str) -> object:
    presence = environment.presence(name)
    if presence is not Presence.PRESENT:
        return presence
    variable = environment.variable(name)
    assert variable is not None
    value = variable.value
    return UNKNOWN if value is None else value


@pytest.mark.parametrize(("body", "others", "name", "expected"), CASES.values(), ids=list(CASES))
def test_variable_is_resolved_as_by_the_kubelet(body: str, others: list[str], name: str, expected: object) -> None:
    """A container gets the value that the kubelet would give it."""
    cluster = cluster_of(pod(body), *others)
    environment = resolve(containers_of(cluster)[0], cluster)
    assert outcome(environment, name) == expected


def test_controller_of_a_custom_resource_may_set_a_referenced_variable() -> None:
    """A reference in the template of a custom resource may be resolved by a variable that its controller adds."""
    template = f"template: {{spec: {{containers: [{{name: web, {literals('$(LEADER_ADDRESS)')}}}]}}}}"
    cluster = cluster_of(operated("LeaderSet", f"{{{template}}}", group="leaders.example.com/v1"))
    assert outcome(resolve(containers_of(cluster)[0], cluster), "A") is UNKNOWN


def test_namespace_that_a_tool_replaces_may_be_any() -> None:
    """A placeholder as the namespace of a Secret does not make it one of another namespace."""
    cluster = cluster_of(pod(FROM_S, namespace="a"), secret("{k: v}", namespace="'${NAMESPACE}'"))
    assert resolve(containers_of(cluster)[0], cluster).presence("X") is Presence.PRESENT


def test_name_that_a_tool_replaces_is_unknowable() -> None:
    """A placeholder as the name of a Secret is not a misspelled name."""
    cluster = cluster_of(pod(FROM_S.replace("name: s", "name: '${S}'")), secret("{k: v}", name="'${S}.'"))
    assert resolve(containers_of(cluster)[0], cluster).presence("X") is Presence.UNKNOWABLE


def test_service_links_can_be_switched_off() -> None:
    """With enableServiceLinks false, a Service gives the container no variables."""
    cluster = cluster_of(pod("command: [run]", before="enableServiceLinks: false"), service("{ports: [{port: 1}]}"))
    assert resolve(containers_of(cluster)[0], cluster).presence("REDIS_PORT") is Presence.ABSENT


def test_reference_to_a_service_is_unresolved_without_service_links() -> None:
    """With enableServiceLinks false, only the variables of the API server are set."""
    body = literals("$(REDIS_SERVICE_PORT)", "$(KUBERNETES_SERVICE_PORT)")
    cluster = cluster_of(pod(body, before="enableServiceLinks: false"))
    environment = resolve(containers_of(cluster)[0], cluster)
    assert (outcome(environment, "A"), outcome(environment, "B")) == ("$(REDIS_SERVICE_PORT)", UNKNOWN)


def test_reference_to_a_service_of_another_namespace_is_unresolved() -> None:
    """Only Services of the pod's own namespace give it variables."""
    other = service("{ports: [{port: 1}]}", name="redis, namespace: b")
    cluster = cluster_of(pod(literals("$(REDIS_SERVICE_HOST)"), namespace="a"), other)
    assert outcome(resolve(containers_of(cluster)[0], cluster), "A") == "$(REDIS_SERVICE_HOST)"


NAMESPACES = [
    ("a", "a", Presence.PRESENT),
    ("a", "b", Presence.ABSENT),
    ("a", "", Presence.PRESENT),
    ("", "a", Presence.PRESENT),
]


@pytest.mark.parametrize(("own", "other", "expected"), NAMESPACES)
def test_reference_finds_objects_of_the_same_namespace_only(own: str, other: str, expected: Presence) -> None:
    """A Secret in another namespace does not provide a variable; one without a namespace may be in any."""
    cluster = cluster_of(pod(FROM_S, namespace=own), secret("{k: v}", namespace=other))
    assert resolve(containers_of(cluster)[0], cluster).presence("X") is expected


def test_secret_that_a_controller_copies_to_other_namespaces_is_unknowable() -> None:
    """A replicated Secret of another namespace does not make the reference an error."""
    copied = secret("{k: v}", namespace="b").replace(
        "namespace: b", "namespace: b, annotations: {replicator.v1.mittwald.de/replicate-to: a}"
    )
    cluster = cluster_of(pod(FROM_S, namespace="a"), copied)
    assert resolve(containers_of(cluster)[0], cluster).presence("X") is Presence.UNKNOWABLE


def test_object_with_further_keys_is_unknowable_for_a_missing_one() -> None:
    """A ConfigMap of which not all keys are known may provide a key that the inputs do not show."""
    cluster = cluster_of(pod(FROM_C), config_map("{j: v}"))
    partial = dataclasses.replace(next(cluster.of_kind("ConfigMap")), is_partial=True)
    cluster = type(cluster)([cluster.objects[0], partial])
    assert resolve(containers_of(cluster)[0], cluster).presence("X") is Presence.UNKNOWABLE


def test_secret_in_the_same_folder_is_preferred() -> None:
    """Of two Secrets of one name without a namespace, the one beside the workload is meant."""
    cluster = cluster_of(pod(FROM_S), secret("{k: near}"), secret("{k: far}"))
    objects = [*cluster.objects[:2], dataclasses.replace(cluster.objects[2], file="other/2.yaml")]
    cluster = type(cluster)(objects)
    assert outcome(resolve(containers_of(cluster)[0], cluster), "X") == "near"


def test_value_is_not_part_of_a_repr() -> None:
    """The repr of an environment contains no value, and neither does that of its parts."""
    cluster = cluster_of(pod(literals("hunter2-a", "x-$(A)")))
    assert "hunter2" not in repr(resolve(containers_of(cluster)[0], cluster))


def test_variable_names_its_origin() -> None:
    """A variable points to its entry in the workload and to its value in the Secret."""
    cluster = cluster_of(pod(FROM_S), secret("{\n  k: v}"))
    variable = resolve(containers_of(cluster)[0], cluster).variables["X"]
    assert variable.origin == 'key "k" of Secret "s"'
    assert (variable.value_object, variable.entry.line) == (cluster.objects[1], 8)
    assert variable.value_node is not None
    assert variable.value_node.line == 6


def test_containers_of_a_namespace_share_the_variables_of_services() -> None:
    """The variables of many Services are made once and not for each container, so the work grows linearly."""
    cluster = cluster_of(pod("command: [a]"), pod("command: [b]"), service("{ports: [{port: 1}]}"))
    one, other = (resolve(container, cluster) for container in containers_of(cluster))
    assert one.service_variables is other.service_variables
