"""Fields that are meant to be env or envFrom of a container, but are misspelled, misplaced or not lists.

The variables in them have no effect, so nothing is claimed about the environment beside them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from healthguard.kubernetes.environment.near_misses import is_near
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.workloads import Container, Workload

ENTRY_FIELDS = ("name", "value", "valueFrom")
"""The fields of an entry of env."""
SOURCE_FIELDS = ("prefix", "configMapRef", "secretRef")
"""The fields of an entry of envFrom."""
_FIELDS = ("env", "envFrom")
_ENV_ALIASES = frozenset({"env", "envs", "environment", "enviroment", "envvars", "variables"})
_OWN_GROUPS = frozenset({"v1", "apps/v1", "batch/v1", "batch/v1beta1"})


@functools.lru_cache(256)
def meant_field(field: str) -> str | None:
    """Return ``env`` or ``envFrom`` if another field of a container is meant to be it; else None."""
    if field in _FIELDS:
        return None
    plain = field.lower().replace("_", "").replace("-", "")
    if plain == "envfrom" or is_near("envFrom", field):
        return "envFrom"
    return "env" if plain in _ENV_ALIASES else None


def is_not_list(field: str, value: Node) -> bool:
    """Return True if a field of a container is env or envFrom, and neither a list nor null."""
    return field in _FIELDS and not isinstance(value, ListNode) and not is_null(value)


def is_malformed(entry: MapNode) -> bool:
    """Return True if the API server refuses an entry of env because of its fields."""
    source = entry.map_at("valueFrom")
    return not entry.items.keys() <= set(ENTRY_FIELDS) or (source is not None and len(source.items) > 1)


def is_malformed_source(entry: MapNode) -> bool:
    """Return True if the API server refuses an entry of envFrom because of its fields."""
    return not entry.items.keys() <= set(SOURCE_FIELDS) or len(entry.items.keys() - {"prefix"}) > 1


def texts_in(field: str, value: Node) -> Iterator[ScalarNode]:
    """Yield the entries of env or envFrom that are texts and not mappings, like ``NAME=value``."""
    if field in _FIELDS and isinstance(value, ListNode):
        yield from (item for item in value.items if isinstance(item, ScalarNode))


def is_null(node: Node) -> bool:
    """Return True if a value is null."""
    return isinstance(node, ScalarNode) and node.value is None


def misplaced_fields(workload: Workload) -> Iterator[tuple[MapNode, str]]:
    """Yield the mappings outside of containers that contain env or envFrom, each with the name of the field."""
    obj, template, spec = workload.object, workload.template, workload.spec
    # A custom resource may have such fields of its own outside of the pod.
    around = (obj.node, obj.node.map_at("spec"), template) if obj.api_version in _OWN_GROUPS else ()
    for place in {id(each): each for each in (*around, spec) if each is not None}.values():
        yield from ((place, field) for field in _FIELDS if field in place.items)


def has_ineffective_variables(container: Container) -> bool:
    """Return True if variables of a container probably stand where they have no effect."""
    if any(key in _FIELDS for key, _ in container.node.repeated):
        return True
    for field, value in container.node.items.items():
        if meant_field(field) or is_not_list(field, value) or any(True for _ in texts_in(field, value)):
            return True
    return any(True for _ in misplaced_fields(container.workload))


def ineffective_names(container: Container) -> Iterator[str]:
    """Yield the names of variables of a container that stand where they have no effect."""
    for field, value in container.node.items.items():
        yield from (text.text.partition("=")[0] for text in texts_in(field, value))
    values = [node for field, node in container.node.items.items() if meant_field(field) or is_not_list(field, node)]
    values += [place.items[field] for place, field in misplaced_fields(container.workload)]
    values += [node for field, node in container.node.replaced if field == "env"]
    for value in values:
        if isinstance(value, MapNode):
            yield from value.items
        elif isinstance(value, ListNode):
            yield from (item.text_at("name") or "" for item in value.items)
