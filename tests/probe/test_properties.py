"""The exit code and the output of the command for any URL and any bytes of a server."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthguard.probe.__main__ import main
from tests.support.amounts import some_of
from tests.support.probe_command import PATIENT, RawServer

TOKEN = "s3cret-token-0123456789"
EACH = settings(max_examples=some_of(1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

HEADS = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 503 No\r\n",
    b"HTTP/1.1 100 Go\r\n",
    b"HTTP/1.0 ",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
]
HEADERS = [b"Transfer-Encoding: chunked\r\n", b"Content-Length: ", b"Location: http://", b"WWW-Authenticate: ", b": "]
SIZES = [b"0", b"5", b"ffffffffffffffff", b";", b", ", b" ", b"\0"]
JSON = [b'{"status": "unhealthy", "services": {"a": ', b'"unhealthy"', b'{"b": ', b"}", b"[", b'"checks": [{"code": ']
TEXTS = [TOKEN.encode(), b"\x1b[2J", b"\xff", "\u202e".encode()]
PIECES = st.sampled_from([*HEADS, *HEADERS, *SIZES, *JSON, *TEXTS])
ANSWERS = st.lists(PIECES | st.binary(max_size=20), max_size=20).map(b"".join)
HOSTS = st.sampled_from(
    ["127.0.0.1:1", "[::1]:1", "", "a..b", "@", ":", "[", "]", "%", "x" * 70, "ü", "\u3002", ".", "-"]
)
URLS = st.text(max_size=30) | st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["http:", "https:", "unix:", "http://", "https://", "unix://", "unix:@", "ftp://"]),
        HOSTS | st.text(max_size=10),
        st.text(max_size=10) | st.sampled_from([":/", "/", "?", "#", ":0", ":65535", ":65536"]),
        st.text(max_size=10),
    ),
)


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """The token that each probe sends."""
    monkeypatch.setenv("HEALTHGUARD_TOKEN", TOKEN)
    return TOKEN


def is_safe_to_show(text: str) -> bool:
    """Return True if the lines of ``text`` contain only printable characters and blanks, such as a no-break space."""
    return all(
        character.isprintable() or unicodedata.category(character) == "Zs" for character in text.replace("\n", "")
    )


@EACH
@given(answer=ANSWERS)
def test_any_bytes_of_a_server_are_healthy_or_unhealthy(
    answer: bytes, token: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with RawServer(answer) as server:
        code = main([server.url(), "--verbose", *PATIENT])
    output, errors = capfd.readouterr()
    assert code in {0, 1}
    assert (code == 0) == (errors == "")
    assert errors.count("\n") == code
    assert token not in output + errors
    assert is_safe_to_show(output + errors)
    assert "The probe raised" not in errors
    assert "the request raised" not in errors


@EACH
@given(url=URLS)
def test_any_url_is_unhealthy_or_rejected(url: str, token: str, capfd: pytest.CaptureFixture[str]) -> None:
    """No server listens on port 1, and none on a socket with such a name."""
    try:
        code = main([url, *PATIENT])
    except SystemExit as request:
        # "-h" asks for help.
        code = int(str(request.code))
        assert url.startswith("-")
    output, errors = capfd.readouterr()
    assert code in {0, 1, 2}
    assert code != 0 or url.startswith("-")
    assert errors.count("\n") == bool(code)
    assert token not in output + errors
    assert is_safe_to_show(errors)
    assert "The probe raised" not in errors
