"""The errors of a YAML parser, in words that contain no part of the text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from healthguard.kubernetes.reading.errors import InvalidDocumentError
from healthguard.kubernetes.reading.limits import excessive_depth

_TEMPLATE = re.compile(r"[ \t]*(?:- +)*(?:[\w./-]+:[ \t]+)?\{\{")
"""A line that begins, or whose value begins, with an action of a Go template: ``{{ .Values.image }}``."""
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that YAML does not allow: https://yaml.org/spec/1.1/#c-printable"""
_SAFE_REASON = re.compile(r"(?:[^'\"]|':')+")
"""A reason of the parser without a quotation. What it quotes may be a part of the text."""


def describe_syntax_error(error: yaml.YAMLError, text: str, lines: Sequence[int]) -> InvalidDocumentError:
    """Return an error of the parser as one that can be shown.

    Args:
        error: the error.
        text: the document.
        lines: the line of the file for each line that the parser counts.
    """
    if isinstance(error, yaml.reader.ReaderError):
        match = _NOT_PRINTABLE.search(text)
        return InvalidDocumentError(
            lines[0] + text.count("\n", 0, match.start() if match else 0),
            "The file contains a character that YAML does not allow, such as a control character.",
            "Remove it. Binary data must be base64: in data of a Secret, or in binaryData of a ConfigMap.",
        )
    rows = _rows(error)
    reason = getattr(error, "problem", None) or ""
    if "nesting depth" in reason:
        # libyaml reads ahead, and stops at a depth of its own.
        return excessive_depth(lines[rows[0]])
    source = text.splitlines()
    # A line that is a whole action ends before the error that it causes.
    for row in range(max(rows[0] - 1, 0), rows[-1] + 1):
        if row < len(source) and _TEMPLATE.match(source[row]):
            return InvalidDocumentError(
                lines[row],
                "The file is a template that is not rendered: it contains {{ … }}.",
                "Render it first: helm template CHART | python -m healthguard.kubernetes -",
            )
    row = rows[0]
    suffix = f": {reason}" if _SAFE_REASON.fullmatch(reason) else ""
    return InvalidDocumentError(lines[row], f"The file is not valid YAML{suffix}.", _remedy(source, row))


def _rows(error: yaml.YAMLError) -> tuple[int, ...]:
    """Return the rows of an error, beginning with the one on which it is."""
    problem = getattr(error, "problem_mark", None)
    context = getattr(error, "context_mark", None)
    last = problem.line if problem is not None else 0
    # A quotation mark that is never closed, or a key without a colon, is noticed later than where it is.
    if context is not None and (
        _is_unclosed(error) or getattr(error, "context", None) == "while scanning a simple key"
    ):
        return context.line, last
    return (last,)


def _is_unclosed(error: yaml.YAMLError) -> bool:
    return (getattr(error, "problem", None) or "").startswith("found unexpected")


def _remedy(source: Sequence[str], row: int) -> str:
    if row < len(source) and "\t" in source[row][: len(source[row]) - len(source[row].lstrip())]:
        return "Replace the tab at the beginning of the line with spaces; YAML does not allow tabs there."
    return "Correct this line or the one before it: check its indentation, its colons and its quotation marks."
