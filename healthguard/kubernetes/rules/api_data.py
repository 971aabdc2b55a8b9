"""Rules on Secrets and ConfigMaps as the API server validates them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from healthguard.kubernetes.environment.deferred import has_vault_plugin, is_deferred
from healthguard.kubernetes.environment.encoding import decoded
from healthguard.kubernetes.environment.near_misses import is_near
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode, is_same_value
from healthguard.kubernetes.rules.api_env import kind_of
from healthguard.kubernetes.rules.rule import ObjectSubject, Rule, object_rule

_FIELDS = {"Secret": ("data", "stringData"), "ConfigMap": ("data", "binaryData")}
_BASE64_FIELDS = {"Secret": ("data",), "ConfigMap": ("binaryData",)}
_OTHER_FIELDS = ("apiVersion", "kind", "metadata", "type", "immutable")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


@object_rule(
    "data-not-text", Severity.ERROR, "A value of a Secret or ConfigMap is not text, so the API server refuses it."
)
def find_values_without_quotes(subject: ObjectSubject, rule: Rule[ObjectSubject]) -> Iterator[Finding]:
    """Yield the values of data that are numbers, booleans, lists or mappings."""
    for key, node in _entries(subject, _FIELDS):
        if (kind := kind_of(node)) is not None:
            yield rule.finding(
                f'The value of "{key}" is {kind}, not text.',
                "Put the value in quotes, or write it as a block with |: Kubernetes accepts only text here.",
                obj=subject.object,
                node=node,
            )


@object_rule("secret-not-base64", Severity.ERROR, "A value under data of a Secret is not base64.")
def find_invalid_base64(subject: ObjectSubject, rule: Rule[ObjectSubject]) -> Iterator[Finding]:
    """Yield the values that the API server cannot decode. kustomize passes them on."""
    has_plugin = has_vault_plugin(subject.object.node)
    for key, node in _entries(subject, _BASE64_FIELDS):
        text = node.value if isinstance(node, ScalarNode) else None
        if isinstance(text, str) and decoded(text) is None and not is_deferred(text, has_plugin=has_plugin):
            yield rule.finding(
                f'The value of "{key}" is not base64, so the API server refuses {subject.object.label}.',
                "Encode it with base64, or move plain text to stringData. Base64 of Kubernetes has no blanks, no "
                '"-" and no "_", and is padded with "=".',
                obj=subject.object,
                node=node,
            )


@object_rule("data-key-invalid", Severity.ERROR, "A key of a Secret or ConfigMap is invalid.")
def find_invalid_keys(subject: ObjectSubject, rule: Rule[ObjectSubject]) -> Iterator[Finding]:
    """Yield the keys that the API server refuses."""
    for field in _FIELDS.get(subject.object.kind, ()):
        data = subject.object.node.map_at(field)
        for key in data.items if data is not None else ():
            if data is not None and not _KEY.fullmatch(key) and not is_deferred(key):
                yield rule.finding(
                    f"A key of {subject.object.label} is invalid.",
                    'Use only letters, digits, "-", "_" and "." in a key.',
                    obj=subject.object,
                    node=data.items[key],
                    line=data.line_of(key),
                )


@object_rule("data-field-unknown", Severity.ERROR, "A field of a Secret or ConfigMap is misspelled, or not a mapping.")
def find_misspelled_fields(subject: ObjectSubject, rule: Rule[ObjectSubject]) -> Iterator[Finding]:
    """Yield the fields with a name similar to a real one, and those that are not mappings."""
    fields = _FIELDS.get(subject.object.kind, ())
    node = subject.object.node
    for field, value in node.items.items() if fields else ():
        meant = next((name for name in (*fields, *_OTHER_FIELDS) if is_near(name, field)), None)
        if field not in (*fields, *_OTHER_FIELDS) and meant is not None:
            message, remedy = f'{subject.object.kind} has no field "{field}".', f'Rename it to "{meant}".'
        elif field in fields and (
            isinstance(value, ListNode) or (isinstance(value, ScalarNode) and value.value is not None)
        ):
            message, remedy = f'"{field}" is not a mapping.', "Write one key with its value a line, without a dash."
        else:
            continue
        yield rule.finding(message, remedy, obj=subject.object, node=value, line=node.line_of(field))


def _entries(subject: ObjectSubject, fields: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Node]]:
    for field in fields.get(subject.object.kind, ()):
        data = subject.object.node.map_at(field)
        yield from data.items.items() if data is not None else ()


@object_rule("key-repeated", Severity.ERROR, "A mapping contains a key twice.")
def find_repeated_keys(subject: ObjectSubject, rule: Rule[ObjectSubject]) -> Iterator[Finding]:
    """Yield the repeated keys of an object. Some tools refuse them, others silently keep the last one.

    With the same value, a repeated key changes nothing until such a tool reads the file.
    """
    waiting: list[Node] = [subject.object.node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, MapNode):
            ambiguous = _keys_with_other_values(node) if node.repeated else set()
            for key, line in node.repeated:
                is_harmless = key not in ambiguous
                yield rule.finding(
                    f'The key "{key}" occurs twice in one mapping{", with the same value" if is_harmless else ""}.',
                    "Remove one of the two. Strict tools refuse the file; others only read the last one.",
                    obj=subject.object,
                    node=node.items.get(key, node),
                    line=line,
                    severity=Severity.WARNING if is_harmless else None,
                )
            waiting.extend(reversed(node.items.values()))
        elif isinstance(node, ListNode):
            waiting.extend(reversed(node.items))


def _keys_with_other_values(node: MapNode) -> set[str]:
    """Return the repeated keys of a mapping, except for those of which all values are the same."""
    replaced = {key for key, _ in node.replaced}
    ambiguous = {key for key, value in node.replaced if not is_same_value(value, node.items[key])}
    return ambiguous | {key for key, _ in node.repeated if key not in replaced}
