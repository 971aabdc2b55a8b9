"""The variables that the kubelet adds for the Services of a namespace.

https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/envvars/envvars.go
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from healthguard.kubernetes.environment.variables import Presence, Variable
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import MapNode, ScalarNode
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject, is_same_namespace
from healthguard.kubernetes.workloads import Container

_NAME = re.compile(r"[A-Z][A-Z0-9_]*_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_[A-Z]+(?:_[A-Z]+)?)?)")

_MASTER = "KUBERNETES_"
"""The prefix of the variables for the API server, which each container gets."""


_Variables: TypeAlias = dict[str, Variable]


def variables_of_services(container: Container, cluster: Cluster) -> Mapping[str, Variable]:
    """Return the variables that the kubelet adds to a container for Services.

    A Service without a stated namespace may be in any other one, so nothing is claimed unless both agree.
    """
    if not has_service_links(container):
        return {}
    return _by_namespace(cluster).get(container.workload.object.namespace, {})


@memoized
def _by_namespace(cluster: Cluster) -> dict[str, _Variables]:
    """Return the variables by the namespaces of the Services. The containers of a namespace share them."""
    found: dict[str, _Variables] = {}
    for service in cluster.of_kind("Service"):
        if service.api_version == "v1" and _has_address(service):
            origin = f'Service "{service.name}"'
            found.setdefault(service.namespace, {}).update(
                (name, Variable(name, Presence.PRESENT, None, origin, service.node, service))
                for name in service_variables(service)
            )
    return found


def has_service_links(container: Container) -> bool:
    """Return True unless a pod switches off the variables for Services."""
    switch = container.workload.spec.at("enableServiceLinks")
    return not (isinstance(switch, ScalarNode) and switch.value is False)


def _has_address(service: KubernetesObject) -> bool:
    """Return True unless a Service is headless or an alias."""
    return service.node.text_at("spec", "clusterIP") not in ("None", "") and (
        service.node.text_at("spec", "type") != "ExternalName"
    )


def service_variables(service: KubernetesObject) -> Iterator[str]:
    """Yield the names of the variables for a Service."""
    prefix = service.name.upper().replace("-", "_")
    ports = list(service.node.maps_at("spec", "ports"))
    yield f"{prefix}_SERVICE_HOST"
    if not ports:
        return
    yield f"{prefix}_SERVICE_PORT"
    for port in ports:
        if name := port.text_at("name"):
            yield f"{prefix}_SERVICE_PORT_{name.upper().replace('-', '_')}"
    yield f"{prefix}_PORT"
    for port in ports:
        yield from _port_variables(prefix, port)


def _port_variables(prefix: str, port: MapNode) -> Iterator[str]:
    number = port.at("port")
    protocol = (port.text_at("protocol") or "TCP").upper()
    if isinstance(number, ScalarNode) and isinstance(number.value, int):
        base = f"{prefix}_PORT_{number.value}_{protocol}"
        yield from (base, f"{base}_PROTO", f"{base}_PORT", f"{base}_ADDR")


def may_name_service_variable(name: str, container: Container, cluster: Cluster) -> bool:
    """Return True if a Service that the inputs do not contain may provide a variable of this name.

    It is not expected if the inputs contain a Service that would provide it in another namespace.
    """
    if _NAME.fullmatch(name) is None:
        return False
    if name.startswith(_MASTER):
        return True
    namespace = container.workload.object.namespace
    places = (place for place, variables in _by_namespace(cluster).items() if name in variables)
    return has_service_links(container) and all(is_same_namespace(place, namespace) for place in places)
