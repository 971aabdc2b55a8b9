"""The containers whose HTTP probes are judged, and the ports that lead to them."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, ScalarNode
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject, is_same_namespace
from healthguard.kubernetes.rules.probes.probe import integer
from healthguard.kubernetes.rules.rule import ContainerSubject
from healthguard.kubernetes.workloads import Container, Role, Workload

_SIDE_PORT = re.compile(r"(^|-)(metrics?|prom|prometheus|debug|debugpy|pprof|statsd|jmx)(-|$)")
"""The names of ports at which no requests of customers arrive."""
_OTHER_SERVER = re.compile(
    r"nginx(-unprivileged)?|openresty|envoy|haproxy|traefik|caddy|httpd|varnish|proxy|proxyv2|.*-exporter|pgbouncer"
    r"|pgpool|redis|valkey|postgres|postgresql|mysql|mariadb|memcached|rabbitmq|flower|fluentd|fluent-bit|vault"
    r"|(alloydb-|cloud-?sql-|gce-|oauth2-|auth-|kube-rbac-)proxy|opentelemetry-collector(-contrib)?|statsd"
)
"""The names of images that serve something other than a Django project."""
_WORKERS = frozenset(
    {"celery", "rq", "rqworker", "rqscheduler", "dramatiq", "rundramatiq", "huey_consumer", "huey_consumer.py"}
    | {"run_huey", "arq", "taskiq", "procrastinate", "qcluster", "process_tasks", "db_worker", "django-rq"}
)
_SERVERS = frozenset(
    {"gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "waitress-serve", "uwsgi", "runserver", "runserver_plus"}
)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Port:
    """A port that a container lists.

    Args:
        name: its name; an empty string if it has none.
        number: its number; None if it is not a number.
        protocol: its protocol.
    """

    name: str
    number: int | None
    protocol: str

    @property
    def may_serve_http(self) -> bool:
        """True if requests of customers may arrive at it."""
        return self.protocol == "TCP" and not _SIDE_PORT.search(self.name)


@memoized
def ports_of(container: Container) -> tuple[Port, ...]:
    """Return the ports that the container lists."""
    return tuple(
        Port(node.text_at("name") or "", integer(node.at("containerPort")), node.text_at("protocol") or "TCP")
        for node in container.node.maps_at("ports")
    )


@memoized
def port_owners(workload: Workload) -> Mapping[str | int, Sequence[Container]]:
    """Return the containers of a pod that list a port, by its name and by its number."""
    owners: dict[str | int, list[Container]] = {}
    for container in workload.containers():
        for port in ports_of(container):
            for each in (port.name, port.number):
                if each is not None:
                    owners.setdefault(each, []).append(container)
    return owners


@memoized
def serves_http(subject: ContainerSubject) -> bool:
    """Return True if the container serves the project over HTTP: it has a port for requests, or a Service targets it.

    Workers and the usual sidecars do not, even if they have a port.
    """
    container = subject.container
    if container.is_finite or _is_other_server(container) or is_worker(container):
        return False
    return any(port.may_serve_http for port in ports_of(container)) or is_service_target(container, subject.cluster)


def is_worker(container: Container) -> bool:
    """Return True if the command starts a worker of a queue, and no web server."""
    programs = {word.rpartition("/")[2] for word in command_words(container)}
    return bool(programs & _WORKERS) and not programs & _SERVERS


def command_words(container: Container) -> list[str]:
    """Return the words of ``command`` and ``args``, those of a shell script included."""
    return [word for text in command_of(container) for word in re.split(r"[\s;&|()'\"]+", text) if word]


def command_of(container: Container) -> list[str]:
    """Return ``command`` and ``args`` as one list."""
    lists = (container.node.at(field) for field in ("command", "args"))
    return [
        item.text for node in lists if isinstance(node, ListNode) for item in node.items if isinstance(item, ScalarNode)
    ]


def is_service_target(container: Container, cluster: Cluster) -> bool:
    """Return True if a Service of the inputs sends requests to the container."""
    return any(
        _leads_to(port, container)
        for service in services_of(container, cluster)
        for port in service.node.maps_at("spec", "ports")
        if not _SIDE_PORT.search(port.text_at("name") or "")
    )


def services_of(container: Container, cluster: Cluster) -> Iterator[KubernetesObject]:
    """Yield the Services whose selector matches the pods of the container's workload."""
    workload = container.workload
    labels = _texts(workload.template.map_at("metadata", "labels"))
    index = _services_by_label(cluster)
    for label in labels.items():
        for service in index.get(label, ()):
            selector = _texts(service.node.map_at("spec", "selector"))
            is_near = is_same_namespace(service.namespace, workload.object.namespace)
            if is_near and selector.items() <= labels.items():
                yield service


@memoized
def _services_by_label(cluster: Cluster) -> dict[tuple[str, str], list[KubernetesObject]]:
    """Return the Services by the rarest label of their selector, because many may share one like ``part-of: shop``."""
    selectors = [
        (service, _texts(service.node.map_at("spec", "selector")))
        for service in cluster.of_kind("Service")
        if service.api_version == "v1"
    ]
    counts = collections.Counter(label for _, selector in selectors for label in selector.items())
    index: dict[tuple[str, str], list[KubernetesObject]] = {}
    for service, selector in selectors:
        if selector:
            index.setdefault(min(selector.items(), key=counts.__getitem__), []).append(service)
    return index


def _leads_to(service_port: MapNode, container: Container) -> bool:
    target = service_port.at("targetPort") or service_port.at("port")
    name = target.value if isinstance(target, ScalarNode) and isinstance(target.value, str) else None
    number = integer(target)
    ports = [port for port in ports_of(container) if port.may_serve_http]
    if name is not None:
        return any(port.name == name for port in ports)
    if any(port.number == number for port in ports):
        return True
    return number is not None and container.role is Role.MAIN and _is_only_candidate(container, number)


def _is_only_candidate(container: Container, number: int) -> bool:
    """Return True if no other container of the pod can listen on the port, which no container lists."""
    if any(owner.role is not Role.INIT for owner in port_owners(container.workload).get(number, ())):
        return False
    mains = (each for each in container.workload.containers() if each.role is not Role.INIT)
    return len(list(itertools.islice(mains, 2))) == 1


def _is_other_server(container: Container) -> bool:
    image = container.node.text_at("image") or ""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return _OTHER_SERVER.fullmatch(name) is not None


def _texts(node: MapNode | None) -> dict[str, str]:
    items = {} if node is None else node.items
    return {
        name: value.value
        for name, value in items.items()
        if isinstance(value, ScalarNode) and isinstance(value.value, str)
    }
