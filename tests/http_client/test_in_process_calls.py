"""Calls of the project's own application in this process: its host, its middleware, its errors and its connections."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import override_settings

from healthguard import Service
from healthguard.checks import HTTPEndpoint
from healthguard.http.handler import Request, respond
from healthguard.http_client import MAX_BODY
from healthguard.status import Fault
from tests.support.endpoints import ASGI_APPLICATION, sent_chunks, slow_may_end
from tests.support.fixture_types import Declare, FindProblem, RunCheck

pytestmark = pytest.mark.usefixtures("endpoint_urls")


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        (["*"], "localhost"),
        ([".example.com"], "example.com"),
        (["*", "shop.example"], "shop.example"),
        (["[::1]"], r"\[::1\]"),
        ([], "localhost"),
    ],
)
def test_host_is_allowed(result: RunCheck, allowed: list[str], host: str) -> None:
    with override_settings(ALLOWED_HOSTS=allowed, DEBUG=not allowed):
        assert result(HTTPEndpoint("/echo", expect={"host": host})).problem is None


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        (["", "shop.example"], "shop.example"),
        (["shop.example:8000", "other.example"], "other.example"),
        (["bad host", ".shop.example"], "shop.example"),
        (["*"], "localhost"),
        (["[::1]"], "[::1]"),
    ],
)
def test_host_is_one_that_django_accepts(result: RunCheck, allowed: list[str], host: str) -> None:
    """Entries of ALLOWED_HOSTS that match no host are skipped."""
    with override_settings(ALLOWED_HOSTS=allowed):
        outcome = result(HTTPEndpoint("/echo", expect={"host": re.escape(host)}))
    assert outcome.problem is None


def test_declared_host_is_sent(result: RunCheck) -> None:
    with override_settings(ALLOWED_HOSTS=["a.example", "b.example"]):
        check = HTTPEndpoint("/echo", headers={"Host": "b.example"}, expect={"host": "b.example"})
        assert result(check).problem is None


def test_request_is_not_redirected_to_https(result: RunCheck, endpoint_protocol: str) -> None:
    """The request is secure if the project requires HTTPS."""
    middleware = ["django.middleware.security.SecurityMiddleware"]
    with override_settings(SECURE_SSL_REDIRECT=True, MIDDLEWARE=middleware):
        assert result(HTTPEndpoint("/echo", expect={"secure": "true"})).problem is None
        with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
            assert result(HTTPEndpoint("/echo")).problem is None


def test_request_passes_through_the_middleware(problem: FindProblem) -> None:
    with override_settings(MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"]):
        found = problem(HTTPEndpoint("/echo", "POST", json={}))
    assert (found.code, found.evidence["http_status"]) == ("endpoint_status", 403)
    assert "CSRF" in found.hint


# Errors of the application.


def test_view_that_raises_is_an_outage(problem: FindProblem, endpoint_protocol: str) -> None:
    found = problem(HTTPEndpoint("/boom"))
    assert (found.code, found.fault, found.evidence["http_status"]) == ("endpoint_status", Fault.OUTAGE, 500)
    assert "s3cret" not in repr(found)


def test_exception_that_the_application_raises_is_named(problem: FindProblem) -> None:
    with override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True):
        found = problem(HTTPEndpoint("/boom"))
    assert (found.code, found.evidence["http_status"]) == ("endpoint_status", 500)
    assert "raised RuntimeError" in found.message
    assert "s3cret" not in repr(found)


def test_response_that_breaks_off_is_a_500(problem: FindProblem) -> None:
    found = problem(HTTPEndpoint("/torn"))
    assert (found.code, found.evidence["http_status"]) == ("endpoint_status", 500)


def test_application_that_cannot_be_created_is_an_outage(problem: FindProblem) -> None:
    with override_settings(MIDDLEWARE=["no.such.Middleware"]):
        found = problem(HTTPEndpoint("/things"))
    assert (found.code, found.fault) == ("endpoint_status", Fault.OUTAGE)
    assert "raised ModuleNotFoundError" in found.message or "raised ImportError" in found.message


def test_response_with_a_non_ascii_header_is_healthy(result: RunCheck) -> None:
    assert result(HTTPEndpoint("/odd-header")).problem is None


def test_endless_response_is_not_read_to_its_end(problem: FindProblem) -> None:
    found = problem(HTTPEndpoint("/endless", expect={"a": "b"}))
    assert found.code == "endpoint_not_json"
    assert str(MAX_BODY) in found.message


@pytest.mark.parametrize(
    ("url", "code"),
    [("/huge", "endpoint_not_json"), ("/raising", "endpoint_status"), ("/torn-off", "endpoint_status")],
)
def test_asgi_application_around_django_is_called(problem: FindProblem, url: str, code: str) -> None:
    """Code around Django can respond itself. A body that is too long is not read to its end."""
    sent_chunks.clear()
    with override_settings(ASGI_APPLICATION=ASGI_APPLICATION):
        found = problem(HTTPEndpoint(url, expect={"a": "b"}))
    assert found.code == code
    assert "s3cret" not in repr(found)
    assert len(sent_chunks) * 65536 <= MAX_BODY + 2 * 65536


@pytest.fixture
def slow_view() -> Iterator[None]:
    """Let the view ``slow`` run until the test ends."""
    slow_may_end.clear()
    yield
    slow_may_end.set()


@pytest.mark.usefixtures("slow_view")
def test_view_that_takes_too_long_times_out(healthguard_settings: Declare) -> None:
    """The check reports the timeout while the view still runs, after most of the time that its service has."""
    for timeout in (10, 40, 160):
        healthguard_settings({"slow": Service(HTTPEndpoint("/slow"), timeout=timeout, ttl=0)}, DEADLINE=2 * timeout)
        with override_settings(DEBUG=True):
            started = time.monotonic()
            (check,) = json.loads(respond(Request("GET", "")).body)["slow"]["checks"]
            seconds = time.monotonic() - started
        if check["code"] != "timeout":
            break
        # The machine was so busy that a fifth of the timeout passed before the check could report anything.
    assert check["code"] == "endpoint_timeout", check
    found = re.search(r"no response within (\d+\.\d) s", check["message"])
    assert found is not None
    limit = float(found[1])
    before_call = seconds - limit
    assert 0.8 * (timeout - before_call) - 0.1 <= limit <= 0.8 * timeout + 0.1


# Database connections.


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/database", "/async"])
def test_connection_of_the_caller_stays_open(result: RunCheck, url: str, endpoint_protocol: str) -> None:
    """Django closes connections at the end of a request, but not the one that the caller has in a transaction."""
    outcome = result(HTTPEndpoint(url))
    assert outcome.problem is None
    assert connection.in_atomic_block, "the transaction of the test has ended"
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@pytest.mark.django_db
def test_request_runs_in_a_transaction_with_atomic_requests(result: RunCheck, endpoint_protocol: str) -> None:
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        assert result(HTTPEndpoint("/database", expect={"atomic": "true"})).problem is None
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
