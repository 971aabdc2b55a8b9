"""The JSON format: ``services`` with one status per service, and one section per service."""

from __future__ import annotations

import datetime
import enum
import json
from typing import Any

from healthguard.status import CheckResult, GroupReport, Report, ServiceReport

CONTENT_TYPE = "application/json"


class Detail(enum.Enum):
    """The amount of detail of a rendered report."""

    STATUS = enum.auto()
    """Only the overall status."""
    SERVICES = enum.auto()
    """The status of each service."""
    FULL = enum.auto()
    """The result of each check, and the time of its run."""


def render(report: Report, detail: Detail) -> bytes:
    """Return the body of an answer: the whole tree, or the section of the requested service or group."""
    body: dict[str, Any] = {"status": report.status}
    if report.draining:
        body["draining"] = True
    if detail is not Detail.STATUS:
        if isinstance(report.root, GroupReport):
            if not report.path:
                body["services"] = _summary(report.root)
            for name, member in report.root.members.items():
                body[name] = _section(member, report, detail)
        else:
            body |= _section(report.root, report, detail)
    return json.dumps(body).encode() + b"\n"


def render_status(status: str) -> bytes:
    """Return the body of an answer that consists only of a status."""
    return json.dumps({"status": status}).encode() + b"\n"


def render_error(error: str, hint: str) -> bytes:
    """Return the body of the answer to an invalid request."""
    return json.dumps({"error": error, "hint": hint}).encode() + b"\n"


def _summary(group: GroupReport) -> dict[str, Any]:
    return {
        name: _summary(member) if isinstance(member, GroupReport) else member.status
        for name, member in group.members.items()
    }


def _section(node: GroupReport | ServiceReport, report: Report, detail: Detail) -> dict[str, Any]:
    if isinstance(node, GroupReport):
        members = {name: _section(member, report, detail) for name, member in node.members.items()}
        return {"status": node.status, **members}
    section: dict[str, Any] = {"status": node.status}
    if detail is Detail.FULL:
        section["checked_at"] = None if node.checked_at is None else _iso(node.checked_at)
        section["age_seconds"] = None if node.finished is None else round(report.taken - node.finished, 3)
        section["duration_ms"] = None if node.duration is None else round(node.duration * 1000, 3)
        section["checks"] = [_check(result) for result in node.checks]
    return section


def _check(result: CheckResult) -> dict[str, Any]:
    entry: dict[str, Any] = {"check": result.check, "status": result.status}
    problem = result.problem
    if problem is not None:
        entry |= {"code": problem.code, "fault": problem.fault, "message": problem.message, "hint": problem.hint}
        entry["evidence"] = dict(problem.evidence)
    elif result.evidence:
        entry["evidence"] = dict(result.evidence)
    return entry


def _iso(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
