"""HTTPEndpoint shows no secret of a request or of a response."""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from healthguard.checks import HTTPEndpoint
from tests.support.fixture_types import FindProblem, RunCheck

pytestmark = pytest.mark.usefixtures("endpoint_urls")

SECRETS = {
    "header": "s3cret-header-value",
    "called": "s3cret-called-value",
    "body": "s3cret-in-the-body",
    "answer": "s3cret-in-the-answer",
    "user": "s3cret-user",
    "password": "s3cret-password",
    "query": "s3cret-query",
}


def with_secrets(root: str, **changes: Any) -> HTTPEndpoint:
    """Return a check that sends a secret in every part of its request."""
    url = f"{root}?token={SECRETS['query']}".replace("://", f"://{SECRETS['user']}:{SECRETS['password']}@")
    options: dict[str, Any] = {
        "method": "POST",
        "headers": {"x-api-key": SECRETS["header"], "x-other": lambda: SECRETS["called"]},
        "json": {"key": SECRETS["body"]},
        **changes,
    }
    return HTTPEndpoint(url, **options)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return the logged messages without those of the test's own server."""
    return "\n".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, None),
        ({"expect_status": 418}, "endpoint_status"),
        ({"expect": {"credentials.anthropic.api_key": "sk-.*"}}, "endpoint_mismatch"),
        ({"method": "s3cret-method"}, "invalid_declaration"),
        ({"json": {"s3cret": object()}}, "invalid_declaration"),
        ({"headers": {"s3cret header": "x"}}, "invalid_declaration"),
        ({"headers": {"x-api-key": "s3cret\n"}}, "invalid_declaration"),
        ({"headers": {"x-api-key": lambda: os.environ["S3CRET"]}}, "endpoint_header"),
        ({"expect": {"status": "s3cret("}}, "invalid_declaration"),
    ],
)
def test_no_secret_is_shown_or_logged(
    result: RunCheck,
    endpoint_url: str,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, Any],
    code: str | None,
) -> None:
    check = with_secrets(endpoint_url, **options)
    with caplog.at_level(logging.DEBUG):
        outcome = result(check)
    assert (outcome.problem.code if outcome.problem else None) == code
    everything = [repr(outcome), repr(check), str(check.labels), str(list(check.declaration_errors())), logged(caplog)]
    assert "s3cret" not in "\n".join(everything)


def test_no_secret_of_a_redirect_is_logged(
    problem: FindProblem, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    location = {"Location": "http://127.0.0.1/?token=s3cret-query", "Set-Cookie": "session=s3cret"}
    httpserver.expect_request("/old").respond_with_data("", 301, location)
    with caplog.at_level(logging.DEBUG):
        found = problem(HTTPEndpoint(httpserver.url_for("/old?token=s3cret-query")))
    assert "s3cret" not in logged(caplog) + repr(found)


def test_no_exception_contains_a_secret(endpoint_server: HTTPServer) -> None:
    """django-health-check's view logs an exception with its cause and its context."""
    for check in (
        with_secrets(endpoint_server.url_for("/things"), expect={"status": "s3"}),
        with_secrets("http://127.0.0.1:1/"),
        with_secrets(endpoint_server.url_for("/things"), headers={"x-api-key": lambda: os.environ["S3CRET"]}),
    ):
        with pytest.raises(Exception, match=r"\.") as caught:
            asyncio.run(check.run())
        text = "".join(traceback.format_exception(caught.value))
        assert "s3cret" not in text.replace('lambda: os.environ["S3CRET"]', "")
