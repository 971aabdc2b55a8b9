"""The objects from which a controller makes a Secret: their keys are known, their values are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from healthguard.kubernetes.environment.stored import Content, StoredValue
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.reading.objects import KubernetesObject

MAKERS = ("ExternalSecret", "ClusterExternalSecret", "SealedSecret", "SecretProviderClass", "SopsSecret")


@dataclasses.dataclass(frozen=True, slots=True)
class MadeSecret:
    """A Secret that a controller makes.

    Args:
        name: its name.
        namespace: its namespace; an empty string if that is not stated, or if it is made in several.
        content: its keys, and the object that defines them.
    """

    name: str
    namespace: str
    content: Content


def made_secrets(obj: KubernetesObject) -> Iterator[MadeSecret]:
    """Yield the Secrets that a controller makes from an object of one of the kinds in ``MAKERS``."""
    spec = obj.node.map_at("spec")
    if spec is None:
        return
    if obj.kind == "ExternalSecret":
        yield from _of_external_secret(obj, spec, obj.name, obj.namespace)
    elif obj.kind == "ClusterExternalSecret":
        inner = spec.map_at("externalSecretSpec")
        if inner is not None:
            yield from _of_external_secret(obj, inner, spec.text_at("externalSecretName") or obj.name, "")
    elif obj.kind == "SealedSecret":
        yield _of_sealed_secret(obj, spec)
    elif obj.kind == "SecretProviderClass":
        yield from _of_provider_class(obj, spec)
    else:
        yield from _of_sops_secret(obj, spec)


def _of_external_secret(obj: KubernetesObject, spec: MapNode, own_name: str, namespace: str) -> Iterator[MadeSecret]:
    policy = spec.text_at("target", "creationPolicy")
    name = spec.text_at("target", "name") or own_name
    if policy == "None":
        yield MadeSecret(name, namespace, Content(obj, {}, is_open=True))
        return
    values, is_open = fetched_keys(obj, spec)
    template = spec.map_at("target", "template")
    if template is not None and _has_data(template):
        merges = template.text_at("mergePolicy") == "Merge"
        values = {**(values if merges else {}), **_template_values(obj, template.map_at("data"))}
        is_open = (is_open and merges) or template.at("templateFrom") is not None
    # With the policy "Merge", the Secret itself is made elsewhere, and has further keys.
    yield MadeSecret(name, namespace, Content(obj, values, is_open or policy == "Merge"))


def fetched_keys(obj: KubernetesObject, spec: MapNode) -> tuple[Mapping[str, StoredValue], bool]:
    """Return the keys that an ExternalSecret fetches, and True if there may be further ones."""
    values = {}
    for entry in spec.maps_at("data"):
        # The older kubernetes-external-secrets has "name" where the External Secrets Operator has "secretKey".
        key = entry.text_at("secretKey") or entry.text_at("name")
        if key:
            values[key] = StoredValue(None, entry, obj)
    source = spec.at("dataFrom")
    return values, isinstance(source, ListNode) and bool(source.items)


def _has_data(template: MapNode) -> bool:
    data, source = template.map_at("data"), template.at("templateFrom")
    return bool(data is not None and data.items) or bool(isinstance(source, ListNode) and source.items)


def _template_values(obj: KubernetesObject, data: MapNode | None) -> dict[str, StoredValue]:
    """Return the keys of a template. A value without an expression is the value itself."""
    return {key: StoredValue(_literal(node), node, obj) for key, node in data.items.items()} if data is not None else {}


def _literal(node: Node) -> str | None:
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return None
    return None if "{{" in node.value else node.value


def _of_sealed_secret(obj: KubernetesObject, spec: MapNode) -> MadeSecret:
    encrypted = spec.map_at("encryptedData")
    sealed = encrypted.items.items() if encrypted is not None else ()
    values = {key: StoredValue(None, node, obj) for key, node in sealed}
    values |= _template_values(obj, spec.map_at("template", "data"))
    name = spec.text_at("template", "metadata", "name") or obj.name
    # The first version of SealedSecret encrypted the whole Secret as one text.
    return MadeSecret(name, obj.namespace, Content(obj, values, is_open=spec.at("data") is not None))


def _of_provider_class(obj: KubernetesObject, spec: MapNode) -> Iterator[MadeSecret]:
    for secret in spec.maps_at("secretObjects"):
        name = secret.text_at("secretName")
        keys = {entry.text_at("key") or "": StoredValue(None, entry, obj) for entry in secret.maps_at("data")}
        if name:
            yield MadeSecret(name, obj.namespace, Content(obj, keys))


def _of_sops_secret(obj: KubernetesObject, spec: MapNode) -> Iterator[MadeSecret]:
    for template in spec.maps_at("secretTemplates"):
        values: dict[str, StoredValue] = {}
        for field in ("data", "stringData"):
            data = template.map_at(field)
            values |= {key: StoredValue(None, node, obj) for key, node in (data.items if data else {}).items()}
        if name := template.text_at("name"):
            yield MadeSecret(name, obj.namespace, Content(obj, values))
