"""The request that a command line means, and the command lines that are rejected."""

from __future__ import annotations

import pytest

from healthguard.probe.__main__ import main
from healthguard.probe.target import UsageError, parse_target
from tests.support.probe_command import OK, PATIENT, RawServer, response, run_probe

TOKEN = "s3cret-token-0123456789"


@pytest.mark.parametrize(
    ("url", "address", "path", "host"),
    [
        ("http://app", ("app", 80), "/", "app"),
        ("https://app/", ("app", 443), "/", "app"),
        ("HTTP://App:/x", ("app", 80), "/x", "app"),
        ("http://app_1:8000/api/health?fresh=1", ("app_1", 8000), "/api/health?fresh=1", "app_1:8000"),
        ("http://app/?", ("app", 80), "/", "app"),
        ("http://app?a=b", ("app", 80), "/?a=b", "app"),
        ("http://app/x#fragment", ("app", 80), "/x", "app"),
        ("http://app//x//", ("app", 80), "//x//", "app"),
        ("http://app/a:b@c;d,e=f/%2F%zz", ("app", 80), "/a:b@c;d,e=f/%2F%zz", "app"),
        ("http://app/größe?ü=“", ("app", 80), "/gr%C3%B6%C3%9Fe?%C3%BC=%E2%80%9C", "app"),
        ('http://app/"<>\\^`{|}', ("app", 80), "/%22%3C%3E%5C%5E%60%7B%7C%7D", "app"),
        ("http://app/\udcff\u202e\x85", ("app", 80), "/%FF%E2%80%AE%C2%85", "app"),
        ("http://bücher.example/", ("xn--bcher-kva.example", 80), "/", "xn--bcher-kva.example"),
        ("http://[::1]:8000/", ("::1", 8000), "/", "[::1]:8000"),
        ("http://[FE80::1%25eth0]/", ("fe80::1%eth0", 80), "/", "[fe80::1]"),
        ("unix:/run/app.sock:/ready", "/run/app.sock", "/ready", "localhost"),
        ("UNIX:/run/a:b.sock:/?next=unix:/x:/y", "/run/a:b.sock", "/?next=unix:/x:/y", "localhost"),
        ("unix:app.sock:/é#fragment", "app.sock", "/%C3%A9", "localhost"),
        ("unix:@app:/ready", "\0app", "/ready", "localhost"),
    ],
)
def test_url_is_understood(url: str, address: object, path: str, host: str) -> None:
    target = parse_target(url)
    assert (target.address, target.path, target.host) == (address, path, host)


@pytest.mark.parametrize(
    ("given", "sent", "server_name"),
    [
        ("example.com", "example.com", "example.com"),
        ("Example.com:8443", "example.com:8443", "example.com"),
        ("bücher.example", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("[::1]:80", "[::1]:80", "::1"),
    ],
)
def test_host_header_replaces_that_of_the_url(given: str, sent: str, server_name: str) -> None:
    target = parse_target("https://127.0.0.1:8000/", given)
    assert (target.address, target.host, target.server_name) == (("127.0.0.1", 8000), sent, server_name)


USAGE = [
    ([], "The following arguments are required: URL."),
    (["http://app/", "http://app/"], "an unknown option, or more than one URL."),
    (["http://app/", "--insecure"], "an unknown option, or more than one URL."),
    (["http://app/", "--verb"], "an unknown option, or more than one URL."),
    (["http://app/", "--timeout=-inf"], "Argument --timeout: use a number of seconds above 0, at most 3600."),
    (["http://app/", "--timeout"], "Argument --timeout: expected one argument."),
    *(
        (["http://app/", "--timeout", text], "Argument --timeout: use a number of seconds above 0, at most 3600.")
        for text in ["0", "-1", "nan", "inf", "1e400", "1e-400", "soon", "1s", "", "3601", "0x1", "٠"]
    ),
    *(
        ([url], "The URL must begin with http://, https:// or unix:.")
        for url in ["", "app", "localhost:8000/", "//app/", "/run/app.sock", "ftp://app/", "file:///etc/passwd", "::1"]
    ),
    *(
        ([url], "The URL has an invalid host or port.")
        for url in [
            *(
                "http:",
                "http://",
                "http:///x",
                "http://:80/",
                "http:app",
                "http:\\\\app",
                "http://a,b/",
                "http://a%0d/",
            ),
            *(
                "http://app:0/",
                "http://app:65536/",
                "http://app:x/",
                "http://app:-1/",
                "http://app:٣/",
                "http://app:1:2/",
            ),
            *("http://a[::1]/", "http://[::1]x/", "http://[::1]x:80/", "http://::1/", "http://a\u3002\u3002b/"),
            *("http://a\u200bb\\c/", "http://\udcff/", "http://[::1%25a%20b]/"),
            *("http://[::1", "http://::1]/", "http://[x]/", "http://app\u2100/"),
        ]
    ),
    *(
        ([url], "The URL contains a space or a control character. Write %20 for a space.")
        for url in [
            *("http://app/a b", "http://app/ --verbose", " http://app/", "http://app/\n", "http://app/\r\nX: y"),
            *("http://app\t/", "http://app/\x7f", "http://app/\x00", "unix:/run/a.sock:/\r\nX: y", "unix:/a b:/"),
        ]
    ),
    *(
        ([url], "The URL must contain a socket and a path, as in unix:/run/app.sock:/api/health/ready.")
        for url in ["unix:", "unix:/run/app.sock", "unix::/x", "unix:/run/app.sock:", "unix:/run/app.sock:x"]
    ),
    *(
        (["http://app/", "--host-header", host], "--host-header has an invalid host or port.")
        for host in ["", " ", "a b", "a\r\nX: y", "a\nb", "a/b", "a?b", "a#b", "a:b", "a,b", "a\x00", ":80", "http://a"]
    ),
    (["http://app/", "--ca-file", "ca.pem"], "--ca-file needs a URL that begins with https://."),
    (["unix:a:/", "--ca-file", "ca.pem"], "--ca-file needs a URL that begins with https://."),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=repr)
def test_invalid_command_line_exits_with_2(
    arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert message in errors
    assert errors.endswith(" See: python -m healthguard.probe --help\n")
    assert errors.count("\n") == 1


def test_usage_error_of_the_process_has_no_traceback() -> None:
    done = run_probe("app")
    expected = "The URL must begin with http://, https:// or unix:. See: python -m healthguard.probe --help\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


@pytest.mark.parametrize(
    "arguments",
    [
        [f"http://user:{TOKEN}@app/"],
        [f"https://{TOKEN}@app/"],
        [f"http://user:{TOKEN}\\@app/"],
        [f"http://app/ {TOKEN}"],
        [f"http:user:{TOKEN}@app/"],
        [f"{TOKEN}@app/"],
        ["http://app/", "--host-header", f"user:{TOKEN}@app"],
        ["http://app/", "--token", TOKEN],
        ["http://app/", f"--token={TOKEN}"],
        ["--token", TOKEN, "http://app/"],
        ["http://app/", TOKEN],
        ["http://app/", f"-t{TOKEN}"],
        ["http://app/", "--timeout", TOKEN],
        ["http://app/", "--verbose=" + TOKEN],
        ["http://app/", "--header", f"Authorization: Bearer {TOKEN}"],
    ],
)
def test_secret_of_a_wrong_command_line_is_not_printed(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    output, errors = capfd.readouterr()
    assert TOKEN not in output + errors


@pytest.mark.parametrize("url", ["http://user@app/", "http://user:password@app/", "https://@app/"])
def test_user_of_a_url_is_rejected_with_the_reason(url: str) -> None:
    with pytest.raises(UsageError, match="contains a user name or a password. Remove it: other users can see"):
        parse_target(url)


def test_help_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = run_probe("--help")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert max(map(len, lines)) <= 80
    assert "  python -m healthguard.probe unix:/run/app.sock:/api/health/live" in lines


def authorization(server: RawServer) -> list[bytes]:
    """Return the Authorization headers of the first request."""
    return [line for line in server.requests[0].split(b"\r\n") if line.lower().startswith(b"authorization")]


def test_token_of_the_environment_is_sent() -> None:
    with RawServer(OK) as server:
        done = run_probe(server.url(), *PATIENT, environment={"HEALTHGUARD_TOKEN": TOKEN})
    assert done.returncode == 0
    assert authorization(server) == [f"Authorization: Bearer {TOKEN}".encode()]


def test_token_of_another_variable_is_sent() -> None:
    with RawServer(OK) as server:
        environment = {"HEALTHGUARD_TOKEN": "other", "MONITOR_TOKEN": TOKEN}
        done = run_probe(server.url(), *PATIENT, "--token-env", "MONITOR_TOKEN", environment=environment)
    assert done.returncode == 0
    assert authorization(server) == [f"Authorization: Bearer {TOKEN}".encode()]


@pytest.mark.parametrize("environment", [{}, {"HEALTHGUARD_TOKEN": ""}], ids=["not set", "empty"])
def test_no_token_is_sent_without_the_variable(environment: dict[str, str]) -> None:
    with RawServer(OK) as server:
        done = run_probe(server.url(), *PATIENT, environment=environment)
    assert (done.returncode, authorization(server)) == (0, [])


@pytest.mark.parametrize("name", ["PROBE_TEST_UNSET", "PROBE_TEST_EMPTY", TOKEN, "", "A=B", "A\nB"])
def test_named_variable_without_a_token_exits_with_1(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The name is not printed, because it may be a token by mistake."""
    monkeypatch.setenv("PROBE_TEST_EMPTY", "")
    monkeypatch.delenv("HEALTHGUARD_TOKEN", raising=False)
    assert main(["http://127.0.0.1:1/", "--token-env", name]) == 1
    expected = "The variable that --token-env names is not set or empty. Set it to a token.\n"
    assert capfd.readouterr() == ("", expected)


@pytest.mark.parametrize("added", ["\n", "\r\nX: y", " ", "\t", "\x1b", "é", "\x7f", "\udcff"])
def test_token_that_cannot_be_sent_is_reported_but_not_printed(
    added: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEALTHGUARD_TOKEN", f"{TOKEN}{added}")
    with RawServer(OK) as server:
        assert main([server.url(), *PATIENT]) == 1
    _, errors = capfd.readouterr()
    assert "The token in HEALTHGUARD_TOKEN contains a line break, a space or another character" in errors
    assert TOKEN not in errors
    assert server.requests == []


def test_token_that_the_server_returns_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error page may contain the headers of the request."""
    monkeypatch.setenv("HEALTHGUARD_TOKEN", TOKEN)
    for answer in (
        response(500, f"Authorization: Bearer {TOKEN}"),
        response(302, TOKEN, f"Location: /login/{TOKEN}"),
        response(503, f'{{"status": "x", "services": {{"{"x" * 900}{TOKEN}": "{TOKEN}"}}}}'),
    ):
        with RawServer(answer) as server:
            assert main([server.url(), "--verbose", *PATIENT]) == 1
        output, errors = capfd.readouterr()
        assert "[token]" in output
        assert TOKEN[:8] not in output + errors
