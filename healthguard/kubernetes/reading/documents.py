"""From the text of a file to the documents in it, separated as kubectl does it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from healthguard.kubernetes.reading.errors import InvalidDocumentError, LimitExceededError
from healthguard.kubernetes.reading.json_documents import compose_json
from healthguard.kubernetes.reading.limits import DOCUMENT_COST, Budget
from healthguard.kubernetes.reading.nodes import Node
from healthguard.kubernetes.reading.simple_documents import compose_simple
from healthguard.kubernetes.reading.yaml_documents import compose_yaml

_SEPARATOR = re.compile(r"^---([^\n]*)\n?", re.MULTILINE)
"""A line that begins with ``---``: staging/src/k8s.io/apimachinery/pkg/util/yaml/decoder.go in Kubernetes."""
_JSON = re.compile(r"\s*\{(?!\{)")
"""The beginning of a JSON object. Two braces begin an action of a Go template."""
_CONTENT = re.compile(r"^(?![ \t\r]*(?:#|$)).", re.MULTILINE)
"""The beginning of the first line that is neither empty nor a comment."""
_END = re.compile(r"^\.\.\.(?=\s|\Z)[ \t\r]*([^\n]*)", re.MULTILINE)
"""The line that ends a document: https://yaml.org/spec/1.1/#id898785."""
_HELM_SOURCE = re.compile(r"# Source: ([^\s:]*/(?:templates|crds)/.*)")
"""The comment in which Helm names the template of a rendered document."""
_HEAD = 4096
"""The number of characters in which the comments before a document are searched."""


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """The text of a document. It may contain secrets, so it is not part of the repr.

    Args:
        text: the text, without the line ``---`` before it.
        line: the line of the file on which the text begins.
        suffix: the text after the ``---``, without blanks around it.
    """

    text: str = dataclasses.field(repr=False)
    line: int
    suffix: str = dataclasses.field(repr=False, default="")

    @property
    def template(self) -> str:
        """The template that Helm has rendered the document from; an empty string if no comment names one."""
        for line in map(str.strip, self.text[:_HEAD].splitlines()):
            if match := _HELM_SOURCE.fullmatch(line):
                return match[1]
            if line and not line.startswith("#"):
                break
        return ""

    @property
    def ignored_line(self) -> int | None:
        """The line of the text after the end of the document; None if there is none.

        Kubernetes ignores what follows ``...``, up to the next ``---``.
        """
        end = _find_end(self.text)
        while end is not None and (not end[1] or end[1].startswith("#")):
            content = _CONTENT.search(self.text, end.end())
            if content is None:
                return None
            end = _END.match(self.text, content.start())
            if end is None:
                return self._line_at(content.start())
        return None if end is None else self._line_at(end.start())

    def _line_at(self, position: int) -> int:
        return self.line + self.text.count("\n", 0, position)

    def compose(self, budget: Budget) -> list[Node]:
        """Return the values in the document: one, none if it is empty, or the values of a stream of JSON.

        Args:
            budget: the keys and values that may still be read.

        Raises:
            InvalidDocumentError: Kubernetes does not accept the document, or it exceeds a limit.
        """
        budget.spend(DOCUMENT_COST, self.line)
        if self.suffix and not self.suffix.startswith("#"):
            raise InvalidDocumentError(
                self.line - 1,
                "Text follows `---` on the same line, which Kubernetes does not accept.",
                "Move the text to the next line.",
            )
        text = self.text.removeprefix("\ufeff")
        if not _JSON.match(text):
            return self._compose_yaml(text, budget)
        try:
            return list(compose_json(text, self.line, budget))
        except LimitExceededError:
            raise
        except InvalidDocumentError as error:
            json_error = error
        try:
            # A mapping of YAML in braces is not always JSON.
            return self._compose_yaml(text, budget)
        except LimitExceededError:
            raise
        except InvalidDocumentError:
            raise json_error from None

    def _compose_yaml(self, text: str, budget: Budget) -> list[Node]:
        end = _find_end(text)
        text = text if end is None else text[: end.start()]
        simple = compose_simple(text, self.line)
        if simple is not None:
            budget.spend(simple.count, self.line)
            return [simple.root]
        node = compose_yaml(text, self.line, budget)
        return [] if node is None else [node]


def _find_end(text: str) -> re.Match[str] | None:
    """Return the line that ends a document; None if there is none.

    A document that ends before it has begun is empty. Like Kubernetes, libyaml rejects it if a text follows.
    """
    end = _END.search(text) if "..." in text else None
    if end is None or _CONTENT.search(text, 0, end.start()) is not None:
        return end
    return None if _CONTENT.search(text, end.end()) is not None else end


def split_documents(text: str) -> Iterator[Document]:
    """Yield the documents of a file. Those that contain only comments are included."""
    start, line, suffix = 0, 1, ""
    for match in _SEPARATOR.finditer(text):
        if match.start() > start or suffix:
            yield Document(text[start : match.start()], line, suffix)
        line += text.count("\n", start, match.end())
        start, suffix = match.end(), match[1].strip()
    if start < len(text) or suffix:
        yield Document(text[start:], line, suffix)


def compose(text: str) -> Iterator[Node]:
    """Yield the values of the documents in a text; empty documents are left out.

    Raises:
        InvalidDocumentError: Kubernetes does not accept one of the documents, or it exceeds a limit.
    """
    budget = Budget()
    for document in split_documents(text):
        yield from document.compose(budget)
