"""The keys of a Secret or a ConfigMap, as far as the inputs determine them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from healthguard.kubernetes.environment.deferred import has_vault_plugin, is_deferred
from healthguard.kubernetes.environment.encoding import decoded_text
from healthguard.kubernetes.reading.nodes import MapNode, Node, ScalarNode
from healthguard.kubernetes.reading.objects import KubernetesObject

MAX_CHARACTERS = 128 * 1024
"""The length of a value from which it is not judged. Linux starts no program with a longer variable (execve(2)).

References like ``$(NAME)`` may make a value of any length from a short manifest.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class StoredValue:
    """The value of a key.

    Args:
        text: the value as the container gets it; None if the inputs do not determine it, or if it is not text.
        node: the value in the object.
        object: the object that contains it, or that defines where it comes from.
        is_encoded: True if it is written in base64.
    """

    text: str | None = dataclasses.field(repr=False)
    node: Node
    object: KubernetesObject
    is_encoded: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """The keys that an object gives to a Secret or a ConfigMap.

    Args:
        object: the object.
        values: the values by key.
        is_open: True if there may be further keys.
    """

    object: KubernetesObject
    values: Mapping[str, StoredValue]
    is_open: bool = False


# Controllers that fill a Secret in after it was applied.
_FILLED_IN = ("replicate-from", "autogenerate", "secret-generator", "reflects", "inject", "service-account.name")
_FILLED_IN_TYPES = frozenset({"kubernetes.io/service-account-token"})


def config_map_content(obj: KubernetesObject) -> Content:
    """Return the keys of a ConfigMap. ``binaryData`` is left out: environment variables cannot be read from it."""
    values = {key: StoredValue(_plain(node, obj), node, obj) for key, node in _items(obj, "data")}
    return Content(obj, values, obj.is_partial or _is_filled_in(obj))


def secret_content(obj: KubernetesObject) -> Content:
    """Return the keys of a Secret: those of ``stringData`` replace those of ``data``."""
    values = {key: StoredValue(_decoded(node, obj), node, obj, is_encoded=True) for key, node in _items(obj, "data")}
    values |= {key: StoredValue(_plain(node, obj), node, obj) for key, node in _items(obj, "stringData")}
    return Content(obj, values, obj.is_partial or _is_filled_in(obj))


def _items(obj: KubernetesObject, field: str) -> Iterator[tuple[str, Node]]:
    data = obj.node.map_at(field)
    return iter(data.items.items()) if data is not None else iter(())


def _plain(node: Node, obj: KubernetesObject) -> str | None:
    """Return the text of a value; an empty text for null; None for a value that the API server refuses."""
    if not isinstance(node, ScalarNode):
        return None
    if node.value is None:
        return ""
    return known_text(node.value, obj.node) if isinstance(node.value, str) else None


def _decoded(node: Node, obj: KubernetesObject) -> str | None:
    text = _plain(node, obj)
    if not text:
        return text
    content = decoded_text(text)
    return None if content is None else known_text(content, obj.node)


def known_text(text: str, owner: MapNode) -> str | None:
    """Return the text of a value in an object; None if it is too long, or if a tool completes it elsewhere."""
    return None if len(text) > MAX_CHARACTERS or is_deferred(text, has_plugin=has_vault_plugin(owner)) else text


def _is_filled_in(obj: KubernetesObject) -> bool:
    if obj.node.text_at("type") in _FILLED_IN_TYPES:
        return True
    annotations = obj.node.map_at("metadata", "annotations")
    return annotations is not None and any(word in name for name in annotations.items for word in _FILLED_IN)
