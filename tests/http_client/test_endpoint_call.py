"""The request of an endpoint call: method, body, path and headers."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from pytest_httpserver import HTTPServer

from healthguard import __version__
from healthguard.checks import HTTPEndpoint
from healthguard.http_client import Headers
from healthguard.runtime.deadline import deadline_after
from healthguard.status import Fault, Status
from tests.support.fixture_types import FindProblem, RunCheck

pytestmark = pytest.mark.usefixtures("endpoint_urls")


def test_request_in_process_has_the_declared_parts(result: RunCheck, endpoint_protocol: str) -> None:
    check = HTTPEndpoint(
        "/echo?q=1",
        "POST",
        headers={"x-api-key": lambda: "key"},
        json={"providers": ["anthropic"]},
        expect={
            "method": "POST",
            "host": "testserver",
            "secure": "false",
            "agent": f"healthguard/{__version__}",
            "type": "application/json",
            "key": "key",
            "query": "1",
            "body": r'\{"providers": \["anthropic"\]\}',
            "path": "/echo",
        },
    )
    assert result(check).problem is None


def test_request_over_the_network_has_the_declared_parts(result: RunCheck, endpoint_server: HTTPServer) -> None:
    url = endpoint_server.url_for("/things?q=1").replace("://", "://us%40er:pa%3Ass@")
    headers: Headers = {"X-Api-Key": lambda: "key", "user-agent": "mine"}
    assert result(HTTPEndpoint(url, "PUT", headers=headers, json=[])).problem is None
    (request, _), *rest = endpoint_server.log
    assert not rest
    assert (request.method, request.query_string, request.get_data()) == ("PUT", b"q=1", b"[]")
    assert (request.headers["x-api-key"], request.headers["user-agent"]) == ("key", "mine")
    authorization: Any = request.authorization
    assert (authorization.username, authorization.password) == ("us@er", "pa:ss")


def test_request_without_json_has_no_body(result: RunCheck) -> None:
    expect = {"body": "", "method": "GET"}
    assert result(HTTPEndpoint("/echo", expect=expect)).problem is None


def test_path_with_non_ascii_characters_is_called(result: RunCheck, endpoint_protocol: str) -> None:
    for url in ("/things/grün", "/things/gr%C3%BCn"):
        assert result(HTTPEndpoint(url, expect={"path": "/things/grün"})).problem is None


# Headers.


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (lambda: os.environ["HEALTHGUARD_NO_SUCH"], "(KeyError)"),
        (lambda: None, "is not a string"),
        (lambda: "s3cret\n", "line break"),
        (lambda: "s3cret\r\nX-More: 1", "line break"),
        (lambda: "s3crét", "ASCII"),
    ],
)
def test_header_without_a_usable_value_is_reported(
    problem: FindProblem, endpoint_url: str, value: Callable[[], str], why: str
) -> None:
    found = problem(HTTPEndpoint(endpoint_url, headers={"x-api-key": value}))
    assert (found.code, found.fault) == ("endpoint_header", Fault.CONFIG)
    assert why in found.message
    assert "x-api-key" in found.message
    assert "s3cr" not in repr(found)


@pytest.mark.parametrize("password", ["$(MONITOR_PASSWORD)", "changeme", "", "s3cr3t%0A"])
def test_unusable_password_in_the_url_is_not_sent(
    problem: FindProblem, endpoint_server: HTTPServer, password: str
) -> None:
    """An endpoint that ignores the password would respond as expected."""
    url = endpoint_server.url_for("/things").replace("://", f"://monitor:{password}@")
    found = problem(HTTPEndpoint(url))
    assert (found.code, found.fault) == ("endpoint_secret", Fault.CONFIG)
    assert "contains a password that" in found.message
    assert "s3cr3t" not in repr(found)
    assert endpoint_server.log == []


def test_unusable_token_in_the_query_is_reported(problem: FindProblem) -> None:
    assert problem(HTTPEndpoint("/things?token=$(TOKEN)")).code == "endpoint_secret"


def test_unusable_key_in_the_body_is_reported(problem: FindProblem) -> None:
    found = problem(HTTPEndpoint("/echo", "POST", json={"auth": [{"api_key": "$(API_KEY)"}]}))
    assert found.code == "endpoint_secret"
    assert "The declared json for POST /echo contains a value of api_key that" in found.message


def test_wrong_password_that_must_be_rejected_is_sent(problem: FindProblem) -> None:
    """The endpoint accepts it, which the check reports."""
    check = HTTPEndpoint("/echo", "POST", json={"password": ""}, expect_status=[401, 403])
    assert problem(check).code == "endpoint_status"


@pytest.mark.django_db
@pytest.mark.parametrize("is_async", [False, True])
def test_header_function_may_query_the_database(result: RunCheck, is_async: bool) -> None:
    Group.objects.create(name="k3y")

    async def query_async() -> str:
        return (await Group.objects.aget()).name

    def query() -> str:
        return Group.objects.get().name

    headers: Headers = {"x-api-key": query_async if is_async else query}
    assert result(HTTPEndpoint("/echo", headers=headers, expect={"key": "k3y"})).status is Status.HEALTHY


def test_header_function_that_takes_too_long_is_reported(problem: FindProblem) -> None:
    def slow_value() -> str:
        time.sleep(4)
        return "x"

    with deadline_after(1):
        found = problem(HTTPEndpoint("/things", headers={"x-api-key": slow_value}))
    assert found.code == "endpoint_header"
    assert re.search(r"could not be obtained within 0\.\d s", found.message)
