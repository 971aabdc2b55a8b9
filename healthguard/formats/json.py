"""The JSON contract: ``services`` in a word each, and a section a service."""

from __future__ import annotations

import datetime
import enum
import json
from typing import Any

from healthguard.status import CheckResult, GroupReport, Report, ServiceReport

CONTENT_TYPE = "application/json"


class Detail(enum.Enum):
    """How much of a report is told."""

    STATUS = enum.auto()
    """The overall status alone."""
    SERVICES = enum.auto()
    """A status a service."""
    FULL = enum.auto()
    """What each check found, and when."""


def render(report: Report, detail: Detail) -> bytes:
    """The body of an answer: the whole tree, or the section of the one service or group that was asked for."""
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
    """The body of an answer that is a status alone."""
    return json.dumps({"status": status}).encode() + b"\n"


def render_error(error: str, hint: str) -> bytes:
    """The body of an answer that is not about health: a mistake of the caller's."""
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
    told: dict[str, Any] = {"check": result.check, "status": result.status}
    problem = result.problem
    if problem is not None:
        told |= {"code": problem.code, "fault": problem.fault, "message": problem.message, "hint": problem.hint}
        told["evidence"] = dict(problem.evidence)
    elif result.evidence:
        told["evidence"] = dict(result.evidence)
    return told


def _iso(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
