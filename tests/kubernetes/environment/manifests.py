"""Manifests for the tests of environments and of the rules on variables."""

from __future__ import annotations

import textwrap

from healthguard.kubernetes.reading.documents import compose
from healthguard.kubernetes.reading.nodes import MapNode
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.workloads import Container, workloads_of


def cluster_of(*texts: str) -> Cluster:
    """Return the cluster of some manifests. Each is a file of its own in one folder: ``0.yaml``, ``1.yaml``."""
    found = []
    for number, text in enumerate(texts):
        for node in compose(text):
            assert isinstance(node, MapNode)
            obj = KubernetesObject.of(node, f"{number}.yaml")
            assert obj is not None
            found.append(obj)
    return Cluster(found)


def containers_of(cluster: Cluster) -> list[Container]:
    return [
        container for obj in cluster.objects for workload in workloads_of(obj) for container in workload.containers()
    ]


def pod(body: str, *, before: str = "", namespace: str = "") -> str:
    """Return a Pod with one container whose fields are ``body``, and fields of the pod in ``before``."""
    stated = f", namespace: {namespace}" if namespace else ""
    lines = ["apiVersion: v1", "kind: Pod", f"metadata: {{name: web{stated}}}", "spec:"]
    if before:
        lines.append(textwrap.indent(textwrap.dedent(before).strip("\n"), "  "))
    lines += ["  containers:", "  - name: web", "    image: shop:1"]
    lines.append(textwrap.indent(textwrap.dedent(body).strip("\n"), "    "))
    return "\n".join(lines) + "\n"
