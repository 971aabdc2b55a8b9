"""The eighteen providers, row by row: how each is asked, what each of its answers means, where its key is found."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import os
import random
from urllib.parse import urlsplit

import pytest
from django.test import override_settings
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received
from werkzeug import Response

from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Answers, Provider, Request, Verdict
from healthguard.providers.catalog import provider_of
from healthguard.status import Fault, Status
from healthguard.version import __version__
from tests.checks.provider_answers import ANSWERS, ANYBODYS, Answer, in_a_minute
from tests.keys import forms, key_of, maker

# What a verdict is to whoever reads the check.
MEANS = {
    Verdict.REAL: (None, Status.HEALTHY, None),
    Verdict.RESTRICTED: ("key_restricted", Status.DEGRADED, Fault.CONFIG),
    Verdict.NO_FUNDS: ("key_no_funds", Status.DEGRADED, Fault.CONFIG),
    Verdict.REJECTED: ("key_rejected", Status.UNHEALTHY, Fault.CONFIG),
    Verdict.RATE_LIMITED: ("provider_rate_limited", Status.DEGRADED, Fault.OUTAGE),
    Verdict.UNKNOWN: ("provider_unclear", Status.DEGRADED, Fault.OUTAGE),
    Verdict.DOWN: ("provider_down", Status.DEGRADED, Fault.OUTAGE),
}
BEARER = ("Authorization", "Bearer {key}")
# As the providers document it: written down here once more, and not taken from the rows.
ASKED = {
    "anthropic": ("GET", "https://api.anthropic.com/v1/models", "x-api-key", "{key}"),
    "openai": ("GET", "https://api.openai.com/v1/models", *BEARER),
    "azure_openai": (
        "GET",
        "https://acme.openai.azure.com/openai/models?api-version=2024-10-21",
        "api-key",
        "{key}",
    ),
    "gemini": ("GET", "https://generativelanguage.googleapis.com/v1beta/models", "x-goog-api-key", "{key}"),
    "mistral": ("GET", "https://api.mistral.ai/v1/models", *BEARER),
    "cohere": ("POST", "https://api.cohere.com/v1/check-api-key", *BEARER),
    "groq": ("GET", "https://api.groq.com/openai/v1/models", *BEARER),
    "deepseek": ("GET", "https://api.deepseek.com/user/balance", *BEARER),
    "xai": ("GET", "https://api.x.ai/v1/api-key", *BEARER),
    "openrouter": ("GET", "https://openrouter.ai/api/v1/key", *BEARER),
    "together": ("GET", "https://api.together.xyz/v1/models", *BEARER),
    "fireworks": ("GET", "https://api.fireworks.ai/inference/v1/models", *BEARER),
    "perplexity": ("GET", "https://api.perplexity.ai/v1/async/sonar", *BEARER),
    "huggingface": ("GET", "https://huggingface.co/api/whoami-v2", *BEARER),
    "replicate": ("GET", "https://api.replicate.com/v1/account", *BEARER),
    "bedrock": ("GET", "https://bedrock.eu-west-1.amazonaws.com/foundation-models", *BEARER),
    "voyage": ("GET", "https://api.voyageai.com/v1/files", *BEARER),
    "elevenlabs": ("GET", "https://api.elevenlabs.io/v1/user", "xi-api-key", "{key}"),
}
NAMES = sorted(PROVIDERS)
CASES = [(name, answer) for name in NAMES for answer in (*ANSWERS[name], *ANYBODYS)]
PLACES = {"AZURE_OPENAI_ENDPOINT": "https://acme.openai.azure.com/", "AWS_REGION": "eu-west-1"}
GOOD = {name: next(answer for answer in ANSWERS[name] if answer.verdict is Verdict.REAL) for name in NAMES}
RNG = random.Random(os.urandom(8))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch) -> None:
    """Some hundred answers are asked for twice; that there is a moment between is another test's matter."""
    monkeypatch.setattr("healthguard.providers.verification._PAUSE_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def _bare(monkeypatch) -> None:
    """No key and no base URL of this machine's own."""
    for provider in PROVIDERS.values():
        for name in (*provider.variables, *provider.base_url_variables, *PLACES, "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


def here(provider: Provider, server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """``provider``, but on ``server``, under its own path. What it says of a random key is another test's matter."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url_for("/"))
    if provider.name == "azure_openai":
        return dataclasses.replace(provider, unknown_keys="refused")
    base_url = server.url_for(urlsplit(provider.base_url).path).rstrip("/")
    return dataclasses.replace(provider, base_url=base_url, unknown_keys="refused")


def answer_with(server: HTTPServer, answer: Answer, key: str) -> None:
    """Let ``server`` answer whatever is asked this way."""
    content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    headers = {"Content-Type": "application/json", **answer.headers}
    if headers.get("Retry-After") == "in a minute":
        headers["Retry-After"] = in_a_minute()
    if "Location" in headers:
        headers["Location"] = server.url_for("/trap")
    response = Response(content.replace(b"{key}", key.encode()), answer.status, headers)
    server.clear()
    server.expect_request(_Any()).respond_with_response(response)


def answer_only(server: HTTPServer, answer: Answer, key: str) -> None:
    """Let ``server`` answer this way about ``key``, and refuse any other."""

    def respond(request: Received) -> Response:
        is_known = any(key in line for _, line in request.headers)
        return Response(json.dumps(answer.body) if is_known else "{}", answer.status if is_known else 401)

    server.clear()
    server.expect_request(_Any()).respond_with_handler(respond)


class _Any:
    """Any path."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    __hash__ = None  # type: ignore[assignment]


def requests(server: HTTPServer) -> list[Received]:
    return [request for request, _ in server.log]


def test_there_is_an_answer_of_every_kind_for_every_provider() -> None:
    assert list(ANSWERS) == list(ASKED) == list(PROVIDERS)
    assert len(CASES) > 250
    for name in NAMES:
        verdicts = {answer.verdict for answer in (*ANSWERS[name], *ANYBODYS)}
        # Bedrock says nothing of a wrong key that it does not say of a wrong region too.
        unsaid = {Verdict.REJECTED} if name == "bedrock" else set()
        assert verdicts >= set(MEANS) - {Verdict.RESTRICTED} - unsaid, name


@pytest.mark.parametrize(("name", "answer"), CASES, ids=[f"{name}-{answer.label}" for name, answer in CASES])
def test_what_an_answer_means(result, httpserver, monkeypatch, name, answer) -> None:
    provider = PROVIDERS[name]
    key = key_of(provider, RNG)
    monkeypatch.setenv(provider.variables[0], key)
    answer_with(httpserver, answer, key)
    check = AIProviderKey(here(provider, httpserver, monkeypatch))
    told = result(check)
    code, status, fault = MEANS[answer.verdict]
    problem = told.problem
    assert (problem and problem.code, told.status, problem and problem.fault) == (code, status, fault)
    assert key not in repr(told)
    evidence = problem.evidence if problem else told.evidence
    assert (evidence["provider"], evidence["verdict"]) == (name, answer.verdict)
    asked = requests(httpserver)
    # What is not explicitly of the key counts from the second time on; a redirect is not followed.
    asks = 2 if answer.verdict is Verdict.REJECTED and answer.asks == 2 else 1
    assert len(asked) == asks
    for request in asked:
        as_documented(request, name, key)
    if answer.headers.get("Retry-After", "soon") != "soon":
        assert result(check).problem == problem
        assert len(requests(httpserver)) == asks, "it asked to be left alone"


def as_documented(request: Received, name: str, key: str) -> None:
    """The request is the one that the provider documents, and the key stands in one place."""
    method, url, header, line = ASKED[name]
    expected = urlsplit(url)
    assert (request.method, request.path, request.query_string.decode()) == (method, expected.path, expected.query)
    assert request.headers[header] == line.format(key=key)
    assert request.headers["User-Agent"] == f"healthguard/{__version__}"
    places = [request.url, request.get_data(as_text=True), *(line for _, line in request.headers)]
    assert sum(place.count(key) for place in places) == 1
    if name == "anthropic":
        assert request.headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("name", NAMES)
def test_where_it_is_asked(monkeypatch, name) -> None:
    for variable, value in PLACES.items():
        monkeypatch.setenv(variable, value)
    provider = PROVIDERS[name]
    place = provider.place()
    request = provider.request_for(key_of(provider, RNG), provider.variables[0])
    assert place.base_url.rstrip("/") + request.path == ASKED[name][1]
    assert (place.is_gateway, place.missing) == (False, ())


@pytest.mark.parametrize("name", NAMES)
def test_its_variables_in_their_order(problem, monkeypatch, name) -> None:
    provider = PROVIDERS[name]
    told = problem(AIProviderKey(name, verify=False))
    assert told.code == "key_missing"
    for variable in provider.variables:
        assert variable in told.message
        assert variable in told.evidence["variables"]
    assert provider.variables[0] in told.hint
    # From the last to the first: each one that comes in stands before those that are there.
    for variable in reversed(provider.variables):
        monkeypatch.setenv(variable, "mock")
        told = problem(AIProviderKey(name, verify=False))
        assert (told.code, told.evidence["variable"]) == ("key_placeholder", variable)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_variable(problem, monkeypatch, name) -> None:
    """It stands in the way of the next, as in the provider's own SDK; but not in Google's and Hugging Face's."""
    provider = PROVIDERS[name]
    monkeypatch.setenv(provider.variables[0], "")
    told = problem(AIProviderKey(name, verify=False))
    assert (told.code, told.evidence["variable"]) == ("key_empty", provider.variables[0])
    assert provider.skips_empty is (name in {"gemini", "huggingface"})
    if len(provider.variables) > 1:
        monkeypatch.setenv(provider.variables[-1], "mock")
        told = problem(AIProviderKey(name, verify=False))
        if provider.skips_empty:
            assert (told.code, told.evidence["variable"]) == ("key_placeholder", provider.variables[-1])
        else:
            assert (told.code, told.evidence["variable"]) == ("key_empty", provider.variables[0])


@pytest.mark.parametrize(
    ("name", "variable"), [(name, variable) for name in NAMES for variable in PROVIDERS[name].base_url_variables]
)
def test_a_variable_that_names_another_place(result, httpserver, monkeypatch, name, variable) -> None:
    """A gateway: its keys are of any form, and only its answer counts."""
    provider = PROVIDERS[name]
    monkeypatch.setenv(provider.variables[0], "virtual-key-of-a-gateway")
    answer_only(httpserver, GOOD[name], "virtual-key-of-a-gateway")
    monkeypatch.setenv(variable, httpserver.url_for("/some/gateway/"))
    assert result(AIProviderKey(name)).status is Status.HEALTHY
    paths = {request.path for request in requests(httpserver)}
    assert len(paths) == 1
    assert next(iter(paths)).startswith("/some/gateway/")
    assert "//" not in next(iter(paths))
    # Named, but the provider itself: then its forms count.
    for url in (provider.base_url, provider.base_url + "/", f" {provider.base_url}\n"):
        monkeypatch.setenv(variable, url)
        assert provider.place().base_url == url.strip()
        assert not provider.place().is_gateway
    monkeypatch.setenv(variable, "")
    assert provider.place().base_url == provider.base_url


def test_the_first_of_two_variables_for_a_place_wins(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", "https://old.example/v1")
    assert PROVIDERS["openai"].place().base_url == "https://old.example/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://new.example/v1")
    assert PROVIDERS["openai"].place().base_url == "https://new.example/v1"


@pytest.mark.parametrize(("name", "variable"), [("azure_openai", "AZURE_OPENAI_ENDPOINT"), ("bedrock", "AWS_REGION")])
def test_an_address_that_lacks_a_part(problem, monkeypatch, name, variable) -> None:
    provider = PROVIDERS[name]
    key = key_of(provider, RNG)
    monkeypatch.setenv(provider.variables[0], key)
    for value in (None, "", " "):
        if value is not None:
            monkeypatch.setenv(variable, value)
        told = problem(AIProviderKey(name))
        assert (told.code, told.fault) == ("base_url_missing", Fault.CONFIG)
        assert variable in told.message
        assert key not in repr(told)


def test_a_region_from_the_second_variable(monkeypatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert PROVIDERS["bedrock"].place().base_url == "https://bedrock.us-east-1.amazonaws.com"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert PROVIDERS["bedrock"].place().base_url == "https://bedrock.eu-west-1.amazonaws.com"


def test_an_azure_resource_that_does_not_exist(problem, monkeypatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", key_of(PROVIDERS["azure_openai"], RNG))
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "http://no-such-resource.invalid/")
    told = problem(AIProviderKey("azure_openai"))
    assert told.code == "provider_down"
    assert "no such host name" in told.message


def test_azure_says_that_key_and_endpoint_belong_together(problem, httpserver, monkeypatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", key_of(PROVIDERS["azure_openai"], RNG))
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", httpserver.url_for("/"))
    answer_with(httpserver, next(a for a in ANSWERS["azure_openai"] if a.status == 401), "")
    assert "do not belong together" in problem(AIProviderKey("azure_openai")).hint


FORMS = [form for name in NAMES for form in forms(PROVIDERS[name])]


@pytest.mark.parametrize(("form", "pattern"), FORMS, ids=[form for form, _ in FORMS])
def test_its_keys_are_taken_by_their_looks(result, monkeypatch, form, pattern) -> None:
    name = form.rpartition("-")[0]
    provider = PROVIDERS[name]
    make = maker(pattern)
    for _ in range(20):
        key = make(RNG)
        if key.startswith("bedrock-api-key-"):
            continue
        monkeypatch.setenv(provider.variables[0], key)
        told = result(AIProviderKey(name, verify=False))
        assert told.status is Status.HEALTHY, told.problem
        assert provider_of(key) in (None, provider)
        for other in (key[:-7], key + "7" * 300, key[:-1] + "!"):
            monkeypatch.setenv(provider.variables[0], other)
            told = result(AIProviderKey(name, verify=False))
            if not provider.has_format(other):
                assert (told.status, told.problem.code) == (Status.DEGRADED, "key_format")
                assert other not in repr(told)


@pytest.mark.parametrize("name", NAMES)
def test_a_key_of_another_provider(problem, monkeypatch, name) -> None:
    others = [other for other in PROVIDERS.values() if other.distinctive and other.name != name]
    assert len(others) >= 10
    for other in others:
        made = [maker(pattern)(RNG) for _, pattern in forms(other) for _ in range(20)]
        for key in [key for key in made if key.startswith(other.distinctive)][:5]:
            monkeypatch.setenv(PROVIDERS[name].variables[0], key)
            found = problem(AIProviderKey(name))
            assert (found.code, found.evidence["key_of"]) == ("key_wrong_provider", other.name)
            assert key not in repr(found)


def test_a_key_that_by_chance_begins_with_the_prefix_of_another(result, monkeypatch) -> None:
    for key in ("ABSKkRrAMQ7CsCou1Z0Ifie4NnRflKmm", "AIzakRrAMQ7CsCou1Z0Ifie4NnRflKmm"):
        monkeypatch.setenv("MISTRAL_API_KEY", key)
        assert result(AIProviderKey("mistral", verify=False)).status is Status.HEALTHY


# Keys without a prefix are random text in either form.
@pytest.mark.parametrize("name", [name for name in NAMES if PROVIDERS[name].prefixes])
def test_a_key_that_is_still_base64(problem, monkeypatch, name) -> None:
    provider = PROVIDERS[name]
    key = next(made for made in (key_of(provider, RNG) for _ in range(9)) if made.startswith(provider.prefixes))
    encoded = base64.b64encode(key.encode()).decode()
    monkeypatch.setenv(provider.variables[0], encoded)
    told = problem(AIProviderKey(name))
    assert (told.code, encoded in repr(told)) == ("key_corrupted", False)


def bedrock_short_key(signed: datetime.datetime, seconds: int) -> str:
    url = (
        "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential=ASIAQ%2F{signed:%Y%m%d}%2Feu-west-1%2Fbedrock%2Faws4_request"
        f"&X-Amz-Date={signed:%Y%m%dT%H%M%SZ}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host&X-Amz-Signature=8fJ2kQ91x"
        "&Version=1"
    )
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()


@pytest.mark.parametrize(("age", "code"), [(60, None), (13 * 3600, "key_expired")])
def test_a_short_key_of_bedrock_tells_when_it_expires(result, monkeypatch, age, code) -> None:
    signed = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    key = bedrock_short_key(signed, 12 * 3600)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    told = result(AIProviderKey("bedrock", verify=False))
    assert (told.problem and told.problem.code) == code
    if told.problem:
        assert told.status is Status.UNHEALTHY
        assert told.problem.evidence["expired_at"][:16] == (signed + datetime.timedelta(hours=12)).isoformat()[:16]
    assert key not in repr(told)


@pytest.mark.parametrize(
    "rest",
    [
        "YmVkcm9jay5hbWF6b25hd3MuY29t",
        "YmVkcm9jay5hbWF6b25hd3MuY29tLz9B!!",
        base64.b64encode(b"bedrock.amazonaws.com/?X-Amz-Date=soon&X-Amz-Expires=1").decode(),
        base64.b64encode(b"bedrock.amazonaws.com/?X-Amz-Date=20260101T000000Z&X-Amz-Expires=9" + b"9" * 40).decode(),
        base64.b64encode(b"bedrock.amazonaws.com/[?X-Amz-Date=20260101T000000Z").decode(),
    ],
)
def test_a_short_key_that_cannot_be_read_is_not_expired(monkeypatch, rest) -> None:
    assert PROVIDERS["bedrock"].expires_at("bedrock-api-key-" + rest) is None


def test_a_bedrock_key_from_a_swapped_place_is_not_still_base64(result, monkeypatch) -> None:
    """Its long keys are base64 by nature, and what they decode to begins with nothing known."""
    inner = base64.b64encode(b"BedrockAPIKey-x1y2-at-123456789012:" + b"8fJ2kQ91xZpL0vTqWm4RtYbN7hGs3dEa" * 2).decode()
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", f"ABSK{inner}")
    told = result(AIProviderKey("bedrock", verify=False))
    assert told.status is Status.HEALTHY, told.problem


def test_keys_of_mongodb_atlas_are_asked_about_there(result, httpserver, monkeypatch) -> None:
    voyage = PROVIDERS["voyage"]
    (prefix, there) = next(iter(voyage.requests_by_prefix.items()))
    assert (prefix, there.base_url, there.path) == ("al-", "https://ai.mongodb.com/v1", "/files")
    moved = dataclasses.replace(there, base_url=httpserver.url_for("/atlas"))
    provider = dataclasses.replace(here(voyage, httpserver, monkeypatch), requests_by_prefix={"al-": moved})
    answer_with(httpserver, GOOD["voyage"], "")
    for key_prefix, path in (("al-", "/atlas/files"), ("pa-", "/v1/files")):
        monkeypatch.setenv("VOYAGE_API_KEY", key_prefix + key_of(voyage, RNG)[3:])
        assert result(AIProviderKey(provider)).status is Status.HEALTHY
        assert requests(httpserver)[-1].path == path


@pytest.mark.parametrize(
    ("name", "variable", "key", "path", "headers", "body"),
    [
        (
            "anthropic",
            "ANTHROPIC_API_KEY",
            "sk-ant-admin01-{93}AA",
            "/v1/organizations/me",
            {"x-api-key": "{key}", "anthropic-version": "2023-06-01"},
            {"id": "12345678-1234", "type": "organization", "name": "Acme"},
        ),
        (
            "anthropic",
            "ANTHROPIC_API_KEY",
            "sk-ant-oat01-{93}AA",
            "/v1/models",
            {"authorization": "Bearer {key}", "anthropic-beta": "oauth-2025-04-20"},
            {"data": []},
        ),
        (
            "anthropic",
            "ANTHROPIC_AUTH_TOKEN",
            "sk-ant-api03-{93}AA",
            "/v1/models",
            {"authorization": "Bearer {key}", "anthropic-version": "2023-06-01"},
            {"data": []},
        ),
        (
            "openai",
            "OPENAI_ADMIN_KEY",
            "sk-admin-{58}T3BlbkFJ{58}",
            "/v1/organization/admin_api_keys",
            {"authorization": "Bearer {key}"},
            {"object": "list", "data": []},
        ),
    ],
)
def test_keys_of_another_kind(result, httpserver, monkeypatch, name, variable, key, path, headers, body) -> None:
    for length in (93, 58):
        key = key.replace(f"{{{length}}}", maker(rf"[\w-]{{{length}}}")(RNG))
    monkeypatch.setenv(variable, key)
    answer_with(httpserver, Answer(Verdict.REAL, 200, body), key)
    told = result(AIProviderKey(here(PROVIDERS[name], httpserver, monkeypatch)))
    assert told.status is Status.HEALTHY, told.problem
    (request,) = requests(httpserver)
    assert request.path == path
    assert {header: request.headers.get(header) for header in headers} == {
        header: line.format(key=key) for header, line in headers.items()
    }
    assert sum(line.count(key) for _, line in request.headers) == 1


# A provider of one's own, as docs/checks.md has it.


def test_a_gateway_in_a_line(result, httpserver, monkeypatch) -> None:
    gateway = Provider(
        name="gateway", variables=("GATEWAY_API_KEY",), base_url=httpserver.url_for("/v1"), is_gateway=True
    )
    monkeypatch.setenv("GATEWAY_API_KEY", "anything")
    answer_only(httpserver, Answer(Verdict.REAL, 200, {"object": "list", "data": []}), "anything")
    told = result(AIProviderKey(gateway))
    assert (told.status, told.evidence["provider"]) == (Status.HEALTHY, "gateway")
    assert requests(httpserver)[0].path == "/v1/models"
    assert requests(httpserver)[0].headers["Authorization"] == "Bearer anything"
    answer_with(httpserver, Answer(Verdict.REJECTED, 401, {"error": {"message": "no"}}), "")
    told = result(AIProviderKey(gateway))
    assert (told.status, told.problem.code) == (Status.UNHEALTHY, "key_rejected")
    assert "gateway rejects the key" in told.problem.message


@pytest.mark.parametrize(
    ("status", "error", "verdict"),
    [
        (401, {}, Verdict.REJECTED),
        (402, {}, Verdict.NO_FUNDS),
        (403, {"type": "permission_error"}, Verdict.RESTRICTED),
        (403, {"code": "missing_scope"}, Verdict.RESTRICTED),
        (403, {"type": "forbidden"}, Verdict.UNKNOWN),
        (429, {"code": "insufficient_quota"}, Verdict.NO_FUNDS),
        (429, {"code": "monthly_spend_limit"}, Verdict.NO_FUNDS),
        (429, {}, Verdict.RATE_LIMITED),
        (400, {}, Verdict.UNKNOWN),
        (500, {}, Verdict.DOWN),
    ],
)
def test_what_is_read_where_a_provider_tells_nothing_else(
    result, httpserver, monkeypatch, status, error, verdict
) -> None:
    gateway = Provider(name="gateway", variables=("GATEWAY_API_KEY",), base_url=httpserver.url_for("/v1"))
    monkeypatch.setenv("GATEWAY_API_KEY", key_of(PROVIDERS["mistral"], RNG))
    answer_with(httpserver, Answer(verdict, status, {"error": error}), "")
    assert result(AIProviderKey(gateway)).problem.evidence["verdict"] == verdict


def test_ollama_takes_any_key(result, httpserver, monkeypatch) -> None:
    ollama = Provider(
        name="ollama", variables=("OLLAMA_API_KEY",), base_url="http://{OLLAMA_HOST}/v1", unknown_keys="accepted"
    )
    monkeypatch.setenv("OLLAMA_API_KEY", "ollama")
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert result(AIProviderKey(ollama)).problem.code == "base_url_missing"
    monkeypatch.setenv("OLLAMA_HOST", f"{httpserver.host}:{httpserver.port}")
    answer_with(httpserver, Answer(Verdict.REAL, 200, {"object": "list", "data": [{"id": "llama3"}]}), "")
    assert result(AIProviderKey(ollama)).status is Status.HEALTHY


def test_a_strict_provider_of_ones_own(result, httpserver, monkeypatch) -> None:
    strict = Provider(
        name="strict",
        title="Strict AI",
        variables=("STRICT_KEY",),
        base_url=httpserver.url_for("").rstrip("/"),
        formats=(r"strict-[0-9a-f]{32}",),
        request=Request("/v1/me", {"x-api-key": "{key}"}),
        proofs=("account",),
        answers=(Answers(Verdict.NO_FUNDS, 403, "error.code", "no_credit"),),
        unknown_keys="refused",
    )
    key = maker(strict.formats[0])(RNG)
    monkeypatch.setenv("STRICT_KEY", key)
    for body, status, code in (
        ({"account": 1}, 200, None),
        ({"account": None}, 200, "provider_unclear"),
        ({"error": {"code": "no_credit"}}, 403, "key_no_funds"),
    ):
        answer_with(httpserver, Answer(Verdict.UNKNOWN, status, body), "")
        told = result(AIProviderKey(strict))
        assert (told.problem and told.problem.code) == code
        assert requests(httpserver)[-1].headers["x-api-key"] == key
    monkeypatch.setenv("STRICT_KEY", "other-form-8fJ2kQ91xZpL0vTq")
    answer_with(httpserver, Answer(Verdict.REAL, 200, {"account": 1}), "")
    told = result(AIProviderKey(strict))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "key_format")
    assert "Strict AI" in told.problem.message


# Where the key is.


@pytest.fixture
def key() -> str:
    return key_of(PROVIDERS["anthropic"], RNG)


def test_a_key_from_a_variable_of_another_name(result, monkeypatch, key) -> None:
    monkeypatch.setenv("CLAUDE_KEY", key)
    told = result(AIProviderKey("anthropic", verify=False, key="CLAUDE_KEY"))
    assert (told.status, told.evidence["variable"]) == (Status.HEALTHY, "CLAUDE_KEY")
    monkeypatch.setenv("CLAUDE_KEY", f"CLAUDE_KEY={key}")
    told = result(AIProviderKey("anthropic", verify=False, key="CLAUDE_KEY"))
    assert told.problem.code == "key_corrupted"
    assert "CLAUDE_KEY=" in told.problem.message
    assert key not in repr(told)


@pytest.mark.parametrize("path", ["CLAUDE", "AI.ANTHROPIC.KEY", "AI.PLAIN"])
def test_a_key_from_a_setting(result, path, key) -> None:
    class Ai:
        ANTHROPIC = {"KEY": key}  # noqa: RUF012
        PLAIN = key

    with override_settings(CLAUDE=key, AI=Ai):
        told = result(AIProviderKey("anthropic", verify=False, key=path))
        assert (told.status, told.evidence["source"]) == (Status.HEALTHY, f"the setting {path}")
    for value in ("", "mock"):
        with override_settings(CLAUDE=value, AI={"ANTHROPIC": {"KEY": value}, "PLAIN": value}):
            told = result(AIProviderKey("anthropic", verify=False, key=path))
            assert told.problem.code == ("key_placeholder" if value else "key_empty")
            assert f"the setting {path}" in told.problem.message
    told = result(AIProviderKey("anthropic", verify=False, key=path))
    assert told.problem.code == "key_missing"


def test_a_variable_comes_before_a_setting_of_its_name(result, monkeypatch, key) -> None:
    monkeypatch.setenv("CLAUDE", key)
    with override_settings(CLAUDE="mock"):
        assert result(AIProviderKey("anthropic", verify=False, key="CLAUDE")).status is Status.HEALTHY


def test_a_key_from_a_function(result, httpserver, monkeypatch, key) -> None:
    provider = here(PROVIDERS["anthropic"], httpserver, monkeypatch)
    answer_with(httpserver, GOOD["anthropic"], "")
    told = result(AIProviderKey(provider, key=lambda: key))
    assert (told.status, told.evidence["source"]) == (Status.HEALTHY, "the declared function")
    assert key not in repr(told)


def test_a_function_that_gives_none(result, key) -> None:
    def furious() -> str:
        raise RuntimeError(f"cannot decrypt {key}")

    for function, code in ((furious, "key_missing"), (lambda: None, "key_missing"), (lambda: "", "key_empty")):
        told = result(AIProviderKey("anthropic", verify=False, key=function))
        assert (told.status, told.problem.code) == (Status.UNHEALTHY, code)
        assert "function" in told.problem.message
        assert key not in repr(told)
    told = result(AIProviderKey("anthropic", verify=False, key=furious))
    assert "RuntimeError" in told.problem.message


@pytest.mark.parametrize(("form", "pattern"), FORMS, ids=[form for form, _ in FORMS])
@pytest.mark.parametrize("field", ["key", "provider"])
def test_a_key_in_the_place_of_its_name_is_not_told(problem, form, pattern, field) -> None:
    name = form.rpartition("-")[0]
    for _ in range(20):
        key = maker(pattern)(RNG)
        told = problem(AIProviderKey(name, key=key) if field == "key" else AIProviderKey(key))
        assert told.code == "misdeclared"
        assert key not in repr(told)
        assert key[:15] not in repr(told)


@pytest.mark.parametrize(
    "key", [7, b"ANTHROPIC_API_KEY", "", "a b", "A..B", ".A", "A." + "B" * 99, ["ANTHROPIC_API_KEY"]]
)
def test_what_is_no_name_of_a_key(problem, key) -> None:
    assert problem(AIProviderKey("anthropic", key=key)).code == "misdeclared"


@pytest.mark.parametrize("provider", [None, 7, "", "nope", ["anthropic"], Provider(name="x", base_url="http://x")])
def test_what_is_no_provider(problem, provider) -> None:
    assert problem(AIProviderKey(provider)).code == "misdeclared"
