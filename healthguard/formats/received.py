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
        # Python also accepts NaN and Infinity, which are not JSON, and turns 1e999 into Infinity.
        document = json.loads(body, parse_float=_finite, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        raise NotAReportError("it is not JSON") from None
    if not isinstance(document, dict):
        raise NotAReportError("it is not a JSON object")
    taken = time.monotonic()
    root = _node(document, tuple(escaped(name) for name in path), taken)
    if "services" in document and document["services"] != _statuses(root):
        raise NotAReportError("its services contradict their sections")
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
    checks = tuple(_result(entry) for entry in _list(section.get("checks")))
    if status is Status.HEALTHY and any(result.status is not Status.HEALTHY for result in checks):
        raise NotAReportError("a service in it is healthy, but one of its checks is not")
    age, duration = _number(section.get("age_seconds")), _number(section.get("duration_ms"))
    return ServiceReport(
        path or ("status",),
        status,
        status,
        checks,
        checked_at=_moment(section.get("checked_at")),
        finished=None if age is None else taken - age,
        duration=None if duration is None else duration / 1000,
    )


def _statuses(node: GroupReport | ServiceReport) -> dict[str, Any]:
    """Return the status of each service, as under the key ``services`` of an answer."""
    if isinstance(node, ServiceReport):
        return {}
    return {
        name: _statuses(member) if isinstance(member, GroupReport) else member.status
        for name, member in node.members.items()
    }


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
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except OverflowError:
        return None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _moment(value: object) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(value).astimezone(datetime.UTC) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
