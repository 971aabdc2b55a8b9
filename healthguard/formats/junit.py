"""The JUnit format: one test case per check, as CI systems display the results of tests.

The schema is that of the Jenkins xUnit plugin, ``junit-10.xsd``, which Maven's Surefire follows too.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from healthguard.formats.text import DRAINING, NO_DETAILS
from healthguard.probes.tolerance import LENIENT, Tolerance
from healthguard.service.selection import LeftOut
from healthguard.status import CheckResult, Report, ServiceReport, Status

_NAME = "healthguard"
_NOT_IN_XML = re.compile(r"[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
"""The characters that XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets"""


def render(report: Report, left_out: tuple[LeftOut, ...] = (), *, tolerance: Tolerance = LENIENT) -> str:
    """Return the XML document.

    A check that makes the command fail is a failure, or an error if its status is unknown. Any other check passes, with
    its problem as output.

    Args:
        report: the report.
        left_out: the checks that were left out. They are skipped test cases.
        tolerance: the problems that are not failures.
    """
    services = report.services()
    cases = [case for service in services for case in _cases(service, tolerance)]
    cases += [_skipped(entry) for entry in left_out]
    cases += [_draining()] if report.draining else []
    seconds = sum(service.duration or 0 for service in services)
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
    }
    attributes = {name: str(count) for name, count in counts.items()} | {"time": f"{seconds:.3f}"}
    root = ET.Element("testsuites", {"name": _NAME, **attributes})
    skipped = sum(case.find("skipped") is not None for case in cases)
    suite = ET.SubElement(root, "testsuite", {"name": _NAME, **attributes, "skipped": str(skipped)})
    suite.extend(cases)
    ET.indent(root)
    # Only ASCII, so that the document is valid in whatever encoding standard output has.
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="us-ascii").decode()}\n'


def _cases(service: ServiceReport, tolerance: Tolerance) -> Iterator[ET.Element]:
    if not service.checks:
        case = _case(service.path, "status", service.duration)
        text = "" if service.status.is_serving else NO_DETAILS
        is_failure = tolerance.is_failure(service.weight)
        _add_outcome(case, service.weight, str(service.status), text, is_failure=is_failure)
        yield case
        return
    for result in service.checks:
        # The duration of a run is that of all its checks.
        case = _case(service.path, result.check, service.duration if result is service.checks[0] else 0)
        yield _with_outcome(case, result, service.counted(result), tolerance)


def _with_outcome(case: ET.Element, result: CheckResult, status: Status, tolerance: Tolerance) -> ET.Element:
    problem = result.problem
    if problem is None:
        _add_outcome(case, status, "", "", is_failure=tolerance.is_failure(status))
    elif result.is_not_run:
        ET.SubElement(case, "skipped", {"message": _text(problem.message)})
    else:
        _add_outcome(
            case, status, problem.code, problem.explanation, is_failure=tolerance.is_failure(status, problem.code)
        )
    return case


def _add_outcome(case: ET.Element, status: Status, kind: str, text: str, *, is_failure: bool) -> None:
    """Add the element that says that a check has failed, or its problem as output if it counts as passed."""
    if not is_failure:
        if text:
            ET.SubElement(case, "system-out").text = _text(f"{status}: {kind}\n{text}")
        return
    name = "error" if status is Status.UNKNOWN else "failure"
    message = text.partition("\n")[0]
    ET.SubElement(case, name, {"type": _text(kind), "message": _text(message)}).text = _text(text)


def _draining() -> ET.Element:
    case = _case((), "draining", 0)
    _add_outcome(case, Status.UNHEALTHY, "draining", DRAINING, is_failure=True)
    return case


def _skipped(entry: LeftOut) -> ET.Element:
    case = _case(entry.path, entry.check, 0)
    ET.SubElement(case, "skipped", {"message": "Not checked, because it needs a network or a database."})
    return case


def _case(path: tuple[str, ...], name: str, seconds: float | None) -> ET.Element:
    class_name = ".".join((_NAME, *path))
    return ET.Element("testcase", {"classname": _text(class_name), "name": _text(name), "time": f"{seconds or 0:.3f}"})


def _text(text: str) -> str:
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
