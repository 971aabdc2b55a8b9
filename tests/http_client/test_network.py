"""Calls over the network: servers that do not respond, and responses that are not followed or not read."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from healthguard.checks import HTTPEndpoint
from healthguard.runtime.deadline import deadline_after
from healthguard.status import Fault
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.strange_checks import HANG

pytestmark = pytest.mark.usefixtures("endpoint_urls")


def test_refused_connection_is_an_outage(problem: FindProblem) -> None:
    found = problem(HTTPEndpoint("http://127.0.0.1:1/things"))
    assert (found.code, found.fault) == ("endpoint_unreachable", Fault.OUTAGE)
    assert "(ConnectionRefusedError)" in found.message


def test_unknown_host_name_is_an_outage(problem: FindProblem) -> None:
    found = problem(HTTPEndpoint("http://no-such-name.invalid/things"))
    assert (found.code, found.fault) == ("endpoint_unreachable", Fault.OUTAGE)
    assert "(no such host name)" in found.message


def test_a_redirect_is_not_followed(problem: FindProblem, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/old").respond_with_data("", 302, {"Location": httpserver.url_for("/new")})
    found = problem(HTTPEndpoint(httpserver.url_for("/old"), headers={"x-api-key": "key"}))
    assert (found.code, found.fault) == ("endpoint_status", Fault.CONFIG)
    assert [request.path for request, _ in httpserver.log] == ["/old"]
    assert "because redirects are not followed" in found.hint


@pytest.mark.parametrize("is_drip", [True, False])
def test_server_that_is_slow_or_silent_times_out(problem: FindProblem, is_drip: bool) -> None:
    """The time limit holds for the whole call, and not only for each byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                try:
                    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n" if is_drip else b"")
                    for _ in range(round(HANG * 10)):
                        time.sleep(0.1)
                        peer.sendall(b"x" if is_drip else b"")
                except OSError:
                    pass

        threading.Thread(target=serve, daemon=True).start()
        started = time.monotonic()
        with deadline_after(1):
            found = problem(HTTPEndpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
    assert time.monotonic() - started < HANG / 2
    assert (found.code, found.fault) == ("endpoint_timeout", Fault.OUTAGE)
    assert re.search(r"no response within 0\.\d s", found.message)


def test_response_that_is_not_http_is_reported(problem: FindProblem) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"s3cret-in-the-answer\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        found = problem(HTTPEndpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
    assert found.code == "endpoint_unreachable"
    assert "s3cret" not in repr(found)


def test_huge_response_is_not_read_to_its_end(problem: FindProblem, result: RunCheck, httpserver: HTTPServer) -> None:
    sent: list[int] = []

    def huge() -> Iterator[bytes]:
        for _ in range(400):
            sent.append(1)
            yield b" " * 65536

    httpserver.expect_request("/huge").respond_with_handler(lambda request: Response(huge()))
    found = problem(HTTPEndpoint(httpserver.url_for("/huge"), expect={"a": "b"}))
    assert found.code == "endpoint_not_json"
    assert len(sent) < 400
    assert result(HTTPEndpoint(httpserver.url_for("/huge"))).problem is None, "only the status is checked"


def test_log_records_of_other_calls_are_kept(
    result: RunCheck, endpoint_server: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The check suppresses only the log records of its own calls."""
    with caplog.at_level(logging.INFO):
        assert result(HTTPEndpoint(endpoint_server.url_for("/things"))).problem is None
        assert "HTTP Request" not in caplog.text
        httpx.get(endpoint_server.url_for("/things"))
        assert "HTTP Request" in caplog.text
