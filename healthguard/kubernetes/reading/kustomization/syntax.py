"""The faults in the syntax of the files of a kustomization."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from healthguard.kubernetes.reading.documents import compose
from healthguard.kubernetes.reading.errors import InputError, InvalidDocumentError, UnreadableInputError
from healthguard.kubernetes.reading.files import read_file
from healthguard.kubernetes.reading.kustomization.graph import Graph
from healthguard.kubernetes.reading.kustomization.paths import PathNames
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node

_SUFFIXES = (".yaml", ".yml", ".json")


def find_syntax_error(graph: Graph, names: PathNames) -> InputError | None:
    """Return the first fault in a file that a kustomization names; None if there is none."""
    found = (_fault(path, names.of(path)) for path in _files(graph))
    return next((each for each in found if each is not None), None)


def _files(graph: Graph) -> Iterator[Path]:
    """Yield the kustomization files, and the files of YAML and JSON that they name."""
    for kustomization in graph:
        yield kustomization.file
        paths = (reference.path for reference in kustomization.references())
        yield from (path for path in paths if path.name.lower().endswith(_SUFFIXES) and os.path.isfile(path))


def _fault(path: Path, shown: str) -> InputError | None:
    try:
        documents = list(compose(read_file(str(path))))
    except UnreadableInputError as error:
        return dataclasses.replace(error.error, file=shown)
    except InvalidDocumentError as error:
        return error.in_file(shown)
    lines = [line for document in documents for line in _repeated_lines(document)]
    if not lines:
        return None
    return InputError(shown, min(lines), "The key is in the same mapping twice.", "Remove one of the two.")


def _repeated_lines(node: Node) -> Iterator[int]:
    pending = [node]
    while pending:
        each = pending.pop()
        if isinstance(each, MapNode):
            yield from (line for _, line in each.repeated)
            pending += each.items.values()
        elif isinstance(each, ListNode):
            pending += each.items
