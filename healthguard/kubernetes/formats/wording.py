"""Phrases that several formats use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from healthguard.kubernetes.examination import Examination
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.runtime.text import escaped

NOTHING_CHECKED = "Nothing was checked."
_NOUNS = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.UNKNOWN: ("unknown", "unknown"),
    Severity.ADVICE: ("advice", "advice"),
}
SEVERITIES = tuple(_NOUNS)
"""The severities, the worst first."""
_MAX_LISTED = 8
"""The largest number of containers or variables that are listed."""


def counted(number: int, noun: str) -> str:
    """Return a number with a noun in singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def verdict(examination: Examination) -> str:
    """Return the result in a few words: the numbers of findings, or that there are none."""
    parts = [
        f"{number} {_NOUNS[severity][number != 1]}"
        for severity in SEVERITIES
        if (number := examination.count(severity))
    ]
    parts += [counted(len(examination.errors), "unreadable input")] if examination.errors else []
    parts += [counted(len(examination.failures), "failed rule")] if examination.failures else []
    parts += [f"{counted(len(examination.unread), 'input')} not read"] if examination.unread else []
    found = f"{', '.join(parts)}." if parts else ""
    return f"{NOTHING_CHECKED} {found}".rstrip() if examination.nothing_chosen else found or "No faults found."


def scope(examination: Examination) -> str:
    """Return what was checked, in one sentence."""
    counts = examination.counts
    return (
        f"Checked {counted(len(examination.containers), 'container')} for "
        f"{counted(len(examination.variables), 'required variable')}, "
        f"in {counted(counts.objects, 'object')} of {counted(counts.files, 'file')}."
    )


def details(examination: Examination) -> Iterator[tuple[str, str]]:
    """Yield the rest of what was checked, and what was not, each with a label."""
    counts = examination.counts
    if examination.containers:
        yield "Containers", _listed(examination.containers, "; ")
    if examination.variables:
        yield "Required", _listed((" or ".join(names) for names in examination.variables), ", ")
    if hidden := counts.unknown - examination.count(Severity.UNKNOWN):
        noun = "fact depends" if hidden == 1 else "facts depend"
        yield "Not checked", f"{hidden} {noun} on what the inputs do not contain. List with --strict-unknown."
    if hidden := counts.advice - examination.count(Severity.ADVICE):
        yield "Advice", f"{hidden} not shown. List with --advice."
    if counts.silenced:
        yield "Silenced", f"{counted(counts.silenced, 'finding')} by healthguard.io/ignore."


def subject(finding: Finding) -> str:
    """Return the object and the container that a finding is about."""
    label = escaped(finding.object.label)
    namespace = f" in {escaped(finding.object.namespace)}" if finding.object.namespace else ""
    container = f", container {escaped(finding.container)}" if finding.container else ""
    template = f", from {escaped(finding.object.template)}" if finding.object.template else ""
    return f"{label}{namespace}{container}{template}"


def _listed(texts: Iterable[str], separator: str) -> str:
    listed = [escaped(text) for text in texts]
    more = len(listed) - _MAX_LISTED
    text = separator.join(listed[:_MAX_LISTED])
    return f"{text}{separator}and {more} more" if more > 0 else text
