"""The JSON format, for programs. docs/commands.md describes its shape."""

from __future__ import annotations

import json
from typing import Any

from healthguard.kubernetes.examination import Examination
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.formats.places import has_file
from healthguard.kubernetes.reading.errors import InputError
from healthguard.runtime.text import escaped

VERSION = 1
"""The version of the shape. It changes if a key is removed or gets another meaning."""


def render(examination: Examination) -> str:
    """Return the document."""
    counts = examination.counts
    document = {
        "version": VERSION,
        "exit_code": examination.exit_code,
        "strict": examination.policy.is_strict,
        "checked": {
            "files": counts.files,
            "objects": counts.objects,
            "workloads": counts.workloads,
            "containers": [escaped(label) for label in examination.containers],
            "required_variables": [[escaped(name) for name in names] for names in examination.variables],
        },
        "nothing_checked": escaped(examination.nothing_chosen) or None,
        "summary": {
            "errors": examination.count(Severity.ERROR),
            "warnings": examination.count(Severity.WARNING),
            "unknown": counts.unknown,
            "advice": counts.advice,
            "silenced": counts.silenced,
        },
        "findings": [_finding(finding) for finding in examination.findings],
        "unreadable_inputs": [_input(error) for error in examination.errors],
        "unread_inputs": [_input(error) for error in examination.unread],
        "failed_rules": [
            {"rule": failure.rule} | _texts(failure.message, failure.remedy) for failure in examination.failures
        ],
    }
    return f"{json.dumps(document, indent=2)}\n"


def _finding(finding: Finding) -> dict[str, Any]:
    obj = finding.object
    return {
        "rule": escaped(finding.rule),
        "severity": finding.severity,
        "file": _file(finding.file),
        "line": finding.line,
        **_texts(finding.message, finding.remedy),
        "object": {
            "api_version": escaped(obj.api_version),
            "kind": escaped(obj.kind),
            "name": escaped(obj.name),
            "namespace": escaped(obj.namespace) or None,
        },
        "container": escaped(finding.container) or None,
        "variable": escaped(finding.variable) or None,
    }


def _input(error: InputError) -> dict[str, Any]:
    return {"file": _file(error.file), "line": error.line, **_texts(error.message, error.remedy)}


def _texts(message: str, remedy: str) -> dict[str, Any]:
    return {"message": escaped(message), "remedy": escaped(remedy)}


def _file(file: str) -> str | None:
    """Return the path of a file as the user gave it; None for standard input."""
    return escaped(file) if has_file(file) else None
