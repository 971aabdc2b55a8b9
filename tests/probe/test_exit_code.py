"""The exit code and the output of the command, as a process that probes real servers."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from example_project.ports import free_port
from tests.support.probe_command import OK, PATIENT, RawServer, command, response, run_probe
from tests.support.sites import PATIENCE, UNMEASURED, Site, wait_until

NEVER = 100_000
"""More bytes than a server sends before any probe times out."""


def test_healthy_response_exits_with_0_and_prints_nothing() -> None:
    with RawServer(OK) as server:
        done = run_probe(server.url(), *PATIENT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("status", [101, 201, 204, 206, 301, 302, 400, 401, 404, 405, 429, 500, 502, 503, 599, 999])
def test_any_other_status_code_exits_with_1_and_one_line(status: int) -> None:
    with RawServer(response(status)) as server:
        done = run_probe(server.url(), *PATIENT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{server.url()} returned {status}")
    assert done.stderr.count("\n") == 1


def test_redirect_is_not_followed() -> None:
    with RawServer(OK) as destination:
        redirect = response(301, "", f"Location: {destination.url()}?key=value")
        with RawServer(redirect) as server:
            done = run_probe(server.url(), *PATIENT)
    assert done.returncode == 1
    assert f"a redirect to {destination.url()}, which is not followed" in done.stderr
    assert "key=value" not in done.stderr
    assert destination.requests == []


def test_refused_connection_exits_with_1() -> None:
    done = run_probe(f"http://127.0.0.1:{free_port()}/", *PATIENT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the connection failed (Connection refused). Check that the server is running" in done.stderr


def test_unknown_host_name_exits_with_1() -> None:
    done = run_probe("http://host.invalid/", *PATIENT)
    assert done.returncode == 1
    assert "the host name cannot be resolved" in done.stderr


def test_server_that_never_answers_exits_with_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = run_probe(f"http://127.0.0.1:{silent.getsockname()[1]}/", "--timeout", "0.5")
    assert done.returncode == 1
    assert "did not return a complete response within 0.5 s (waiting for the response)" in done.stderr


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30000\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["status line", "header", "body", "chunk", "until close"],
)
def test_server_that_sends_single_bytes_does_not_extend_the_timeout(start: bytes) -> None:
    """The timeout of a socket would begin again with each byte. The server counts what it could send."""
    sent = 0

    def trickle(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(start)
        while sent < NEVER:
            connection.sendall(b"H")
            sent += 1
            time.sleep(0.01)

    with RawServer(trickle) as server:
        done = run_probe(server.url(), "--timeout", "1")
    assert done.returncode == 1
    assert "did not return a complete response within 1 s" in done.stderr
    assert sent < NEVER


def test_host_name_that_is_not_resolved_does_not_extend_the_timeout() -> None:
    """A resolver cannot be interrupted. This one does not return."""
    program = (
        "import socket, sys, threading; socket.getaddrinfo = lambda *_, **__: threading.Event().wait();"
        "from healthguard.probe.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "http://example.com/", "--timeout", "0.5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "within 0.5 s (resolving the host name)" in done.stderr


@pytest.mark.usefixtures("interruptible")
def test_interrupted_probe_ends_without_a_traceback() -> None:
    """A shell reports a process that ends by SIGINT as 130."""

    def wait_for_the_end(connection: socket.socket) -> None:
        connection.recv(1)

    with RawServer(wait_for_the_end) as server:
        process = subprocess.Popen(command(server.url(), "--timeout", "3600"), stderr=subprocess.PIPE, text=True)
        wait_until(lambda: server.requests)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (-signal.SIGINT, "")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize(("answer", "code"), [(OK, 0), (response(503, "{}"), 1)], ids=["200", "503"])
def test_output_that_cannot_be_written_does_not_change_the_exit_code(
    redirection: str, answer: bytes, code: int
) -> None:
    with RawServer(answer) as server:
        program = f'exec "$@" {redirection}'
        done = subprocess.run(
            ["sh", "-c", program, "sh", *command(server.url(), "--verbose", *PATIENT)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    # The output must not reach the socket, even if its number is that of a closed stream. The Host header is ignored
    # because a port can contain 503.
    requests = [re.sub(rb"(?m)^Host: .*$", b"", request) for request in server.requests]
    assert requests
    assert all(b"503" not in request and b"healthy" not in request for request in requests)


@pytest.mark.parametrize("arguments", [["--help"], ["--nonsense"]])
def test_broken_pipe_does_not_change_the_exit_code(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command(*arguments), stdout=writer, stderr=writer, check=False)
    finally:
        os.close(writer)
    assert done.returncode == (0 if arguments == ["--help"] else 2)


def test_broken_pipe_while_the_body_is_printed_does_not_change_the_exit_code() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with RawServer(response(200, "x" * 300_000)) as server:
            done = run_probe(server.url(), "--verbose", *PATIENT, capture_output=False, stdout=writer, stderr=-1)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("options", [["-I"], ["-P", "-B"], ["-E", "-s"], ["-W", "error"], ["-X", "dev"], ["-OO"]])
def test_probe_works_with_the_options_of_python(options: list[str]) -> None:
    with RawServer(OK) as server:
        done = run_probe(server.url(), "--verbose", *PATIENT, options=options)
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"status": "healthy"}\n', "")


def test_probe_works_without_environment_variables(tmp_path: Path) -> None:
    """Neither HOME nor PATH nor LANG is needed, and nothing is written to the current folder."""
    with RawServer(response(200, "é")) as server:
        done = subprocess.run(
            command(server.url(), "--verbose", *PATIENT), cwd=tmp_path, env={}, capture_output=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout in {"é\n".encode(), b"\\xe9\n"}
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def imported() -> Callable[..., set[str]]:
    """Return the modules that a probe imports."""

    def run(*arguments: str) -> set[str]:
        done = run_probe(*arguments, *PATIENT, options=["-I", "-X", "importtime"], environment=UNMEASURED)
        return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}

    return run


SLOW = {
    *("django", "health_check", "httpx", "http", "email", "ssl", "json", "typing", "dataclasses", "inspect", "shutil"),
    # The codec for international names, which socket imports if the name is a str.
    "stringprep",
}


def test_probe_imports_no_slow_module(imported: Callable[..., set[str]]) -> None:
    """Each probe is a new process, which must start fast."""
    with RawServer(OK) as server:
        modules = imported(server.url())
    assert "healthguard.probe.exchange" in modules
    assert [name for name in modules if name.partition(".")[0] in SLOW] == []
    assert {name for name in modules if name.startswith("healthguard.")} == {
        "healthguard.probe",
        *(f"healthguard.probe.{name}" for name in ("exchange", "options", "output", "target")),
        "healthguard.runtime",
        "healthguard.runtime.version",
    }


def test_failed_probe_does_not_import_django(imported: Callable[..., set[str]]) -> None:
    with RawServer(response(503, "{}")) as server:
        modules = imported(server.url(), "--verbose")
    assert "healthguard.probe.explanation" in modules
    assert {"django", "httpx", "ssl", "http.client"}.isdisjoint(modules)


SETTINGS = """
HEALTHGUARD = {
    "SERVICES": {
        "fine": "tests.support.strange_checks.Fine",
        "keys": {"anthropic": EnvironmentVariable("PROBE_TEST_MISSING_KEY")},
        "cache": Service(EnvironmentVariable("PROBE_TEST_MISSING_CACHE"), critical=False),
    },
    "DETAILS_TOKENS": ["probe-token-0123456789"],
    "DEADLINE": 60,
}
"""


def test_probe_of_a_real_server_names_the_failing_services(site: Site, public_folder: Path) -> None:
    """The server listens on a port and on a Unix domain socket. ALLOWED_HOSTS does not contain its address."""
    unix_socket = public_folder / "probe.sock"
    site.write(SETTINGS, adaptor="middleware")
    server = site.serve("gunicorn-gthread", "--bind", f"unix:{unix_socket}")
    assert run_probe(f"http://127.0.0.1:{server.port}/api/health/live", *PATIENT).returncode == 0
    url = f"unix:{unix_socket}:/api/health/ready"
    public = run_probe(url, *PATIENT)
    assert public.returncode == 1
    assert public.stderr.startswith(f"{url} returned 503: keys/anthropic is unhealthy, cache is degraded. ")
    detailed = run_probe(url, *PATIENT, "--verbose", environment={"HEALTHGUARD_TOKEN": "probe-token-0123456789"})
    assert detailed.returncode == 1
    assert "keys/anthropic is unhealthy (variable_missing), cache is degraded (" in detailed.stderr
    assert detailed.stderr.endswith("The response contains the reasons: add --verbose.\n")
    assert '"code": "variable_missing"' in detailed.stdout
    wrong = run_probe(url, *PATIENT, environment={"HEALTHGUARD_TOKEN": "another-token-0123456789"})
    assert "The token is not one of DETAILS_TOKENS" in wrong.stderr


def test_probe_of_a_real_server_is_successful(site: Site) -> None:
    """Without the middleware, Django needs a Host that is in ALLOWED_HOSTS."""
    site.write('HEALTHGUARD = {"SERVICES": {"fine": "tests.support.strange_checks.Fine"}, "DEADLINE": 60}')
    server = site.serve("gunicorn-sync")
    url = f"http://127.0.0.1:{server.port}/api/health/ready"
    refused = run_probe(url, *PATIENT)
    assert refused.returncode == 1
    assert "returned 400. The server may not accept the Host header: set --host-header" in refused.stderr
    assert run_probe(url, *PATIENT, "--host-header", "example.com").returncode == 0
