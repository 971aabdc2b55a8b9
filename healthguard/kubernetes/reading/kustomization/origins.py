"""The annotation in which kustomize states from which file an object comes."""

from __future__ import annotations

import dataclasses

from healthguard.kubernetes.reading.kustomization.files import parse
from healthguard.kubernetes.reading.nodes import MapNode

ANNOTATION = "config.kubernetes.io/origin"


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a rendered object.

    Args:
        path: the file, relative to the folder that was rendered; an empty string if it is not known.
        is_generated: True if the file does not contain the object, but configures its generator.
        repository: the address of the repository that contains the file; an empty string if it is a local file.
    """

    path: str
    is_generated: bool = False
    repository: str = ""


def take_origin(node: MapNode) -> Origin:
    """Remove the annotation from an object, and return its content."""
    metadata, annotations = node.map_at("metadata"), node.map_at("metadata", "annotations")
    text = node.text_at("metadata", "annotations", ANNOTATION)
    if metadata is None or annotations is None or text is None:
        return Origin("")
    _remove(annotations, ANNOTATION)
    if not annotations.items:
        _remove(metadata, "annotations")
    content = next(iter(parse(text)), None)
    if not isinstance(content, MapNode):
        return Origin("")
    generator = content.text_at("configuredIn")
    return Origin(generator or content.text_at("path") or "", bool(generator), content.text_at("repo") or "")


def _remove(node: MapNode, key: str) -> None:
    node.items.pop(key, None)
    node.key_lines.pop(key, None)
