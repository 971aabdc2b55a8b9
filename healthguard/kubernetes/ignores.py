"""Annotations that silence findings: ``healthguard.io/ignore: "rule-id: reason"``.

The annotation stands on an object or on a pod template. Several entries are separated by line breaks or semicolons.
``rule-id@NAME: reason`` silences only what concerns the container or the variable NAME.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from healthguard.kubernetes import catalog
from healthguard.kubernetes.application import Hit
from healthguard.kubernetes.catalog import RuleSummary
from healthguard.kubernetes.findings import Finding
from healthguard.kubernetes.reading.nodes import MapNode, Node, ScalarNode
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.workloads import workloads_of

ANNOTATION = "healthguard.io/ignore"
_ENTRY = re.compile(
    r"(?P<rule>[A-Za-z][A-Za-z0-9_-]*)(?:@(?P<name>[^\s:@]+))?\s*(?P<colon>:|$)\s*(?P<reason>.*)", re.DOTALL
)
_SEPARATOR = re.compile(r"[\n;]")
_FORM = 'Write it as "rule-id: reason"; separate several entries by line breaks or semicolons.'


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Ignore:
    """One entry of an annotation.

    Args:
        rule: the id of the rule whose findings it silences.
        name: the container or the variable whose findings it silences; an empty string for all.
        object: the object that contains the annotation.
        template: the pod template with the annotation; None if it is that of the object itself.
        line: the line of the annotation (from 1).
        node: the text of the annotation.
    """

    rule: str
    name: str
    object: KubernetesObject
    template: MapNode | None
    line: int
    node: Node

    @property
    def label(self) -> str:
        """The entry without its reason."""
        return f"{self.rule}@{self.name}" if self.name else self.rule

    def silences(self, hit: Hit) -> bool:
        """Return True if it silences a finding.

        An annotation also silences what rules find in other objects, such as a Secret, for a container of its object.
        """
        return self.rule == hit.finding.rule and self._is_about_name(hit) and self._is_about_place(hit)

    def _is_about_name(self, hit: Hit) -> bool:
        container = "" if hit.container is None else hit.container.name
        return not self.name or self.name in (hit.finding.container, hit.finding.variable, container)

    def _is_about_place(self, hit: Hit) -> bool:
        if hit.container is None:
            return hit.finding.object is self.object
        workload = hit.container.workload
        if self.template is not None:
            return workload.template is self.template
        return workload.object is self.object or hit.finding.object is self.object


class Ignores:
    """All entries of the annotations in the inputs.

    Args:
        cluster: all objects of the inputs.
        known_rules: the ids of the rules that exist.
    """

    def __init__(self, cluster: Cluster, known_rules: Collection[str]) -> None:
        self.faults: list[Finding] = []
        """The findings about entries that are invalid. They silence nothing."""
        self.silenced = 0
        """The number of findings that were silenced."""
        self._known_rules = known_rules
        self._by_place: dict[tuple[str, int], list[Ignore]] = {}
        """The entries by their rule and the id of their object."""
        self._matched: set[int] = set()
        for obj in cluster.objects:
            for node, template, line in _annotations(obj):
                self._read(obj, node, template, line)

    def kept(self, hits: Iterable[Hit]) -> list[Hit]:
        """Return the hits that no entry silences."""
        return [hit for hit in hits if not self._silence(hit)]

    def unmatched(self, objects: Iterable[KubernetesObject], containers: Collection[str]) -> Iterator[Finding]:
        """Yield a finding for each entry that silenced nothing.

        Args:
            objects: the objects to which rules were applied. The entries of others may be needed in another call.
            containers: the names of all containers that were not chosen. Entries about them may be needed, too.
        """
        examined = {id(obj) for obj in objects}
        for ignore in (each for ignores in self._by_place.values() for each in ignores):
            if id(ignore) in self._matched or id(ignore.object) not in examined or ignore.name in containers:
                continue
            message = f"The annotation {ANNOTATION} silences {ignore.label} here, but no finding matches it."
            yield _fault(catalog.IGNORE_UNMATCHED, message, "Remove the entry.", ignore)

    def _silence(self, hit: Hit) -> bool:
        objects = {id(hit.finding.object)} | ({id(hit.container.workload.object)} if hit.container else set())
        near = (each for obj in objects for each in self._by_place.get((hit.finding.rule, obj), ()))
        matching = [ignore for ignore in near if ignore.silences(hit)]
        self._matched |= {id(ignore) for ignore in matching}
        self.silenced += bool(matching)
        return bool(matching)

    def _read(self, obj: KubernetesObject, node: Node, template: MapNode | None, line: int) -> None:
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            self._add_invalid(Ignore("", "", obj, template, line, node), "is not a text")
            return
        for entry in _entries(node.value, self._known_rules):
            match = _ENTRY.fullmatch(entry)
            ignore = Ignore(
                match["rule"] if match else "", (match["name"] if match else "") or "", obj, template, line, node
            )
            if match is None:
                self._add_invalid(ignore, "has an entry that does not begin with the id of a rule")
            elif ignore.rule not in self._known_rules:
                self._add_unknown(ignore)
            elif not match["reason"].strip():
                self._add_invalid(ignore, f"states no reason after {ignore.label}, so it silences nothing")
            else:
                self._by_place.setdefault((ignore.rule, id(obj)), []).append(ignore)

    def _add_invalid(self, ignore: Ignore, fact: str) -> None:
        self.faults.append(_fault(catalog.IGNORE_INVALID, f"The annotation {ANNOTATION} {fact}.", _FORM, ignore))

    def _add_unknown(self, ignore: Ignore) -> None:
        near = difflib.get_close_matches(ignore.rule.lower().replace("_", "-"), self._known_rules, 1, 0.7)
        remedy = f'Write "{near[0]}" instead.' if near else "Use the id in brackets at the end of a finding."
        message = f'The annotation {ANNOTATION} names the rule "{ignore.rule}", which does not exist.'
        self.faults.append(_fault(catalog.IGNORE_UNKNOWN_RULE, message, remedy, ignore))


def _annotations(obj: KubernetesObject) -> Iterator[tuple[Node, MapNode | None, int]]:
    """Yield the annotations of an object and of its pod templates, each with the template and the line."""
    yield from ((node, None, line) for node, line in _annotation(obj.node))
    for workload in workloads_of(obj):
        if workload.template is not obj.node:
            yield from ((node, workload.template, line) for node, line in _annotation(workload.template))


def _annotation(holder: MapNode) -> Iterator[tuple[Node, int]]:
    annotations = holder.map_at("metadata", "annotations")
    node = None if annotations is None else annotations.member(ANNOTATION)
    if annotations is not None and node is not None:
        yield node, annotations.line_of(ANNOTATION)


def _entries(text: str, known_rules: Collection[str]) -> Sequence[str]:
    """Return the entries of an annotation. A part that does not begin with an id continues the reason before it."""
    entries: list[str] = []
    for part in filter(None, (part.strip() for part in _SEPARATOR.split(text))):
        match = _ENTRY.fullmatch(part)
        if entries and (match is None or not (match["colon"] or match["rule"] in known_rules)):
            entries[-1] += f"; {part}"
        else:
            entries.append(part)
    return entries


def _fault(rule: RuleSummary, message: str, remedy: str, ignore: Ignore) -> Finding:
    return Finding(rule.id, rule.severity, message, remedy, ignore.object, ignore.node, ignore.line)
