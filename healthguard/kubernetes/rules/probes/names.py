"""The names of the fields around probes: misspelled ones, and those that are in a wrong place."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator
from typing import NamedTuple

from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import MapNode
from healthguard.kubernetes.rules.probes.probe import DEFAULTS, HANDLERS, PROBE_KINDS
from healthguard.kubernetes.workloads import Container

GRACE = "terminationGracePeriodSeconds"
PROBE_FIELDS = frozenset({*HANDLERS, *DEFAULTS, GRACE})
HANDLER_FIELDS = {
    "exec": frozenset({"command"}),
    "httpGet": frozenset({"path", "port", "host", "scheme", "httpHeaders"}),
    "tcpSocket": frozenset({"port", "host"}),
    "grpc": frozenset({"port", "service"}),
    "sleep": frozenset({"seconds"}),
}
LIFECYCLE_FIELDS = frozenset({"preStop", "postStart", "stopSignal"})
HOOK_FIELDS = frozenset({"exec", "httpGet", "tcpSocket", "sleep"})

_CONTAINER_NAMES = (*PROBE_KINDS, "lifecycle")
"""The fields of a container that this module knows. All others belong to other rules."""
_OTHER_CONTAINER_FIELDS = frozenset({"resizePolicy", "restartPolicy", "livenessGates"})
_SIMILAR = 0.75


class WrongName(NamedTuple):
    """A field that the API server does not know.

    Args:
        node: the mapping that contains it.
        name: its name.
        place: the mapping, for people.
        remedy: the remedy.
    """

    node: MapNode
    name: str
    place: str
    remedy: str


def misspelled_fields(container: Container, *, has_known_schema: bool) -> Iterator[WrongName]:
    """Yield the misspelled names of probes, and the unknown fields in probes and hooks.

    Args:
        container: the container.
        has_known_schema: False to yield only the names that are almost known ones.
    """
    node = container.node
    place = f"{container.role} {container.name or '?'}"
    for name in node.items:
        if (meant := meant_name(name)) is not None:
            yield WrongName(node, name, place, f"Rename it to {meant}.")
    lifecycle = node.map_at("lifecycle")
    checked: list[tuple[MapNode | None, frozenset[str], str]]
    checked = [(node.map_at(kind), PROBE_FIELDS, kind) for kind in PROBE_KINDS]
    if lifecycle is not None:
        checked += [(lifecycle, LIFECYCLE_FIELDS, "lifecycle")]
        checked += [(lifecycle.map_at(hook), HOOK_FIELDS, hook) for hook in ("preStop", "postStart")]
    for parent, fields, label in checked:
        for wrong in _unknown(parent, fields, f"{label} of {place}") if parent is not None else ():
            if has_known_schema or wrong.remedy.startswith("Rename"):
                yield wrong


def _unknown(node: MapNode, fields: frozenset[str], place: str) -> Iterator[WrongName]:
    """Yield the unknown fields of a mapping, and those of the handlers in it."""
    for name in node.items:
        if name not in fields:
            yield WrongName(node, name, place, _remedy(name, fields))
    for handler, known in HANDLER_FIELDS.items():
        child = node.map_at(handler) if handler in fields and handler in node.items else None
        for name in child.items if child is not None else ():
            if child is not None and name not in known:
                is_above = name in fields
                remedy = f"Move it out of {handler}, one level up." if is_above else _remedy(name, known)
                yield WrongName(child, name, f"{handler} of the {place}", remedy)


def _remedy(name: str, fields: frozenset[str]) -> str:
    if (near := _nearest(name, fields)) is not None:
        return f"Rename it to {near}."
    for handler, known in HANDLER_FIELDS.items():
        if name in known and handler in fields:
            return f"Move it into {handler}."
    return f"Remove it, or use one of these: {', '.join(sorted(fields))}."


def _nearest(name: str, fields: frozenset[str]) -> str | None:
    by_lower = {field.lower(): field for field in fields}
    near = difflib.get_close_matches(name.lower().replace("_", "").replace("-", ""), by_lower, 1, _SIMILAR)
    return by_lower[near[0]] if near else None


@functools.lru_cache(256)
def meant_name(name: str) -> str | None:
    """Return the probe or ``lifecycle`` that a name means; None if it means none, or is one."""
    if name in _CONTAINER_NAMES or name in _OTHER_CONTAINER_FIELDS:
        return None
    plain = name.lower().replace("_", "").replace("-", "")
    for kind in PROBE_KINDS:
        # "readiness" and "liveness" alone are common mistakes too.
        if plain == kind.lower().removesuffix("probe"):
            return kind
    return _nearest(name, frozenset(_CONTAINER_NAMES))


@memoized
def misplaced_fields(container: Container) -> tuple[WrongName, ...]:
    """Return the probes, hooks and handlers that are outside of the place in which the API server knows them."""
    return tuple(_misplaced_fields(container))


def _misplaced_fields(container: Container) -> Iterator[WrongName]:
    workload = container.workload
    names = (*PROBE_KINDS, "lifecycle", "preStop")
    yield from _misplaced(workload.spec, names, "the spec of the pod", "Move it into the container.")
    if workload.template is not workload.object.node:
        outer = workload.object.node.map_at("spec")
        yield from _misplaced(workload.template, names, "the pod template", "Move it into the container.")
        yield from _misplaced(outer, names, "the spec", "Move it into the container.")
        yield from _misplaced(outer, (GRACE,), "the spec", "Move it into the spec of the pod template.")
    place = f"{container.role} {container.name or '?'}"
    node = container.node
    yield from _misplaced(node, ("preStop", "postStart"), place, "Move it into lifecycle.")
    yield from _misplaced(node, (GRACE,), place, "Move it into the spec of the pod template.")
    yield from _misplaced(node, ("httpGet", "tcpSocket", "exec", "grpc"), place, "Move it into the probe.")
    yield from _misplaced(node, tuple(DEFAULTS), place, "Move it into the probe.")
    for field in ("lifecycle", "resources", "securityContext"):
        yield from _misplaced(
            node.map_at(field), PROBE_KINDS, f"{field} of {place}", "Move it into the container itself."
        )
    for port in node.maps_at("ports"):
        yield from _misplaced(port, PROBE_KINDS, f"ports of {place}", "Move it into the container itself.")
    for kind in PROBE_KINDS:
        yield from _misplaced(
            node.map_at(kind), PROBE_KINDS, f"{kind} of {place}", "Move it into the container itself."
        )


def _misplaced(node: MapNode | None, names: tuple[str, ...], place: str, remedy: str) -> Iterator[WrongName]:
    for name in names:
        if node is not None and name in node.items:
            yield WrongName(node, name, place, remedy)


def has_misplaced_name(container: Container, field: str) -> bool:
    """Return True if a field is there, but misspelled or in a wrong place."""
    is_misspelled = any(meant_name(name) == field for name in container.node.items)
    lifecycle = container.node.map_at("lifecycle")
    is_near_hook = field == "preStop" and any(
        _nearest(name, LIFECYCLE_FIELDS) == field for name in (lifecycle.items if lifecycle is not None else ())
    )
    return is_misspelled or is_near_hook or any(wrong.name == field for wrong in misplaced_fields(container))
