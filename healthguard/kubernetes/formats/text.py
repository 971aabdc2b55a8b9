"""The text format, for people: the findings by file, each with its place, the fact and the remedy, and a summary."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from healthguard.kubernetes.examination import Examination
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.formats import wording
from healthguard.kubernetes.reading.errors import InputError
from healthguard.runtime.terminal import PLAIN, Terminal
from healthguard.runtime.text import escaped

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.UNKNOWN: "cyan", Severity.ADVICE: "cyan"}
_SYMBOLS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.UNKNOWN: "?", Severity.ADVICE: "i"}
_WIDTH = max(map(len, Severity)) + len(":")
_INDENT = "    "


def render(examination: Examination, terminal: Terminal = PLAIN) -> str:
    """Return the text.

    Args:
        examination: the examination.
        terminal: the abilities of the stream to which it is written.
    """
    blocks = [
        *([list(_inputs(examination.errors, Severity.ERROR, terminal))] if examination.errors else []),
        *([list(_inputs(examination.unread, Severity.WARNING, terminal))] if examination.unread else []),
        *([list(_failures(examination, terminal))] if examination.failures else []),
        *([list(_nothing_chosen(examination, terminal))] if examination.nothing_chosen else []),
        *(list(_file(findings, terminal)) for findings in _files(examination.findings)),
        list(_summary(examination, terminal)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _files(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return the findings by file, the file with the worst finding first; in each file, the worst first."""
    files = [list(group) for _, group in itertools.groupby(findings, lambda finding: finding.file)]
    for group in files:
        group.sort(key=_rank)
    return sorted(files, key=lambda group: _rank(group[0]))


def _rank(finding: Finding) -> int:
    return wording.SEVERITIES.index(finding.severity)


def _file(findings: Sequence[Finding], terminal: Terminal) -> Iterator[str]:
    places = [f"{escaped(finding.file)}:{finding.line}:" for finding in findings]
    width = max(map(len, places))
    for finding, place in zip(findings, places, strict=True):
        message = f"{escaped(finding.message)} [{escaped(finding.rule)}]"
        yield from _entry(place.ljust(width), finding.severity, message, terminal)
        yield f"{_INDENT}{wording.subject(finding)}"
        yield from _remedy(finding.remedy, terminal)


def _inputs(errors: Sequence[InputError], severity: Severity, terminal: Terminal) -> Iterator[str]:
    for error in errors:
        line = "" if error.line is None else f"{error.line}:"
        yield from _entry(f"{escaped(error.file)}:{line}", severity, escaped(error.message), terminal)
        yield from _remedy(error.remedy, terminal)


def _failures(examination: Examination, terminal: Terminal) -> Iterator[str]:
    for failure in examination.failures:
        yield from _entry("healthguard:", Severity.ERROR, escaped(failure.message), terminal)
        yield from _remedy(failure.remedy, terminal)


def _nothing_chosen(examination: Examination, terminal: Terminal) -> Iterator[str]:
    message = f"{wording.NOTHING_CHECKED} {escaped(examination.nothing_chosen)}"
    yield from _entry("healthguard:", Severity.ERROR, message, terminal)


def _entry(place: str, severity: Severity, message: str, terminal: Terminal) -> Iterator[str]:
    """Yield the lines of a fact. The first begins with its place, on which terminals and editors offer a link."""
    symbol = f"{_SYMBOLS[severity]} " if terminal.is_colored else ""
    mark = symbol + f"{severity}:".ljust(_WIDTH)
    # Colors are added after the lines are wrapped, because they take no space.
    first, *rest = terminal.hanging(message, f"{place} {mark} ", _INDENT)
    painted = f"{terminal.paint(place, 'bold')} {terminal.paint(mark, _COLORS[severity])}"
    yield painted + first.removeprefix(f"{place} {mark}")
    yield from rest


def _remedy(remedy: str, terminal: Terminal) -> Iterator[str]:
    return terminal.wrapped(escaped(remedy), _INDENT, "→ " if terminal.is_colored else "Fix: ")


def _summary(examination: Examination, terminal: Terminal) -> Iterator[str]:
    yield from terminal.wrapped(wording.scope(examination), "")
    details = list(wording.details(examination))
    width = max((len(label) for label, _ in details), default=0)
    for label, text in details:
        yield from terminal.wrapped(text, "  ", f"{label}: ".ljust(width + 2))
    symbol, color = _appearance(examination)
    mark = f"{symbol} " if terminal.is_colored else ""
    yield terminal.paint(f"{mark}{wording.verdict(examination)}", color, "bold")


def _appearance(examination: Examination) -> tuple[str, str]:
    """Return the symbol and the color of the verdict."""
    if examination.exit_code:
        return "✗", "red"
    return ("!", "yellow") if examination.count(Severity.WARNING) or examination.unread else ("✓", "green")
