"""From the text of a file to the objects in it; lists of objects are replaced by what they contain."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from healthguard.kubernetes.reading.documents import split_documents
from healthguard.kubernetes.reading.errors import InputError, InvalidDocumentError
from healthguard.kubernetes.reading.limits import Budget
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node
from healthguard.kubernetes.reading.objects import KubernetesObject, namespace_of

_KUSTOMIZE = "kustomize.config.k8s.io/"
"""The apiVersion of the files that configure kustomize. No cluster stores them."""

_IGNORED = "The text after the end of a document (...) is ignored, also by kubectl."
_MAX_STRAYS = 100
_MAX_ERRORS = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a file.

    Args:
        objects: its objects.
        errors: the documents that could not be read. After 100 of them, the rest of the file is left out.
        strays: the first 100 documents that are not objects, as errors.
        ignored: the first 100 texts after the end of a document, which Kubernetes ignores.
    """

    objects: tuple[KubernetesObject, ...]
    errors: tuple[InputError, ...]
    strays: tuple[InputError, ...]
    ignored: tuple[InputError, ...]


def parse_manifest(text: str, file: str, budget: Budget) -> Manifest:
    """Return the objects in a text. An invalid document does not hide those after it.

    Args:
        text: the text.
        file: the file from which it comes, as the user gave it.
        budget: the keys and values that may still be read.
    """
    objects: list[KubernetesObject] = []
    errors: list[InputError] = []
    strays: list[InputError] = []
    ignored: list[InputError] = []
    for document in split_documents(text):
        try:
            for node in document.compose(budget):
                for each in _objects_in(node, file, document.template):
                    if isinstance(each, KubernetesObject):
                        objects.append(each)
                    elif len(strays) < _MAX_STRAYS:
                        strays.append(each)
            if len(ignored) < _MAX_STRAYS and (line := document.ignored_line) is not None:
                ignored.append(InputError(file, line, _IGNORED, "Write --- instead of ... before the next document."))
        except InvalidDocumentError as error:
            errors.append(error.in_file(file))
            if budget.is_exceeded:
                break
            if len(errors) == _MAX_ERRORS:
                message = f"{_MAX_ERRORS} documents are not valid, so the rest of the file was not read."
                errors.append(InputError(file, document.line, message, "Check that the file contains manifests."))
                break
    return Manifest(tuple(objects), tuple(errors), tuple(strays), tuple(ignored))


def _objects_in(root: Node, file: str, template: str) -> Iterator[KubernetesObject | InputError]:
    """Yield the objects in a document, in their order, and an error for each value that is not one."""
    pending: list[tuple[Node, str, str]] = [(root, "", "")]
    while pending:
        node, kind, api_version = pending.pop()
        obj = _object(node, file, template, kind, api_version)
        if obj is None:
            if not _is_empty(node):
                yield _stray(node, file)
            continue
        items = _items(obj)
        if items is None:
            yield obj
            continue
        # The items of a typed list, such as a ConfigMapList, may lack their kind.
        inherited = (obj.kind.removesuffix("List"), obj.api_version) if obj.kind != "List" else ("", "")
        pending += [(item, *inherited) for item in reversed(items)]


def _object(node: Node, file: str, template: str, kind: str, api_version: str) -> KubernetesObject | None:
    obj = KubernetesObject.of(node, file) if isinstance(node, MapNode) else None
    if obj is None and isinstance(node, MapNode) and kind and node.member("kind") is None:
        name = node.text_at("metadata", "name") or ""
        obj = KubernetesObject(node, file, kind, api_version, name, namespace_of(node))
    if obj is None or obj.api_version.startswith(_KUSTOMIZE):
        return None
    return dataclasses.replace(obj, template=template) if template else obj


def _items(obj: KubernetesObject) -> list[Node] | None:
    """Return the items of a list; None if the object is not a list."""
    items = obj.node.member("items")
    if not obj.kind.endswith("List") or items is None:
        return None
    return items.items if isinstance(items, ListNode) else []


def _is_empty(node: Node) -> bool:
    """Return True if a document contains nothing, as in a template of Helm whose condition is false."""
    return getattr(node, "value", "") is None or (isinstance(node, MapNode) and not node.items)


def _stray(node: Node, file: str) -> InputError:
    missing = [name for name in ("apiVersion", "kind") if not node.text_at(name)] or ["apiVersion"]
    return InputError(
        file,
        node.line,
        f"The document is not an object of Kubernetes: it has no {' and no '.join(missing)}.",
        "Add what is missing, or leave the document out.",
    )
