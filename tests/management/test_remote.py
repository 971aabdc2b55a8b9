"""``manage.py healthguard check --url``: the report of a running instance, and the ways in which it can be missing."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from example_project.ports import free_port
from tests.management.conftest import Command, Done, Project

TOKEN = "Vq3zN8rT5wXb7Yc2KdLm9Pf4"
MIXED = '{"good": Passes(), "bad": Fails(), "group": {"loose": Warns(), "fine": [Passes(), Passes()]}}'


@pytest.fixture
def answered(command: Command) -> Command:
    """The command of a project whose services do not matter."""
    return command.declare('{"local": Passes()}')


def check(command: Command, httpserver: HTTPServer, body: bytes, status: int = 200, **headers: str) -> Done:
    """Return the end of the command when an instance answers with this body."""
    httpserver.expect_request("/api/health").respond_with_data(body, status, headers)
    return command.check("--url", httpserver.url_for("/api/health"))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


def without_ages(document: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without the ages of its results, which grow from one request to the next."""
    return {
        name: without_ages(value) if isinstance(value, dict) else value
        for name, value in document.items()
        if name != "age_seconds"
    }


def test_report_of_a_running_instance_equals_its_own(project: Project) -> None:
    services = '{"good": Service(Passes(), ttl=3600), "group": {"bad": Service(Fails(), ttl=3600)}}'
    project.declare(services, more='ALLOWED_HOSTS = ["*"]', DETAILS_TOKENS=[TOKEN])
    server = project.site.serve()
    expected = server.settled(headers={"Authorization": f"Bearer {TOKEN}"}).json
    url = f"http://127.0.0.1:{server.port}/api/health"
    done = project.check("--url", url, "--format", "json", HEALTHGUARD_TOKEN=TOKEN)
    assert done.code == 1
    assert without_ages(done.json) == without_ages(expected)
    assert TOKEN not in done.out + done.err


def test_without_a_token_the_statuses_are_shown(project: Project, command: Command) -> None:
    project.declare(MIXED, more='ALLOWED_HOSTS = ["*"]', DETAILS_TOKENS=[TOKEN])
    server = project.site.serve()
    server.settled(headers={"Authorization": f"Bearer {TOKEN}"})
    url = f"http://127.0.0.1:{server.port}/api/health"
    done = command.check("--url", url)
    assert done.code == 1
    assert "UNHEALTHY bad" in done.out
    assert "The plug is out." not in done.out
    assert command.check("good", "group", "--url", url).code == 0
    assert command.check("--exclude", "bad", "--url", url, "--strict").code == 1
    unknown = command.check("goood", "--url", url)
    assert unknown.code == 2
    assert "Did you mean 'good'?" in unknown.err


def test_token_may_be_in_another_variable(answered: Command, httpserver: HTTPServer) -> None:
    received: list[str] = []

    def respond(request: Request) -> Response:
        received.append(request.headers.get("Authorization", ""))
        return Response('{"status": "healthy"}')

    httpserver.expect_request("/api/health").respond_with_handler(respond)
    url = httpserver.url_for("/api/health")
    assert answered.check("--url", url, "--token-env", "OTHER", OTHER=TOKEN).code == 0
    assert received == [f"Bearer {TOKEN}"]


def test_service_that_the_answer_does_not_list_ends_with_2(answered: Command, httpserver: HTTPServer) -> None:
    """Nothing shows that the service is healthy."""
    httpserver.expect_request("/api/health").respond_with_json({"status": "healthy"})
    done = answered.check("database", "--url", httpserver.url_for("/api/health"))
    assert (done.code, done.out) == (2, "")
    assert "lists no services" in done.err


def test_name_lookup_that_hangs_ends_at_the_deadline(project: Project) -> None:
    """It would hang for a day."""
    lookup = "import socket, time; socket.getaddrinfo = lambda *arguments, **options: time.sleep(100_000)"
    project.declare('{"local": Passes()}', more=lookup)
    done = project.check("--url", "http://app.example/api/health", "--deadline", "1", NO_PROXY="*")
    assert done.code == 1
    assert "no response within 1.0 s" in done.out


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_proxy_that_has_no_instance_yet_is_waited_for(answered: Command, httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_ordered_request("/api/health").respond_with_data("<html>", status)
    httpserver.expect_ordered_request("/api/health").respond_with_json({"status": "healthy"})
    assert answered.check("--url", httpserver.url_for("/api/health"), "--wait", "600").code == 0


def test_redirect_is_not_followed(answered: Command, httpserver: HTTPServer) -> None:
    """The token must not be sent to another host."""
    elsewhere = httpserver.url_for("/elsewhere")
    httpserver.expect_request("/elsewhere").respond_with_data('{"status": "healthy"}')
    done = check(answered, httpserver, b"", 302, Location=elsewhere)
    assert done.code == 1
    assert "HTTP status 302" in done.out
    assert [request.path for request, _ in httpserver.log] == ["/api/health"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"<html>OK</html>", 200, "it is not JSON"),
        (b'{"status": "ok"}', 200, "a status in it is missing or unknown"),
        (b'{"status": "healthy"}', 503, "The HTTP status is 503, but the status in the answer is healthy."),
        (b'{"status": "unhealthy"}', 200, "The HTTP status is 200, but the status in the answer is unhealthy."),
        (b'{"error": "not authorized", "hint": ""}', 401, "Set HEALTHGUARD_TOKEN to one of the tokens"),
        (b'{"error": "no such service", "hint": ""}', 404, "Check the path of the URL"),
        (b"Bad Gateway", 502, "HTTP status 502"),
        (b"x" * 2_000_000, 200, "longer than 1 MB"),
    ],
)
def test_answer_that_is_no_report_is_unhealthy(
    answered: Command, httpserver: HTTPServer, body: bytes, status: int, text: str
) -> None:
    done = check(answered, httpserver, body, status)
    assert done.code == 1
    assert text in done.out


def test_instance_that_does_not_answer_is_unhealthy(answered: Command) -> None:
    done = answered.check("--url", f"http://127.0.0.1:{free_port()}/api/health", "--format", "json")
    assert done.code == 1
    (result,) = done.json["healthguard"]["checks"]
    assert (result["code"], result["fault"]) == ("endpoint_unreachable", "outage")


def test_instance_that_starts_later_is_waited_for(answered: Command, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/api/health").respond_with_data("", 502)
    httpserver.expect_ordered_request("/api/health").respond_with_json({"status": "unhealthy"}, 503)
    httpserver.expect_ordered_request("/api/health").respond_with_json({"status": "healthy"})
    assert answered.check("--url", httpserver.url_for("/api/health"), "--wait", "600", "--wait-for-config").code == 0


def test_token_with_control_characters_is_not_shown(answered: Command, httpserver: HTTPServer) -> None:
    done = answered.check("--url", httpserver.url_for("/api/health"), HEALTHGUARD_TOKEN=f"{TOKEN}\nHost: x")
    assert done.code == 2
    assert TOKEN not in done.err + done.out


@pytest.mark.parametrize("option", ["--token-env", "--token", "--tok"])
def test_token_in_place_of_its_variable_is_not_shown(answered: Command, httpserver: HTTPServer, option: str) -> None:
    """It has the form of the name of a variable."""
    token = "a8Kd92_kfjQ0pLmZx7Yt3Vb6Nc1RwSe4Uo5IiHgDfTz"
    httpserver.expect_request("/api/health").respond_with_data("", 401)
    done = answered.check("--url", httpserver.url_for("/api/health"), option, token)
    assert done.code == (1 if option == "--token-env" else 2)
    assert token not in done.err + done.out
    assert token not in answered.run("monitor", "--once", "--notify", token).err


def test_certificate_of_a_private_authority_is_trusted_if_it_is_named(answered: Command, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with HTTPServer(ssl_context=context) as server:
        server.expect_request("/api/health").respond_with_data(json.dumps({"status": "healthy"}))
        url = server.url_for("/api/health").replace("localhost", "127.0.0.1")
        untrusted = answered.check("--url", url)
        trusted = answered.check("--url", url, "--ca-file", str(tmp_path / "ca.pem"))
    assert (untrusted.code, trusted.code) == (1, 0)
    assert "--ca-file" in untrusted.out


def test_command_can_be_called_where_an_event_loop_runs(answered: Command, httpserver: HTTPServer) -> None:
    async def call() -> Done:
        return check(answered, httpserver, b'{"status": "healthy"}')

    assert asyncio.run(call()).code == 0
