"""The value of a key shows its format, its provider and its expiry without a request."""

from __future__ import annotations

import base64
import datetime
import random

import pytest

from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS
from healthguard.providers.catalog import provider_of
from healthguard.status import Status
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.keys import forms, key_of, maker
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("no_provider_variables", "no_pause")

NAMES = sorted(PROVIDERS)
FORMS = [form for name in NAMES for form in forms(PROVIDERS[name]) if not form[1].startswith("bedrock-api-key-")]
"""The formats of random keys. The short-lived keys of Bedrock are signed URLs, which random text is not."""
RNG = random.Random("test_inspection")


@pytest.mark.parametrize(("form", "pattern"), FORMS, ids=[form for form, _ in FORMS])
def test_keys_of_each_format_are_healthy_and_changed_ones_unusual(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, form: str, pattern: str
) -> None:
    name = form.rpartition("-")[0]
    provider = PROVIDERS[name]
    make = maker(pattern)
    for _ in range(20):
        key = make(RNG)
        monkeypatch.setenv(provider.variables[0], key)
        outcome = result(AIProviderKey(name, verify=False))
        assert outcome.status is Status.HEALTHY, outcome.problem
        assert provider_of(key) in (None, provider)
        changed = [key[:-7], key + "7" * 300, key[:-1] + "!"]
        unusual = [other for other in changed if not provider.has_format(other)]
        assert unusual
        for other in unusual:
            monkeypatch.setenv(provider.variables[0], other)
            outcome = result(AIProviderKey(name, verify=False))
            assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "key_format")
            assert other not in repr(outcome)


@pytest.mark.parametrize("name", NAMES)
def test_key_of_another_provider_is_reported(problem: FindProblem, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    others = [other for other in PROVIDERS.values() if other.unique_prefixes and other.name != name]
    assert len(others) >= 10
    for other in others:
        made = [maker(pattern)(RNG) for _, pattern in forms(other) for _ in range(20)]
        keys = [key for key in made if key.startswith(other.unique_prefixes)][:5]
        assert keys, other.name
        for key in keys:
            monkeypatch.setenv(PROVIDERS[name].variables[0], key)
            found = problem(AIProviderKey(name))
            assert (found.code, found.evidence["key_of"]) == ("key_wrong_provider", other.name)
            assert key not in repr(found)


def test_random_key_that_starts_with_the_prefix_of_another_provider_is_healthy(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("ABSKkRrAMQ7CsCou1Z0Ifie4NnRflKmm", "AIzakRrAMQ7CsCou1Z0Ifie4NnRflKmm"):
        monkeypatch.setenv("MISTRAL_API_KEY", key)
        assert result(AIProviderKey("mistral", verify=False)).status is Status.HEALTHY


# A key without a prefix is random text, encoded or not.
@pytest.mark.parametrize("name", [name for name in NAMES if PROVIDERS[name].prefixes])
def test_key_that_is_still_base64_is_corrupted(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    provider = PROVIDERS[name]
    key = next(made for made in (key_of(provider, RNG) for _ in range(9)) if made.startswith(provider.prefixes))
    encoded = base64.b64encode(key.encode()).decode()
    monkeypatch.setenv(provider.variables[0], encoded)
    found = problem(AIProviderKey(name))
    assert (found.code, encoded in repr(found)) == ("key_corrupted", False)


def bedrock_short_key(signed: datetime.datetime, seconds: int) -> str:
    """Return a short-term key of Bedrock that was signed at ``signed`` and is valid for ``seconds``."""
    url = (
        "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential=ASIAQ%2F{signed:%Y%m%d}%2Feu-west-1%2Fbedrock%2Faws4_request"
        f"&X-Amz-Date={signed:%Y%m%dT%H%M%SZ}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host&X-Amz-Signature=8fJ2kQ91x"
        "&Version=1"
    )
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()


@pytest.mark.parametrize(("age", "code"), [(60, None), (13 * 3600, "key_expired")])
def test_expired_short_term_key_of_bedrock_is_reported(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, age: int, code: str | None
) -> None:
    signed = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    key = bedrock_short_key(signed, 12 * 3600)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    outcome = result(AIProviderKey("bedrock", verify=False))
    found = outcome.problem
    assert (found and found.code) == code
    if found:
        assert outcome.status is Status.UNHEALTHY
        expired_at = str(found.evidence["expired_at"])
        assert expired_at[:16] == (signed + datetime.timedelta(hours=12)).isoformat()[:16]
    assert key not in repr(outcome)


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
def test_short_term_key_that_cannot_be_decoded_is_not_expired(rest: str) -> None:
    expires_at = PROVIDERS["bedrock"].expires_at
    assert expires_at is not None
    assert expires_at("bedrock-api-key-" + rest) is None


def test_long_term_key_of_bedrock_is_not_reported_as_base64(result: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long-term key is base64 of a text that starts with no known prefix."""
    inner = base64.b64encode(b"BedrockAPIKey-x1y2-at-123456789012:" + b"8fJ2kQ91xZpL0vTqWm4RtYbN7hGs3dEa" * 2).decode()
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", f"ABSK{inner}")
    outcome = result(AIProviderKey("bedrock", verify=False))
    assert outcome.status is Status.HEALTHY, outcome.problem
