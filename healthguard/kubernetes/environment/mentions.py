"""Objects of other kinds whose controllers may make a Secret or a ConfigMap."""

from __future__ import annotations

import re

from healthguard.kubernetes.environment.makers import MAKERS
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.workloads import is_known

_PLAIN_GROUPS = frozenset(
    {
        "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io",
        "apiextensions.k8s.io", "admissionregistration.k8s.io", "scheduling.k8s.io", "gateway.networking.k8s.io",
        "monitoring.coreos.com", "kustomize.config.k8s.io", "argoproj.io",
    }
)  # fmt: skip
"""API groups whose objects make no Secrets."""

_SEPARATOR = re.compile(r"[-.]")


def is_mentioned(name: str, cluster: Cluster) -> bool:
    """Return True if an object of an operator has or contains this name, or names its own objects like this.

    The operator of a database, for example, makes the Secret ``shop-app`` for an object ``shop``.
    """
    texts, own_names = _names_of_makers(cluster)
    return name in texts or any(name[: match.start()] in own_names for match in _SEPARATOR.finditer(name))


@memoized
def _names_of_makers(cluster: Cluster) -> tuple[frozenset[str], frozenset[str]]:
    """Return the texts in the objects of operators, and the names of these objects."""
    texts: set[str] = set()
    own_names: set[str] = set()
    for obj in cluster.objects:
        if _may_make_objects(obj):
            own_names.add(obj.name)
            texts.update(_texts(obj.node))
    return frozenset(texts), frozenset(own_names - {""})


def _may_make_objects(obj: KubernetesObject) -> bool:
    group = obj.api_version.rpartition("/")[0]
    return bool(group) and group not in _PLAIN_GROUPS and not is_known(obj) and obj.kind not in MAKERS


def _texts(node: Node) -> set[str]:
    texts: set[str] = set()
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, MapNode):
            waiting.extend(each.items.values())
        elif isinstance(each, ListNode):
            waiting.extend(each.items)
        elif isinstance(each, ScalarNode) and isinstance(each.value, str):
            texts.add(each.value)
    return texts
