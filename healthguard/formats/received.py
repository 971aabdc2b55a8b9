"""The report in the JSON answer of a running instance."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import time
from collections.abc import Mapping
from typing import Any

from healthguard.runtime.text import escaped
from healthguard.status import CheckResult, Fault, GroupReport, Problem, Report, ServiceReport, Status, escaped_evidence

_MAX_DEPTH = 20
_KEYS = frozenset({"status", "services", "draining", "checked_at", "age_seconds", "duration_ms", "checks"})
"""The keys of a section that are not the names of services."""


class NotAReportError(Exception):
    """A document is not the answer of a health endpoint of healthguard."""


def report_in(body: bytes, path: tuple[str, ...] = ()) -> Report:
    """Return the report in the body of an answer. Everything in it is made safe to show.

    Args:
        body: the JSON document.
        path: the path of the service or group that the document is about; empty for everything.

    Raises:
        NotAReportError: the body is not such a document.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise NotAReportError("it is not JSON") from None
    if not isinstance(document, dict):
        raise NotAReportError("it is not a JSON object")
    taken = time.monotonic()
    root = _node(document, tuple(escaped(name) for name in path), taken)
    report = Report(root, path, 0.0, None, taken, document.get("draining") is True)
    stated = _status(document)
    if stated.severity <= report.status.severity:
        return report
    # The members do not explain the status: the endpoint shows only the overall status, or is of another version.
    return Report(ServiceReport(path or ("status",), stated, stated), path, 0.0, None, taken, report.draining)


def _node(section: Mapping[str, Any], path: tuple[str, ...], taken: float) -> GroupReport | ServiceReport:
    if len(path) > _MAX_DEPTH:
        raise NotAReportError("its groups are nested too deeply")
    members = {
        escaped(name): _node(member, (*path, escaped(name)), taken)
        for name, member in section.items()
        if name not in _KEYS and isinstance(member, dict)
    }
    status = _status(section)
    if members:
        return GroupReport({name: _weighted(member, status) for name, member in members.items()})
    age, duration = _number(section.get("age_seconds")), _number(section.get("duration_ms"))
    return ServiceReport(
        path or ("status",),
        status,
        status,
        tuple(_result(entry) for entry in _list(section.get("checks"))),
        checked_at=_moment(section.get("checked_at")),
        finished=None if age is None else taken - age,
        duration=None if duration is None else duration / 1000,
    )


def _weighted(member: GroupReport | ServiceReport, group: Status) -> GroupReport | ServiceReport:
    """Return a member whose weight is at most the status of its group, as that of a service that is not critical."""
    if isinstance(member, GroupReport):
        return member
    return dataclasses.replace(member, weight=Status.least((member.status, group)))


def _result(entry: object) -> CheckResult:
    if not isinstance(entry, dict):
        raise NotAReportError("a check in it is not a JSON object")
    evidence = entry.get("evidence")
    shown = escaped_evidence(evidence) if isinstance(evidence, dict) else {}
    name, status = _text(entry, "check"), _status(entry)
    if "code" not in entry:
        return CheckResult(name, status, None, shown)
    fault = Fault.CONFIG if entry.get("fault") == Fault.CONFIG else Fault.OUTAGE
    return CheckResult(
        name, status, Problem(_text(entry, "code"), fault, _text(entry, "message"), _text(entry, "hint"), shown)
    )


def _status(section: Mapping[str, Any]) -> Status:
    try:
        return Status(str(section.get("status")))
    except ValueError:
        raise NotAReportError("a status in it is missing or unknown") from None


def _text(entry: Mapping[str, Any], name: str) -> str:
    return escaped(str(entry.get(name, "")))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None  # type: ignore[arg-type]


def _moment(value: object) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
