"""Rules on references to Secrets and ConfigMaps that do not exist, or do not have the key."""

from __future__ import annotations

from collections.abc import Iterator

from healthguard.kubernetes.environment.near_misses import has_hash_of, nearest
from healthguard.kubernetes.environment.references import SourceReference, references_of
from healthguard.kubernetes.environment.sources import Source, source_of
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.objects import KubernetesObject
from healthguard.kubernetes.rules.external_secrets import dropping_template
from healthguard.kubernetes.rules.needs import required_names
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule

_NOT_STARTED = " The container does not start without it (CreateContainerConfigError)."


@container_rule("reference-missing", Severity.ERROR, "A reference names a Secret or ConfigMap that does not exist.")
def find_missing_objects(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the references for which only an object with a similar name, or in another place, exists."""
    required = required_names(subject)
    for reference, source in _sources(subject):
        if source.near is None or source.contents:
            continue
        found, remedy = _near_object(reference, source.near, subject)
        yield subject.finding(
            rule,
            f"{reference.label} does not exist, but {found} does.{'' if reference.is_optional else _NOT_STARTED}",
            remedy,
            node=reference.node_at("name"),
            variable=reference.variable,
            severity=Severity.WARNING if reference.is_optional and reference.variable not in required else None,
        )


def _near_object(reference: SourceReference, near: KubernetesObject, subject: ContainerSubject) -> tuple[str, str]:
    """Return the description of the object that is probably meant, and the remedy."""
    provided = provided_name(reference, near)
    if has_hash_of(reference.name, provided):
        return f'{reference.kind} "{provided}"', (
            "Let kustomize rewrite the reference: generate the object in the same kustomization or a base of it, and "
            "refer to it by its name without the hash. In a custom resource, add a nameReference to configurations."
        )
    if provided == reference.name and reference.kind in (near.kind, _made_kind(near)):
        return f'one in the namespace "{near.namespace}"', (
            f'A reference only finds objects in its own namespace, "{subject.container.workload.object.namespace}". '
            "Create the object there as well."
        )
    if provided == reference.name:
        field = "configMapRef or configMapKeyRef" if near.kind == "ConfigMap" else "secretRef or secretKeyRef"
        return f"a {near.kind} of this name", f"Use {field}, or create the {reference.kind}."
    return f'"{provided}"', f'Fix the name, or create the {reference.kind} "{reference.name}".'


def provided_name(reference: SourceReference, near: KubernetesObject) -> str:
    """Return the name of the Secret or ConfigMap that an object provides."""
    if near.kind in ("Secret", "ConfigMap"):
        return near.name
    target = near.node.text_at("spec", "target", "name") or near.node.text_at("spec", "externalSecretName")
    return target or near.node.text_at("spec", "secretObjects", 0, "secretName") or near.name


def _made_kind(obj: KubernetesObject) -> str:
    return "ConfigMap" if obj.kind == "ConfigMap" else "Secret"


@container_rule("key-missing", Severity.ERROR, "A reference names a key that the Secret or ConfigMap does not have.")
def find_missing_keys(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the references to keys that do not exist. An optional one is reported if a similar key exists."""
    required = required_names(subject)
    for reference, source in _sources(subject):
        key = reference.key
        if not key or not source.contents or source.is_open or key in source.values or dropping_template(source, key):
            continue
        near = nearest(key, source.values)
        # The rule on required variables reports those whose optional key is missing.
        if reference.is_optional and (near is None or reference.variable in required):
            continue
        obj = source.contents[0].object
        found = f' It has "{near}".' if near is not None else _only_binary(obj, key)
        yield subject.finding(
            rule,
            f'{reference.label} has no key "{key}".{found}{"" if reference.is_optional else _NOT_STARTED}',
            "Fix the key in the reference, or add it to the object. Keys are case-sensitive.",
            node=reference.node_at("key"),
            variable=reference.variable,
            severity=Severity.WARNING if reference.is_optional else None,
        )


def _only_binary(obj: KubernetesObject, key: str) -> str:
    """Return a sentence about a key that stands in ``binaryData``, which variables cannot be read from."""
    binary = obj.node.map_at("binaryData")
    if binary is None or key not in binary.items:
        return ""
    return " The key is in binaryData, from which no variable can be read."


def _sources(subject: ContainerSubject) -> Iterator[tuple[SourceReference, Source]]:
    for reference in references_of(subject.container):
        if reference.name:
            yield reference, source_of(reference, subject.container.workload, subject.cluster)
