"""The JUnit format: valid by the schema of the Jenkins xUnit plugin, with one test case per check."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET

import pytest

from healthguard.formats.junit import render
from healthguard.probes.tolerance import Tolerance
from healthguard.service.selection import LeftOut
from healthguard.status import CheckResult, Code, Fault, Problem, Report, Status
from tests.formats.reports import NASTY, RAISED, report, result, service

SCHEMA = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"name", "time", "tests", "failures", "errors", "skipped"}, {"testcase"}),
    "testcase": ({"name", "classname", "time"}, {"failure", "error", "skipped", "system-out"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}
"""The attributes and children of each element that both Jenkins and Surefire know, as far as they are used here."""
TIME = re.compile(r"\d+\.\d{3}")
NOT_RUN = Problem(Code.NOT_RUN, Fault.OUTAGE, "Not run.", "Fix the problem reported by Plug first.")

EVERYTHING = report(
    service(result(), result(Status.DEGRADED, "Lamp"), path=("group", "a")),
    service(result(Status.UNHEALTHY, message=NASTY), CheckResult("Lamp", Status.UNKNOWN, NOT_RUN), path=("b",)),
    service(result(Status.UNKNOWN), path=("c",)),
    dataclasses.replace(service(path=("d",)), status=Status.UNHEALTHY, weight=Status.UNHEALTHY),
)


def cases(document: str) -> dict[str, ET.Element]:
    """Return the test cases by class name and name."""
    return {f"{case.get('classname')}::{case.get('name')}": case for case in ET.fromstring(document).iter("testcase")}


@pytest.mark.parametrize("shown", [EVERYTHING, report(service(result()))])
@pytest.mark.parametrize("is_strict", [False, True])
def test_document_has_only_what_the_schema_allows(shown: Report, is_strict: bool) -> None:
    root = ET.fromstring(
        render(shown, (LeftOut(("database",), "AppliedMigrations"),), tolerance=Tolerance(is_strict=is_strict))
    )
    unknown = [
        (element.tag, name)
        for element in root.iter()
        for name in (
            *element.attrib.keys() - SCHEMA[element.tag][0],
            *{child.tag for child in element} - SCHEMA[element.tag][1],
        )
    ]
    assert unknown == []
    assert all(TIME.fullmatch(element.attrib["time"]) for element in root.iter() if "time" in element.attrib)


def test_each_check_is_one_case() -> None:
    found = cases(render(EVERYTHING, (LeftOut(("database",), "AppliedMigrations"),)))
    kinds = {name: [child.tag for child in case] for name, case in found.items()}
    assert kinds == {
        "healthguard.group.a::Plug": [],
        "healthguard.group.a::Lamp": ["system-out"],
        "healthguard.b::Plug": ["failure"],
        "healthguard.b::Lamp": ["skipped"],
        "healthguard.c::Plug": ["error"],
        "healthguard.d::status": ["failure"],
        "healthguard.database::AppliedMigrations": ["skipped"],
    }


def test_degraded_check_fails_if_strict() -> None:
    found = cases(render(EVERYTHING, tolerance=Tolerance(is_strict=True)))
    assert [child.tag for child in found["healthguard.group.a::Lamp"]] == ["failure"]


def test_allowed_problem_passes_even_if_strict() -> None:
    document = render(report(service(result(Status.DEGRADED))), tolerance=Tolerance(("plug_out",), is_strict=True))
    assert [child.tag for child in cases(document)["healthguard.power::Plug"]] == ["system-out"]


@pytest.mark.parametrize("status", [Status.UNHEALTHY, Status.UNKNOWN])
def test_failure_of_a_service_that_is_not_critical_passes(status: Status) -> None:
    """The command ends with exit code 0, so CI must not count a failed test."""
    document = render(report(service(result(status), is_critical=False)))
    assert [child.tag for child in cases(document)["healthguard.power::Plug"]] == ["system-out"]


def test_document_is_ascii() -> None:
    """Standard output may have another encoding than the document declares."""
    document = render(report(service(result(Status.UNHEALTHY, message="Überlauf"))))
    assert document.isascii()
    assert "Überlauf" in str(cases(document)["healthguard.power::Plug"][0].get("message"))


def test_suite_counts_its_cases() -> None:
    (suite,) = ET.fromstring(render(EVERYTHING))
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6",
        "failures": "2",
        "errors": "1",
        "skipped": "1",
    }


def test_failure_has_the_message_and_the_remedy() -> None:
    failure = cases(render(report(service(result(Status.UNHEALTHY)))))["healthguard.power::Plug"].find("failure")
    assert failure is not None
    assert failure.attrib == {"type": "plug_out", "message": "The plug is out."}
    assert failure.text == "The plug is out.\nPut it in."


def test_line_that_raised_an_exception_is_named() -> None:
    assert "\nAt: plug.py:7 in run" in render(report(service(CheckResult("Plug", Status.UNHEALTHY, RAISED))))


def test_draining_is_a_failure_of_its_own() -> None:
    assert render(report(service(result()))).count("<failure") == 0
    (failure,) = ET.fromstring(render(report(service(result()), draining=True))).iter("failure")
    assert failure.get("type") == "draining"
