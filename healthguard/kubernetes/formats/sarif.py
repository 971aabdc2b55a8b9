"""The SARIF 2.1.0 format, for code scanning.

The specification: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html. GitHub reads a part of it:
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import collections
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from healthguard.kubernetes.catalog import RuleSummary, summaries
from healthguard.kubernetes.examination import Examination
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.formats import wording
from healthguard.kubernetes.formats.places import has_file, is_relative, repository_uri
from healthguard.kubernetes.reading.errors import InputError
from healthguard.runtime.text import escaped
from healthguard.runtime.version import __version__

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_NAME = "healthguard"
_CATEGORY = "healthguard/manifests/"
"""The id of the run. GitHub replaces the alerts of the run before with the same id; the slash ends the category."""
MAX_RESULTS = 25_000
"""The most results of a run, from which on GitHub rejects the file. It shows the worst 5,000 of them.

https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""
_ROOT = "%SRCROOT%"
_STDIN_URI = "stdin"
_FINGERPRINT = "healthguard/v1"
# Not "primaryLocationLineHash": GitHub's upload action computes it from the file, and warns about any other value.
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.UNKNOWN: "note", Severity.ADVICE: "note"}
_LINK = re.compile(r"\[(?=[^\]]*\]\()")
_PROBLEM_SEVERITIES = {"error": "error", "warning": "warning", "note": "recommendation"}


def render(examination: Examination) -> str:
    """Return the log, which has one run even without findings."""
    rules = _rules(examination)
    indexes = {rule.id: index for index, rule in enumerate(rules)}
    occurrences: collections.Counter[str] = collections.Counter()
    run = {
        "tool": {
            "driver": {
                "name": _NAME,
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_descriptor(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": _CATEGORY},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(examination)],
        "results": [_result(finding, indexes, occurrences) for finding in _uploaded(examination)],
    }
    # With an indent, Python does not use its encoder in C, which is five times faster.
    return f"{json.dumps({'$schema': _SCHEMA, 'version': '2.1.0', 'runs': [run]})}\n"


def _uploaded(examination: Examination) -> list[Finding]:
    """Return the findings in the log. If GitHub would reject their number, only the worst are included."""
    findings = list(examination.findings)
    if len(findings) > MAX_RESULTS:
        findings.sort(key=lambda finding: wording.SEVERITIES.index(finding.severity))
    return findings[:MAX_RESULTS]


def _rules(examination: Examination) -> list[RuleSummary]:
    """Return the rules, also those that only a finding names: the id may be the problem code of a requirement."""
    by_id = {rule.id: rule for rule in summaries()}
    for finding in examination.findings:
        summary = "The value of a variable is invalid. The check in a running container reports it too."
        by_id.setdefault(finding.rule, RuleSummary(finding.rule, finding.severity, summary))
    return [by_id[key] for key in sorted(by_id)]


def _descriptor(rule: RuleSummary) -> dict[str, Any]:
    level = _LEVELS[rule.severity]
    remedy = f'To silence it, annotate the object or its pod template: healthguard.io/ignore: "{rule.id}: reason"'
    return {
        "id": escaped(rule.id),
        "name": "".join(word.capitalize() for word in rule.id.split("-")),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {"text": f"{rule.summary} {remedy}", "markdown": f"{rule.summary}\n\n{_code(remedy)}"},
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": ["kubernetes", "configuration"],
            "precision": "very-high",
            "problem.severity": _PROBLEM_SEVERITIES[level],
        },
    }


def _code(remedy: str) -> str:
    text, _, annotation = remedy.partition(": ")
    return f"{text}: `{annotation}`"


def _result(finding: Finding, indexes: Mapping[str, int], occurrences: collections.Counter[str]) -> dict[str, Any]:
    fingerprint = _fingerprint(finding)
    occurrences[fingerprint] += 1
    return {
        "ruleId": escaped(finding.rule),
        "ruleIndex": indexes[finding.rule],
        "level": _LEVELS[finding.severity],
        "message": {"text": _plain(f"{finding.message} {finding.remedy}")},
        "locations": [
            {
                "physicalLocation": _physical_location(finding.file, finding.line),
                "logicalLocations": [_logical_location(finding)],
            }
        ],
        "partialFingerprints": {_FINGERPRINT: f"{fingerprint}:{occurrences[fingerprint]}"},
    }


def _physical_location(file: str, line: int | None) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": _artifact_location(file)}
    if line is not None:
        location["region"] = {"startLine": max(line, 1)}
    return location


def _artifact_location(file: str) -> dict[str, str]:
    uri = repository_uri(file) if has_file(file) else _STDIN_URI
    return {"uri": uri, "uriBaseId": _ROOT} if is_relative(uri) else {"uri": uri}


def _logical_location(finding: Finding) -> dict[str, str]:
    return {"name": escaped(finding.container or finding.object.label), "fullyQualifiedName": wording.subject(finding)}


def _fingerprint(finding: Finding) -> str:
    """Return the identity of a finding, which does not change if lines are added above it."""
    obj = finding.object
    uri = _artifact_location(finding.file)["uri"]
    parts = (finding.rule, uri, obj.kind, obj.namespace, obj.name, finding.container, finding.variable)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _invocation(examination: Examination) -> dict[str, Any]:
    notifications = [_input("error", error) for error in examination.errors]
    notifications += [_notification(f"{failure.message} {failure.remedy}") for failure in examination.failures]
    if examination.nothing_chosen:
        notifications.append(_notification(f"{wording.NOTHING_CHECKED} {examination.nothing_chosen}"))
    is_successful = not notifications
    if (more := len(examination.findings) - MAX_RESULTS) > 0:
        notifications.append(_notification(f"{more} further findings are not in this file.", "warning"))
    return {
        "executionSuccessful": is_successful,
        "exitCode": examination.exit_code,
        "toolExecutionNotifications": [*notifications, *(_input("warning", error) for error in examination.unread)],
    }


def _input(level: str, error: InputError) -> dict[str, Any]:
    location = {"physicalLocation": _physical_location(error.file, error.line)}
    return _notification(f"{error.message} {error.remedy}", level, locations=[location])


def _notification(text: str, level: str = "error", **more: Any) -> dict[str, Any]:
    return {"level": level, "message": {"text": _plain(text)}, **more}


def _plain(text: str) -> str:
    """Return a text in which nothing is a link to another location (section 3.11.6)."""
    return _LINK.sub(r"\\[", escaped(text))
