"""Reports for the tests of the formats."""

from __future__ import annotations

import datetime

from healthguard.status import CheckResult, Code, Fault, GroupReport, Problem, Report, ServiceReport, Status

NASTY = "100% \r\n::error::x, y: <b>|`\x1b[31m\x00\ud800"
"""A message with the characters that mean something in one of the formats."""


RAISED = Problem(Code.EXCEPTION, Fault.CONFIG, "Plug raised KeyError.", "Fix it.", {"at": "plug.py:7 in run"})
"""The problem of a check that raised an unexpected exception."""


def problem(message: str = "The plug is out.", *, code: str = "plug_out", fault: Fault = Fault.CONFIG) -> Problem:
    return Problem(code, fault, message, "Put it in.", {"plug": "red"})


def result(status: Status = Status.HEALTHY, name: str = "Plug", message: str = "The plug is out.") -> CheckResult:
    return CheckResult(name, status, None if status is Status.HEALTHY else problem(message))


def service(*results: CheckResult, path: tuple[str, ...] = ("power",), is_critical: bool = True) -> ServiceReport:
    worst = Status.worst(result.status for result in results)
    status = worst if is_critical or worst is not Status.UNHEALTHY else Status.DEGRADED
    weight = worst if is_critical else min(worst, Status.DEGRADED, key=lambda status: status.severity)
    checked_at = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    return ServiceReport(path, status, weight, results, checked_at, 100.0, 0.0123)


def report(*services: ServiceReport, draining: bool = False) -> Report:
    root: dict[str, ServiceReport | GroupReport] = {}
    for entry in services:
        if len(entry.path) == 1:
            root[entry.path[0]] = entry
        else:
            group = root.setdefault(entry.path[0], GroupReport({}))
            assert isinstance(group, GroupReport)
            root[entry.path[0]] = GroupReport({**group.members, entry.path[1]: entry})
    return Report(GroupReport(root), (), 0.0, None, 101.0, draining)
