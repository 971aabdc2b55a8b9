"""Rules on variables that are set more than once in env."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import MapNode, ScalarNode
from healthguard.kubernetes.rules.needs import required_names
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule


@container_rule(
    "variable-repeated", Severity.WARNING, "A variable is set more than once in env; the last entry counts."
)
def find_repeated(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the entries of env that replace an earlier one. An empty one of a required variable is an error."""
    required = required_names(subject)
    for name, found in _by_name(subject).items():
        if len(found) == 1:
            continue
        is_empty = is_emptied(name, subject)
        effect = "the last one is empty" if is_empty else "only the last one counts"
        yield subject.finding(
            rule,
            f"{name} is set {len(found)} times in env, and {effect}.",
            "Remove all entries but one. An overlay that adds an entry does not replace one of another name or case.",
            node=found[-1].at("value" if is_empty else "name") or found[-1].at("name") or found[-1],
            variable=name,
            severity=Severity.ERROR if is_empty and name in required else None,
        )


def is_emptied(name: str, subject: ContainerSubject) -> bool:
    """Return True if an empty entry of env replaces an earlier one with a value."""
    found = _by_name(subject).get(name, ())
    return len(found) > 1 and _is_empty(found[-1]) and not all(map(_is_empty, found))


def _is_empty(entry: MapNode) -> bool:
    value = entry.at("value")
    is_stated = value is not None and not (isinstance(value, ScalarNode) and value.value in (None, ""))
    return not is_stated and entry.at("valueFrom") is None


@memoized
def _by_name(subject: ContainerSubject) -> Mapping[str, Sequence[MapNode]]:
    found: dict[str, list[MapNode]] = {}
    for entry in subject.container.node.maps_at("env"):
        if name := entry.text_at("name"):
            found.setdefault(name, []).append(entry)
    return found
