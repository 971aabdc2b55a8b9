"""The format of GitHub Actions: the text, one annotation per finding, and a summary of the job in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from healthguard.kubernetes.examination import Examination
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.formats import wording
from healthguard.kubernetes.formats.places import has_file, repository_path
from healthguard.runtime.text import escaped
from healthguard.runtime.workflow_commands import cell, command, not_commands

_MARKS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.UNKNOWN: "❔", Severity.ADVICE: "💡"}
_MAX_ROWS = 200
"""The largest number of findings in a summary, which GitHub limits to 1 MiB."""


def render(examination: Examination, text: str) -> str:
    """Return the text, then one workflow command per finding: an error if it makes the command fail.

    Args:
        examination: the examination.
        text: the examination as text. No line of it is read as a command.
    """
    commands = [*_inputs(examination), *_failures(examination)]
    if examination.nothing_chosen:
        commands.append(command("error", wording.NOTHING_CHECKED, escaped(examination.nothing_chosen)))
    commands += [_annotation(finding, _level(examination, finding)) for finding in examination.findings]
    return "".join(f"{line}\n" for line in [*not_commands(text), *commands])


def render_summary(examination: Examination) -> str:
    """Return the summary of a job in Markdown: the verdict, what was checked, and a table of the findings."""
    mark = "✅" if examination.exit_code == 0 else "❌"
    lines = [f"### {mark} healthguard manifests: {cell(wording.verdict(examination))}", ""]
    lines += [cell(wording.scope(examination)), ""]
    lines += [f"- {label}: {cell(text)}" for label, text in wording.details(examination)]
    lines += ["", *_table(examination)] if examination.findings else []
    problems = [
        f"{_place(error.file, error.line)}: {error.message} {error.remedy}"
        for error in (*examination.errors, *examination.unread)
    ]
    problems += [f"{failure.message} {failure.remedy}" for failure in examination.failures]
    problems += [examination.nothing_chosen] if examination.nothing_chosen else []
    for problem in problems[:_MAX_ROWS]:
        lines += ["", f"{mark} {cell(escaped(problem))}"]
    return "\n".join(lines) + "\n\n"


def _table(examination: Examination) -> Iterator[str]:
    yield "| | place | fact | remedy | rule |"
    yield "|---|---|---|---|---|"
    for finding in sorted(examination.findings, key=lambda each: wording.SEVERITIES.index(each.severity))[:_MAX_ROWS]:
        place = _place(finding.file, finding.line)
        texts = (place, finding.message, finding.remedy, finding.rule)
        yield f"| {_MARKS[finding.severity]} | {' | '.join(cell(escaped(text)) for text in texts)} |"
    if (more := len(examination.findings) - _MAX_ROWS) > 0:
        yield f"| | | and {more} more, in the log of the step | | |"


def _annotation(finding: Finding, level: str) -> str:
    title = f"{wording.subject(finding)} ({escaped(finding.rule)})"
    message = f"{escaped(finding.message)}\n{escaped(finding.remedy)}"
    return command(level, title, message, file=_file(finding.file), line=finding.line)


def _level(examination: Examination, finding: Finding) -> str:
    if examination.policy.rejects(finding.severity):
        return "error"
    return "warning" if finding.severity is Severity.WARNING else "notice"


def _inputs(examination: Examination) -> Iterator[str]:
    """Yield the annotations of inputs that cannot be read, and of those that were left out."""
    unread_level = "error" if examination.policy.is_strict else "warning"
    levels = [
        *(("error", error) for error in examination.errors),
        *((unread_level, each) for each in examination.unread),
    ]
    for level, error in levels:
        title = f"{escaped(error.file)} was not read"
        message = f"{escaped(error.message)}\n{escaped(error.remedy)}"
        yield command(level, title, message, file=_file(error.file), line=error.line)


def _failures(examination: Examination) -> Iterator[str]:
    for failure in examination.failures:
        message = f"{escaped(failure.message)}\n{escaped(failure.remedy)}"
        yield command("error", f"The rule {failure.rule} failed", message)


def _file(file: str) -> str:
    """Return the path for an annotation, relative to the root of the repository; empty for standard input."""
    return escaped(repository_path(file)) if has_file(file) else ""


def _place(file: str, line: int | None) -> str:
    return file if line is None else f"{file}:{line}"
