"""The report in a received answer: what was sent is what is read, and nothing else counts as a report."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthguard.formats.json import Detail, render
from healthguard.formats.received import NotAReportError, report_in
from healthguard.status import Report, Status
from tests.formats.reports import report, result, service

REPORTS = [
    report(service(result())),
    report(service(result(), result(Status.UNHEALTHY)), service(result(Status.DEGRADED), path=("group", "a"))),
    report(service(result(Status.UNHEALTHY), is_critical=False), service(result(), path=("water",))),
    report(service(result(Status.UNKNOWN), is_critical=False), service(result(), path=("water",))),
    report(
        service(result(Status.UNKNOWN), path=("group", "a"), is_critical=False), service(result(), path=("group", "b"))
    ),
    report(service(result()), draining=True),
]


@pytest.mark.parametrize("sent", REPORTS)
@pytest.mark.parametrize("detail", [Detail.FULL, Detail.SERVICES])
def test_report_that_is_read_is_the_one_that_was_sent(sent: Report, detail: Detail) -> None:
    body = render(sent, detail)
    read = report_in(body)
    assert read.status is sent.status
    sections = [json.loads(render(shown, detail)) for shown in (read, sent)]
    assert sections[0] == sections[1]


def test_overall_status_alone_is_read() -> None:
    read = report_in(b'{"status": "unhealthy"}')
    assert read.status is Status.UNHEALTHY


def test_status_that_the_services_do_not_explain_counts() -> None:
    assert report_in(b'{"status": "unhealthy", "a": {"status": "healthy"}}').status is Status.UNHEALTHY


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"status": "ok"}',
        b'{"status": 200}',
        b'{"status": "healthy", "a": {"state": "up"}}',
        b'{"status": "healthy", "a": {"status": "healthy", "checks": ["x"]}}',
        b'{"status": "healthy", "a": {"status": "healthy", "checks": [{"check": "x", "status": "unhealthy"}]}}',
        b'{"status": "healthy", "services": {"a": "unhealthy"}}',
        b'{"status": "healthy", "services": {"a": "unhealthy"}, "a": {"status": "healthy"}}',
        b'{"status": "healthy", "services": {"a": "healthy", "b": "healthy"}, "a": {"status": "healthy"}}',
        b'{"status": NaN}',
        b'{"a":' * 100_000,
        b'{"status": "healthy", "a": ' * 30 + b"1" + b"}" * 30,
    ],
)
def test_another_document_is_not_a_report(body: bytes) -> None:
    with pytest.raises(NotAReportError):
        report_in(body)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "1" + "0" * 400])
@pytest.mark.parametrize("key", ["age_seconds", "duration_ms"])
def test_number_that_is_too_large_is_ignored(key: str, number: str) -> None:
    read = report_in(f'{{"status": "healthy", "a": {{"status": "healthy", "{key}": {number}}}}}'.encode())
    assert json.loads(render(read, Detail.FULL))["a"][key] is None


def test_evidence_that_is_not_json_is_not_written() -> None:
    check = b'{"check": "x", "status": "healthy", "evidence": {"n": NaN, "m": [1e999]}}'
    body = b'{"status": "healthy", "a": {"status": "healthy", "checks": [' + check + b"]}}"
    (read,) = report_in(body).services()
    assert read.checks[0].evidence == {"n": None, "m": [None]}


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon"])
def test_moment_that_no_calendar_has_is_ignored(moment: str) -> None:
    body = json.dumps({"status": "healthy", "a": {"status": "healthy", "checked_at": moment}}).encode()
    assert json.loads(render(report_in(body), Detail.FULL))["a"]["checked_at"] is None


def test_control_characters_are_escaped() -> None:
    sent = report(service(result(Status.UNHEALTHY, message="\x1b[2J")))
    (read,) = report_in(render(sent, Detail.FULL)).root.services()  # type: ignore[union-attr]
    assert read.problems[0].message == "\\x1b[2J"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(list(Status)),
        lambda values: st.lists(values) | st.dictionaries(st.sampled_from(["status", "checks", "a", "code"]), values),
    )
)
def test_any_document_is_a_report_or_none(value: object) -> None:
    try:
        read = report_in(json.dumps(value).encode())
    except NotAReportError:
        return
    assert isinstance(read.status, Status)
