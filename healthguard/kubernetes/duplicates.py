"""Findings that are one fault: in a Secret that two containers use, or in a file that two overlays render."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from healthguard.kubernetes.application import Hit
from healthguard.kubernetes.findings import Finding
from healthguard.kubernetes.workloads import workloads_of


def distinct(hits: Iterable[Hit]) -> Iterator[Finding]:
    """Yield the findings, without those that repeat a fault."""
    first_by_node: dict[tuple[object, ...], int | None] = {}
    messages: set[tuple[object, ...]] = set()
    for hit in hits:
        place = _place(hit.finding)
        by_node, by_message = (*place, id(hit.finding.node)), (*place, hit.finding.message)
        container = None if hit.container is None else id(hit.container)
        # One rule may find two faults of a value in one container. In the next container, they are the same two.
        is_repeated = first_by_node.setdefault(by_node, container) != container or by_message in messages
        messages.add(by_message)
        if not is_repeated:
            yield hit.finding


def _place(finding: Finding) -> tuple[object, ...]:
    """Return the place of a fault.

    In a workload, the container is a part of it, because YAML lets two containers share a value on one line.
    """
    obj = finding.object
    container = finding.container if workloads_of(obj) else ""
    return finding.rule, finding.file, finding.line, obj.label, container, finding.variable
