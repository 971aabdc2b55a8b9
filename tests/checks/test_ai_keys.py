"""AI keys: every way in which one can be wrong, against a server that answers as the providers do."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import logging
import pathlib
import threading
import time
import tracemalloc
import zlib

import pytest
from django.contrib.auth.models import Group
from django.test import override_settings
from django.utils.translation import gettext_lazy
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from example_project.deployment import anthropic_key, openai_key
from healthguard.calling.network import certificates
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS
from healthguard.status import Fault, Status
from tests.keys import MOCKS

KEYS = {"anthropic": anthropic_key(), "openai": openai_key()}
VARIABLES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
BASES = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}
PATHS = {"anthropic": "/v1/models", "openai": "/models"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY", *BASES.values()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(params=["anthropic", "openai"])
def name(request, monkeypatch) -> str:
    monkeypatch.setenv(VARIABLES[request.param], KEYS[request.param])
    return request.param


@pytest.fixture
def answering(httpserver: HTTPServer, monkeypatch, name):
    """Let the provider answer every request this way; but a 200 is for the key alone, and others are refused."""

    def answer(status: int, body: object = b"", headers: dict[str, str] | None = None) -> HTTPServer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        def respond(request: Request) -> Response:
            # A user in the URL is sent in the place of a Bearer token.
            is_user = name == "openai" and request.authorization is not None and request.authorization.type == "basic"
            is_known = status != 200 or is_user or any(KEYS[name] in line for _, line in request.headers)
            lines = {"Content-Type": "application/json", **(headers or {})}
            return Response(content, status, lines) if is_known else Response("{}", 401)

        httpserver.expect_request(PATHS[name]).respond_with_handler(respond)
        monkeypatch.setenv(BASES[name], httpserver.url_for("").rstrip("/"))
        return httpserver

    return answer


def test_a_real_key_is_silent_and_tells_its_fingerprint(result, name, provider) -> None:
    provider.keys = set(KEYS.values())
    told = result(AIProviderKey(name))
    assert told.status is Status.HEALTHY, told.problem
    assert told.evidence["verdict"] == "real"
    assert len(str(told.evidence["fingerprint"])) == 8
    assert KEYS[name] not in repr(told)


def test_a_key_that_is_not_mounted(problem, name, monkeypatch) -> None:
    monkeypatch.delenv(VARIABLES[name])
    told = problem(AIProviderKey(name))
    assert (told.code, told.fault) == ("key_missing", Fault.CONFIG)
    assert VARIABLES[name] in told.message


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "key_empty"),
        ("mock-anthropic-key", "key_placeholder"),
        ("sk-ant-mock-key", "key_placeholder"),
        ("your-api-key", "key_placeholder"),
        ("sk-xxxxxxxxxxxxxxxx", "key_placeholder"),
        ("{key}\n", "key_corrupted"),
        ('"{key}"', "key_corrupted"),
        ("Bearer {key}", "key_corrupted"),
        ("$(KEY)", "key_corrupted"),
        ("{base64}", "key_corrupted"),
        ("{other}", "key_wrong_provider"),
    ],
)
def test_a_key_that_cannot_be_one_is_told_without_asking(problem, name, monkeypatch, value, code) -> None:
    """No provider is there to be asked: it must be told from the value alone."""
    other = next(key for owner, key in KEYS.items() if owner != name)
    key = KEYS[name]
    encoded = base64.b64encode(key.encode()).decode()
    monkeypatch.setenv(
        VARIABLES[name], value.replace("{key}", key).replace("{base64}", encoded).replace("{other}", other)
    )
    told = problem(AIProviderKey(name))
    assert (told.code, told.fault) == (code, Fault.CONFIG)
    assert key not in repr(told)
    assert other not in repr(told)


def test_a_rejected_key(problem, name, provider) -> None:
    told = problem(AIProviderKey(name))
    assert (told.code, told.fault) == ("key_rejected", Fault.CONFIG)
    assert "HTTP 401" in told.message
    assert provider.asked == 1, "an explicit answer needs no second one"


def test_a_mock_behind_a_gateway_is_called_a_mock(result, name, provider, monkeypatch) -> None:
    """A gateway gives out keys of any form, so that only its rejection tells; then the looks explain it."""
    monkeypatch.setenv(VARIABLES[name], "mock-key")
    assert result(AIProviderKey(name)).problem.code == "key_placeholder"
    provider.keys = {"mock-key"}
    assert result(AIProviderKey(name)).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("500", "provider_down"),
        ("429", "provider_rate_limited"),
        ("garbage", "provider_unclear"),
        ("redirect", "provider_unclear"),
        ("no-funds", "key_no_funds"),
    ],
)
def test_a_provider_in_trouble_is_only_degraded(result, name, provider, mode, code) -> None:
    provider.keys = set(KEYS.values())
    provider.mode = mode
    told = result(AIProviderKey(name))
    assert told.status is Status.DEGRADED
    assert told.problem.code == code
    assert provider.asked == 1, "a redirect is not followed"


def test_a_provider_that_says_nothing(result, name, provider, monkeypatch) -> None:
    from healthguard.deadline import ending_in

    provider.mode = "silent"
    with ending_in(1):
        told = result(AIProviderKey(name))
    assert told.status is Status.DEGRADED
    assert (told.problem.code, told.problem.fault) == ("provider_down", Fault.OUTAGE)
    assert "no answer in 0.8 s" in told.problem.message


def test_a_provider_that_is_not_there(result, name, monkeypatch) -> None:
    monkeypatch.setenv(BASES[name], "http://127.0.0.1:1")
    told = result(AIProviderKey(name))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "provider_down")


@pytest.mark.parametrize("url", ["not a url", "ftp://127.0.0.1/", "http://", "${ANTHROPIC}", "http://u:pw@[bad"])
def test_a_base_url_that_is_none(result, name, monkeypatch, url) -> None:
    monkeypatch.setenv(BASES[name], url)
    told = result(AIProviderKey(name))
    assert (told.status, told.problem.code) == (Status.UNHEALTHY, "base_url_invalid")


OPENAI_CASES = [
    (401, {"error": {"code": "invalid_api_key", "message": "Incorrect API key"}}, "key_rejected"),
    (
        401,
        {"error": {"message": "You have insufficient permissions. Missing scopes: api.model.read"}},
        "key_restricted",
    ),
    (401, {"error": {"code": "incorrect_hostname", "message": "use eu"}}, "key_restricted"),
    (401, {"error": {"message": "You must be a member of an organization to use the API"}}, "key_restricted"),
    (401, {"error": {"message": "something new"}}, "provider_unclear"),
    (401, b"<html>", "provider_unclear"),
    (403, {"error": {"code": "unsupported_country_region_territory"}}, "provider_unclear"),
    (403, b"error code: 1010", "provider_unclear"),
    (429, {"error": {"code": "insufficient_quota"}}, "key_no_funds"),
    (429, {"error": {"code": "credit_balance_exhausted"}}, "key_no_funds"),
    (429, {"error": {"code": "project_spend_limit_exceeded"}}, "key_no_funds"),
    (429, {"error": {"code": "rate_limit_exceeded"}}, "provider_rate_limited"),
    (400, {"error": {"message": "bad request"}}, "provider_unclear"),
    (404, {"error": {"message": "no such path"}}, "provider_unclear"),
    (503, b"", "provider_down"),
    (200, {"models": []}, "provider_unclear"),
    (200, {"data": "no list"}, "provider_unclear"),
    (200, [], "provider_unclear"),
    (204, b"", "provider_unclear"),
    (301, b"", "provider_unclear"),
    (200, b"[" * 100_000, "provider_unclear"),
]
ANTHROPIC_CASES = [
    (401, {"error": {"type": "authentication_error", "message": "invalid x-api-key"}}, "key_rejected"),
    (401, b"", "key_rejected"),
    (400, {"error": {"type": "invalid_request_error", "message": "anything"}}, "provider_unclear"),
    (400, {"error": {"message": "Your credit balance is too low to access the API"}}, "key_no_funds"),
    (400, {"error": {"message": "This organization has been disabled."}}, "key_restricted"),
    (402, {"error": {"type": "billing_error"}}, "key_no_funds"),
    (403, {"error": {"type": "permission_error"}}, "key_restricted"),
    (403, b"<html>edge</html>", "provider_unclear"),
    (429, {"error": {"type": "rate_limit_error"}}, "provider_rate_limited"),
    (529, {"error": {"type": "overloaded_error"}}, "provider_down"),
    (302, b"", "provider_unclear"),
]


@pytest.mark.parametrize(
    ("name", "status", "body", "code"),
    [*(("openai", *case) for case in OPENAI_CASES), *(("anthropic", *case) for case in ANTHROPIC_CASES)],
    indirect=["name"],
)
def test_every_answer_is_read_as_the_provider_means_it(result, answering, name, status, body, code) -> None:
    url = answering(status, body).url_for("").rstrip("/")
    told = result(AIProviderKey(dataclasses.replace(PROVIDERS[name], base_url=url)))
    assert told.problem is not None
    assert told.problem.code == code
    assert told.status is (Status.UNHEALTHY if code == "key_rejected" else Status.DEGRADED)


@pytest.mark.parametrize("body", [{"error": {"type": "auth_error", "code": "401"}}, {"detail": "Unauthorized"}, b"no"])
def test_a_gateways_401_is_no_habit_of_the_providers(result, answering, name, body) -> None:
    """OpenAI's own says nothing of the key where it does not say so explicitly. LiteLLM's is asked for again."""
    server = answering(401, body)
    told = result(AIProviderKey(name))
    assert (told.status, told.problem.code) == (Status.UNHEALTHY, "key_rejected")
    assert len(server.log) == 2


@pytest.mark.parametrize("name", ["anthropic"], indirect=True)
def test_one_unclear_401_is_asked_again(result, httpserver, monkeypatch, name) -> None:
    monkeypatch.setenv(BASES[name], httpserver.url_for("").rstrip("/"))
    httpserver.expect_ordered_request(PATHS[name]).respond_with_data(b"", 401)
    httpserver.expect_ordered_request(PATHS[name]).respond_with_json({"data": []})
    began = time.monotonic()
    assert result(AIProviderKey(name)).status is Status.HEALTHY
    assert time.monotonic() - began > 0.5, "a provider's trouble of a moment is over then"


def test_how_it_asks(result, answering, name) -> None:
    server = answering(200, {"data": []})
    assert result(AIProviderKey(name)).status is Status.HEALTHY
    (request, _), (sample, _) = server.log
    assert KEYS[name] not in str(sample.headers)
    assert request.method == "GET"
    assert request.headers["user-agent"].startswith("healthguard/")
    if name == "anthropic":
        assert request.headers["x-api-key"] == KEYS[name]
        assert request.headers["anthropic-version"] == "2023-06-01"
    else:
        assert request.headers["authorization"] == f"Bearer {KEYS[name]}"


@pytest.mark.parametrize("name", ["anthropic"], indirect=True)
def test_a_key_of_another_kind_is_asked_about_in_its_own_way(result, httpserver, monkeypatch, name) -> None:
    monkeypatch.setenv(BASES[name], httpserver.url_for("").rstrip("/"))
    admin = KEYS[name].replace("api03", "admin01")
    httpserver.expect_request("/v1/organizations/me", headers={"x-api-key": admin}).respond_with_json({"id": "org"})
    httpserver.expect_request("/v1/organizations/me").respond_with_data("{}", 401)
    monkeypatch.setenv("ANTHROPIC_API_KEY", admin)
    assert result(AIProviderKey(name)).status is Status.HEALTHY
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "gateway-token-8fJ2kQ91xZpL0vTqWm4Rt")
    bearer = {"authorization": "Bearer gateway-token-8fJ2kQ91xZpL0vTqWm4Rt"}
    httpserver.expect_request("/v1/models", headers=bearer).respond_with_json({"data": []})
    httpserver.expect_request("/v1/models").respond_with_data("{}", 401)
    assert result(AIProviderKey(name)).status is Status.HEALTHY


def test_a_redirect_never_gets_the_key(result, answering, name) -> None:
    trap = HTTPServer()
    trap.start()
    try:
        trap.expect_request("/").respond_with_json({"data": []})
        answering(307, b"", {"Location": trap.url_for("/")})
        assert result(AIProviderKey(name)).status is Status.DEGRADED
        assert trap.log == []
    finally:
        trap.stop()


def test_an_endless_answer_is_cut(result, httpserver, monkeypatch, name) -> None:
    sent = []

    def endless() -> object:
        for _ in range(200):
            sent.append(1)
            yield b"x" * 65536

    httpserver.expect_request(PATHS[name]).respond_with_handler(lambda request: Response(endless()))
    monkeypatch.setenv(BASES[name], httpserver.url_for("").rstrip("/"))
    told = result(AIProviderKey(name))
    assert told.problem.code == "provider_unclear"
    assert "too long" in told.problem.message
    assert len(sent) < 200


def test_credentials_in_the_base_url_stay_out_of_the_log(result, answering, name, monkeypatch, caplog) -> None:
    server = answering(200, {"data": []})
    monkeypatch.setenv(BASES[name], f"http://gate:k33per-pass@127.0.0.1:{server.port}")
    with caplog.at_level(logging.DEBUG):
        told = result(AIProviderKey(name))
    # Where the key is a Bearer token, the user is sent in its place.
    assert told.status is (Status.HEALTHY if name == "anthropic" else Status.DEGRADED)
    assert "k33per-pass" not in caplog.text + repr(told)
    assert KEYS[name] not in caplog.text
    (request, _), *_ = server.log
    assert request.authorization.password == "k33per-pass"


def test_an_unusual_form_is_only_degraded(result, name, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLES[name], KEYS[name][:-9])
    told = result(AIProviderKey(name, verify=False))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "key_format")


def test_without_verification_nobody_is_asked(result, name, provider) -> None:
    assert result(AIProviderKey(name, verify=False)).status is Status.HEALTHY
    assert provider.asked == 0


def test_an_unknown_provider_is_told_with_the_one_that_was_meant(problem) -> None:
    told = problem(AIProviderKey("antropic"))
    assert told.code == "misdeclared"
    assert "anthropic" in told.hint


def test_a_key_in_the_place_of_the_provider_is_not_told(problem) -> None:
    for key in KEYS.values():
        assert key not in repr(problem(AIProviderKey(key)))


def test_the_fingerprint_with_any_secret_key(result, name, provider) -> None:
    provider.keys = set(KEYS.values())
    for secret in ("", b"bytes" * 20, "undecodable-\udcff" * 8):
        with override_settings(SECRET_KEY=secret):
            assert result(AIProviderKey(name)).status is Status.HEALTHY


def test_its_repr_holds_no_key(name) -> None:
    assert KEYS[name] not in repr(AIProviderKey(name))


# Answers that are hard to read.


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": {"message": "ip " * 300_000}}, "provider_unclear"),
        (429, {"error": {"code": "credit" * 150_000}}, "provider_rate_limited"),
        (401, b'{"error":' + b"[" * 1200 + b"]" * 1200 + b"}", "provider_unclear"),
        (200, b'{"data":' * 300 + b"[]" + b"}" * 300, "provider_unclear"),
    ],
)
@pytest.mark.parametrize("name", ["openai"], indirect=True)
def test_an_answer_does_not_stop_the_process(result, answering, name, status, body, code) -> None:
    """A regular expression keeps all threads from running, and no timeout ends it."""
    itself = dataclasses.replace(PROVIDERS[name], base_url=answering(status, body).url_for("").rstrip("/"))
    pauses: list[float] = []
    ended = threading.Event()

    def tick() -> None:
        last = time.monotonic()
        while not ended.wait(0.01):
            pauses.append(time.monotonic() - last)
            last = time.monotonic()
        pauses.append(time.monotonic() - last)

    ticker = threading.Thread(target=tick)
    ticker.start()
    told = result(AIProviderKey(itself))
    ended.set()
    ticker.join()
    assert (told.status, told.problem.code) == (Status.DEGRADED, code)
    # The expression would take minutes, or for ever.
    assert max(pauses) < 20


@pytest.mark.parametrize(
    ("encoding", "fold"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
@pytest.mark.parametrize("name", ["openai"], indirect=True)
def test_a_server_that_compresses_though_it_is_asked_not_to(result, answering, name, encoding, fold) -> None:
    server = answering(200, fold(b'{"data": []}'), {"Content-Encoding": encoding})
    assert result(AIProviderKey(name)).status is Status.HEALTHY
    server.clear()
    answering(401, fold(b'{"error": {"code": "invalid_api_key"}}'), {"Content-Encoding": encoding})
    assert result(AIProviderKey(name)).problem.code == "key_rejected"


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"[" * 50_000_000),
        gzip.compress(gzip.compress(b"0" * 100_000_000)),
        b"not compressed at all",
        gzip.compress(b'{"data": []}')[:-12],
        b"",
    ],
    ids=["much", "twice", "plain", "cut", "empty"],
)
@pytest.mark.parametrize("name", ["openai"], indirect=True)
def test_what_unfolds_to_too_much_or_to_nothing_tells_nothing(result, answering, name, body) -> None:
    answering(200, body, {"Content-Encoding": "gzip, gzip" if body[:2] == b"" else "gzip"})
    tracemalloc.start()
    try:
        assert result(AIProviderKey(name)).problem.code == "provider_unclear"
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


# The environment's own faults.


@pytest.mark.parametrize(
    ("variable", "value", "tells"),
    [
        ("HTTP_PROXY", "ftp://proxy.invalid", "HTTP_PROXY"),
        ("HTTP_PROXY", "http://proxy:bad", "HTTP_PROXY"),
        ("HTTP_PROXY", "http://no-such-proxy.invalid:3128", "no such host name, by way of the environment's proxy"),
        ("HTTP_PROXY", "http://127.0.0.1:1", "ConnectionRefusedError, by way of the environment's proxy"),
        ("HTTP_PROXY", "http://127.0.0.1:99999", "by way of the environment's proxy"),
        ("SSL_CERT_FILE", "/no/such/file", "SSL_CERT_FILE"),
        ("SSL_CERT_FILE", "/dev/null", "SSL_CERT_FILE"),
    ],
)
@pytest.mark.parametrize("name", ["openai"], indirect=True)
def test_what_the_environment_says_of_networks_is_named(result, answering, monkeypatch, name, variable, value, tells):
    answering(200, {"data": []})
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv(variable, value)
    certificates.cache_clear()
    told = result(AIProviderKey(name))
    certificates.cache_clear()
    assert (told.status, told.problem.code) == (Status.DEGRADED, "provider_down")
    assert tells in told.problem.message


@pytest.mark.parametrize("port", [99999, 65536])
def test_a_port_that_is_none(result, monkeypatch, name, port) -> None:
    monkeypatch.setenv(BASES[name], f"http://127.0.0.1:{port}")
    assert result(AIProviderKey(name)).problem.code == "base_url_invalid"


# Where the key is, and what stands there.


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (KEYS["anthropic"].encode, None),
        (lambda: gettext_lazy(KEYS["anthropic"]), None),
        (lambda: [KEYS["anthropic"]], "key_not_text"),
        (lambda: 12345, "key_not_text"),
        (lambda: False, "key_not_text"),
        (lambda: pathlib.Path(KEYS["anthropic"]), "key_not_text"),
        (lambda: b"\xff" + KEYS["anthropic"].encode(), "key_corrupted"),
        (lambda: "\ud800" + KEYS["anthropic"], "key_corrupted"),
        (lambda: None, "key_missing"),
        (lambda: "", "key_empty"),
        (lambda: 1 / 0, "key_missing"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_what_a_function_gives(result, given, code, is_async) -> None:
    async def later() -> object:
        return given()

    told = result(AIProviderKey("anthropic", key=later if is_async else given, verify=False))
    assert (told.problem and told.problem.code) == code
    assert KEYS["anthropic"] not in repr(told)


@pytest.mark.parametrize("value", [[KEYS["anthropic"]], 5, lambda: KEYS["anthropic"], {"key": KEYS["anthropic"]}])
def test_a_setting_that_is_no_text(result, value) -> None:
    with override_settings(OUR_KEY=value):
        told = result(AIProviderKey("anthropic", key="OUR_KEY", verify=False)).problem
    assert (told.code, told.fault) == ("key_not_text", Fault.CONFIG)
    assert KEYS["anthropic"] not in repr(told)


@pytest.mark.django_db
@pytest.mark.parametrize("is_async", [False, True])
def test_a_key_that_stands_in_the_database(result, is_async) -> None:
    """A function may ask it: it is called where that is allowed, on the connections of the run."""
    Group.objects.create(name=KEYS["anthropic"])

    async def found_later() -> str:
        return (await Group.objects.aget()).name

    def found() -> str:
        return Group.objects.get().name

    check = AIProviderKey("anthropic", key=found_later if is_async else found, verify=False)
    assert result(check).status is Status.HEALTHY


@pytest.mark.parametrize("has_gateway", [False, True])
def test_an_emptied_variable_where_a_gateway_takes_another(result, monkeypatch, provider, has_gateway) -> None:
    """Gateways have their users empty ANTHROPIC_API_KEY, lest the SDK send it beside the token."""
    provider.keys = {"token-of-the-gateway"}
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-the-gateway")
    if not has_gateway:
        monkeypatch.delenv("ANTHROPIC_BASE_URL")
    told = result(AIProviderKey("anthropic", verify=has_gateway))
    assert (told.problem and told.problem.code) == (None if has_gateway else "key_empty")


@pytest.mark.parametrize("key", ["changeme", "ollama", "mock-anthropic-key"])
def test_keys_of_a_gateway_that_is_not_asked_are_of_any_form(result, name, monkeypatch, key) -> None:
    monkeypatch.setenv(BASES[name], "http://llm.internal")
    monkeypatch.setenv(VARIABLES[name], key)
    assert result(AIProviderKey(name, verify=False)).status is Status.HEALTHY


# Mocks that are long, or made with chance.


@pytest.mark.parametrize("mock", MOCKS)
def test_a_mock_is_a_mock_where_nobody_says_otherwise(result, httpserver, monkeypatch, mock) -> None:
    """A word alone is no proof; with a form that no key has, it is enough, until the provider takes the key."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", mock)
    assert result(AIProviderKey("anthropic", verify=False)).problem.code == "key_placeholder"
    itself = dataclasses.replace(PROVIDERS["anthropic"], base_url=httpserver.url_for("").rstrip("/"))
    for status, body, codes in (
        (200, {"data": []}, {"key_format", "key_placeholder"}),
        (500, {}, {"key_placeholder"}),
        (401, {"error": {"type": "authentication_error"}}, {"key_placeholder"}),
    ):
        httpserver.clear()
        httpserver.expect_request("/v1/models").respond_with_json(body, status)
        assert result(AIProviderKey(itself)).problem.code in codes


def test_a_new_form_with_a_word_in_it_is_no_mock_once_the_provider_takes_it(result, httpserver, monkeypatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-sample07-8fJ2kQ91xZpL0vTq8fJ2kQ91xZpL0vTq")
    itself = dataclasses.replace(
        PROVIDERS["anthropic"], base_url=httpserver.url_for("").rstrip("/"), unknown_keys="refused"
    )
    httpserver.expect_request("/v1/models").respond_with_json({"data": []})
    told = result(AIProviderKey(itself))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "key_format")
