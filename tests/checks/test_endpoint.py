"""HTTPEndpoint: the expected status, the expected JSON and the declaration."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

import pytest
from django.urls import reverse_lazy
from pytest_httpserver import HTTPServer

from healthguard.checks import HTTPEndpoint
from healthguard.service import source_of
from healthguard.status import Fault, Status
from tests.support.fixture_types import FindProblem, RunCheck

pytestmark = pytest.mark.usefixtures("endpoint_urls")


@pytest.mark.parametrize("failing", ["checks.cassandra:responseTime.0.status", "checks.redis:connections.0.status"])
def test_each_expected_value_counts(problem: FindProblem, httpserver: HTTPServer, failing: str) -> None:
    """Neither path is a plain name, so both have the same form in messages."""
    names = ("cassandra:responseTime", "redis:connections")
    checks = {name: [{"status": "fail" if name in failing else "pass"}] for name in names}
    httpserver.expect_request("/h").respond_with_json({"checks": checks})
    expect = {f"checks.{name}.0.status": "pass" for name in names}
    found = problem(HTTPEndpoint(httpserver.url_for("/h"), expect=expect))
    assert found.code == "endpoint_mismatch"


def test_expected_response_is_healthy(result: RunCheck, endpoint_url: str) -> None:
    expect = {
        "status": "ok|fine",
        "$.count": "[0-9]+",
        "ratio": r"1\.5",
        "ready": "true",
        "items.1.name": "second",
        "credentials.anthropic.api_key": "s3cret-.*",
    }
    outcome = result(HTTPEndpoint(endpoint_url, expect=expect))
    assert outcome.status is Status.HEALTHY, outcome.problem
    assert outcome.evidence == {"endpoint": f"GET {endpoint_url}", "http_status": 200}


@pytest.mark.parametrize(
    ("path", "pattern", "kind"),
    [
        ("status", "o", "a string that does not match the pattern"),
        ("count", "1", "a number that does not match the pattern"),
        ("ready", "false", "a boolean that does not match the pattern"),
        ("ready", "True", "a boolean that does not match the pattern"),
        ("nothing", ".*", "null"),
        ("nothing.more", ".*", "missing"),
        ("absent", ".*", "missing"),
        ("items", ".*", "a list"),
        ("items.2.name", ".*", "missing"),
        ("items.first", ".*", "missing"),
        ("items.-1.name", ".*", "missing"),
        ("credentials.anthropic", ".*", "an object"),
        ("credentials.anthropic.api_key", "sk-ant-.*", "a string that does not match the pattern"),
        ("$", ".*", "an object"),
    ],
)
def test_mismatch_is_reported_with_its_path_and_kind(
    problem: FindProblem, endpoint_url: str, path: str, pattern: str, kind: str
) -> None:
    """The value itself is not shown, because it may be a secret."""
    found = problem(HTTPEndpoint(endpoint_url, expect={"status": "ok", path: pattern}))
    assert (found.code, found.fault) == ("endpoint_mismatch", Fault.CONFIG)
    assert f"{path} is {kind}." in found.message
    assert found.evidence["mismatches"] == {path: kind}
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("code", "expected", "fault"),
    [
        (200, 204, Fault.CONFIG),
        (201, 200, Fault.CONFIG),
        (301, 200, Fault.CONFIG),
        (400, 200, Fault.CONFIG),
        (401, [200, 204], Fault.CONFIG),
        (403, 200, Fault.CONFIG),
        (404, 200, Fault.CONFIG),
        (429, 200, Fault.OUTAGE),
        (500, 200, Fault.OUTAGE),
        (503, {200, 500}, Fault.OUTAGE),
    ],
)
@pytest.mark.parametrize("is_inside", [True, False])
def test_unexpected_status_is_reported(
    problem: FindProblem,
    httpserver: HTTPServer,
    code: int,
    expected: int | Collection[int],
    fault: Fault,
    is_inside: bool,
) -> None:
    """A status of 429 or above 499 is an outage, and any other one a wrong configuration."""
    httpserver.expect_request(f"/status/{code}").respond_with_data("s3cret-in-the-answer", code)
    url = f"/status/{code}" if is_inside else httpserver.url_for(f"/status/{code}")
    found = problem(HTTPEndpoint(url, expect_status=expected))
    assert (found.code, found.fault) == ("endpoint_status", fault)
    assert f"HTTP {code}, not " in found.message
    assert found.evidence["http_status"] == code
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize("expected", [503, [200, 503], {503}, range(500, 600)])
def test_expected_status_is_healthy(result: RunCheck, expected: int | Collection[int]) -> None:
    assert result(HTTPEndpoint("/status/503", expect_status=expected)).status is Status.HEALTHY


@pytest.mark.parametrize("body", [b"", b"<html>s3cret", b'{"status": "ok"', b"\xff\xfe", b"[" * 100_000])
def test_body_that_is_not_json_is_reported(problem: FindProblem, httpserver: HTTPServer, body: bytes) -> None:
    httpserver.expect_request("/page").respond_with_data(body)
    found = problem(HTTPEndpoint(httpserver.url_for("/page"), expect={"status": "ok"}))
    assert (found.code, found.fault) == ("endpoint_not_json", Fault.CONFIG)
    assert "s3cret" not in repr(found)


def test_any_body_is_healthy_without_expect(result: RunCheck, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/page").respond_with_data("<html>")
    assert result(HTTPEndpoint(httpserver.url_for("/page"))).status is Status.HEALTHY


def test_path_with_a_number_of_5000_digits_is_missing(problem: FindProblem) -> None:
    mismatch = problem(HTTPEndpoint("/things", expect={"items." + "9" * 5000: "x"}))
    assert mismatch.code == "endpoint_mismatch"
    assert "missing" in mismatch.message


def test_message_lists_only_some_of_many_statuses(problem: FindProblem) -> None:
    assert len(problem(HTTPEndpoint("/things", expect_status=range(300, 600))).message) < 250


def test_dot_in_a_pattern_matches_a_line_break(result: RunCheck, httpserver: HTTPServer) -> None:
    """A text of several lines, such as a certificate, matches a pattern of one line."""
    httpserver.expect_request("/pem").respond_with_json({"certificate": "-----BEGIN\nMII\n-----END"})
    url = httpserver.url_for("/pem")
    assert result(HTTPEndpoint(url, expect={"certificate": "-----BEGIN.+"})).status is Status.HEALTHY


# The declaration.


@pytest.mark.parametrize(
    "options",
    [
        *(
            {"url": url}
            for url in ("", "things", "//host/things", "ftp://host/", "http://", "http://[", "/a\nb", 5, None)
        ),
        *({"method": method} for method in ("get", "FETCH", "", None, ["GET"])),
        *({"headers": headers} for headers in ("x", ["x"], {5: "x"}, {"a b": "x"}, {"": "x"}, {"x": 5}, {"x": None})),
        {"headers": {"x": "line\nbreak"}},
        {"headers": {"Content-Length": "5"}},
        *({"json": value} for value in (object(), {"a": {1, 2}}, float("nan"))),
        *({"expect_status": value} for value in ("200", None, [], 99, 600, True, [200, "x"], {200: 1})),
        *(
            {"expect": value}
            for value in ("x", [("a", "b")], {"a": "("}, {"a": None}, {"a": 5}, {"": "x"}, {"a..b": "x"})
        ),
        {"expect": {5: "x"}},
        {"expect": {"$a": "x", ".b": "x"}},
    ],
)
def test_invalid_option_is_reported(problem: FindProblem, options: dict[str, Any]) -> None:
    """The check reports the same problem with and without a run."""
    check = HTTPEndpoint(**{"url": "/things", **options})
    assert repr(check)
    found = problem(check)
    assert (found.code, found.fault) == ("invalid_declaration", Fault.CONFIG)
    assert next(check.declaration_errors()) == found


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://127.0.0.1:99999/"},
        {"url": "http://127.0.0.1:0/"},
        {"url": "///host/path"},
        {"url": "//host/path"},
        {"url": reverse_lazy("no-such-pattern")},
        {"url": "http://user:pw@127.0.0.1/", "headers": {"authorization": "Bearer x"}},
        *({"expect": {path: "x"}} for path in ("items[0].name", "$.items[0].name", "$[0]", "$a", "items.*.name", "")),
        {"expect": {"status": b"ok"}},
        {"expect": {"status": None}},
        {"method": "HEAD", "expect": {"status": "ok"}},
        {"expect_status": True},
        {"expect_status": [200, 20]},
    ],
)
def test_option_that_cannot_work_is_reported(problem: FindProblem, options: dict[str, Any]) -> None:
    found = problem(HTTPEndpoint(**{"url": "/things", **options}))
    assert (found.code, found.fault) == ("invalid_declaration", Fault.CONFIG)


@pytest.mark.parametrize(
    "options",
    [
        {"url": reverse_lazy("the-things")},
        {"expect_status": HTTPStatus.OK},
        {"expect_status": {HTTPStatus.OK, 204}},
        {"expect_status": range(200, 300)},
    ],
)
def test_every_form_of_a_valid_option_is_accepted(result: RunCheck, options: dict[str, Any]) -> None:
    assert result(HTTPEndpoint(**{"url": "/things", **options})).status is Status.HEALTHY


def test_declaration_errors_call_no_function() -> None:
    calls: list[int] = []

    def header() -> str:
        calls.append(1)
        return "key"

    check = HTTPEndpoint("/things", headers={"x-api-key": header})
    assert list(check.declaration_errors()) == []
    assert source_of(check).name == "HTTPEndpoint"
    assert calls == []


def test_repr_and_labels_show_the_url_without_secrets() -> None:
    """The user, the password and the query are left out."""
    assert repr(HTTPEndpoint("/a?b=c")) == "HTTPEndpoint('/a')"
    assert repr(HTTPEndpoint("https://u:p@example.com/a?b")) == "HTTPEndpoint('https://example.com/a')"
    assert HTTPEndpoint("/a?b=c").labels == {"check": "HTTPEndpoint", "url": "/a"}
