"""The processes of a fleet share one verification of a key through a cache of Django."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import signing
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from pytest_httpserver import HTTPServer
from werkzeug import Response

from healthguard.checks import AIProviderKey
from healthguard.providers import Verdict
from healthguard.providers.entries import _salt, read_entry
from healthguard.providers.routed_key import RoutedKey
from healthguard.providers.verdict_cache import _cache
from healthguard.providers.verification import Verification
from healthguard.runtime.cache_age import max_cache_age
from healthguard.runtime.deadline import deadline_after
from healthguard.status import CheckResult, Status
from tests.support.claude import CLAUDE, NO_MODELS, run_cached
from tests.support.results import problem_of


@pytest.fixture
def fleet_cache(settings: Any) -> Iterator[BaseCache]:
    """The cache that the fleet shares."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend}, "fleet": {"BACKEND": backend, "LOCATION": "fleet"}}
    yield caches["fleet"]
    caches["fleet"].clear()


def run_in_another_process(check: AIProviderKey) -> CheckResult:
    """Run a check as another process of the fleet does, which has not cached a verdict."""
    _cache.clear()
    return run_cached(check)


def verification_id() -> str:
    """Return the ID of the verification of the key in the environment."""
    return RoutedKey(CLAUDE, os.environ["ANTHROPIC_API_KEY"], CLAUDE.resolve_endpoint(), None).verification_id


def expire_claim(cache: LocMemCache) -> None:
    """Let as much time pass for the cache as its claim lasts. The other entries expire only if they are due too."""
    ends: dict[str, float] = cache._expire_info  # type: ignore[attr-defined]
    (claim,) = (name for name in ends if name.endswith(":claim"))
    seconds = ends[claim] - time.time()
    for name in ends:
        ends[name] -= seconds


def test_expired_entry_does_not_hide_a_revoked_key(claude_server: HTTPServer, fleet_cache: LocMemCache) -> None:
    """An entry is not used after its ttl, even while one process waits for a response and the others wait for it."""
    has_second = threading.Event()
    may_reject = threading.Event()

    def respond(request: object) -> Response:
        if len(claude_server.log) == 0:
            return Response('{"data": []}', 200)
        has_second.set()
        assert may_reject.wait(60)
        return Response('{"error": {"type": "authentication_error"}}', 401)

    claude_server.expect_request("/v1/models").respond_with_handler(respond)
    check = AIProviderKey(CLAUDE, share="fleet", ttl=3600)
    outcomes: list[CheckResult] = []

    def run() -> None:
        with deadline_after(600):
            outcomes.append(run_cached(check))

    run()
    expire_claim(fleet_cache)
    _cache.clear()
    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert has_second.wait(60)
    # The other processes read the cache meanwhile. If the machine is so busy that they do so later, nothing fails.
    time.sleep(0.5)
    may_reject.set()
    for thread in threads:
        thread.join()
    found = [outcome.problem and outcome.problem.code for outcome in outcomes]
    assert found == [None, *["key_rejected"] * 3]
    assert len(claude_server.log) == 2


@pytest.mark.usefixtures("fleet_cache")
def test_fleet_sends_no_request_before_retry_after(claude_server: HTTPServer) -> None:
    claude_server.expect_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": "60"})
    check = AIProviderKey(CLAUDE, share="fleet", ttl=1)
    for _ in range(4):
        assert problem_of(run_in_another_process(check)).code == "provider_rate_limited"
        time.sleep(0.4)
    assert len(claude_server.log) == 1


def pause_in(entry: object) -> tuple[Verification, float]:
    """Return the verification in an entry, and the time for which the entry is valid (seconds)."""
    name = verification_id()
    stored = read_entry(name, entry, 3600)
    assert stored is not None
    return stored[0], signing.loads(str(entry), salt=_salt(name))["hold"]


def test_fresh_request_does_not_extend_the_pause_of_the_fleet(
    claude_server: HTTPServer, fleet_cache: BaseCache
) -> None:
    claude_server.expect_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": "1000"})
    check = AIProviderKey(CLAUDE, share="fleet", ttl=1)
    entries = []
    for _ in range(2):
        with max_cache_age(0):
            assert problem_of(run_cached(check)).code == "provider_rate_limited"
        entries.append(pause_in(fleet_cache.get(f"healthguard:key:{verification_id()}")))
        time.sleep(1.1)
    (first, first_seconds), (second, second_seconds) = entries
    assert first == second
    assert second_seconds < first_seconds <= 1000


@pytest.mark.usefixtures("fleet_cache")
def test_another_process_names_the_same_pause(claude_server: HTTPServer) -> None:
    claude_server.expect_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": "1000"})
    check = AIProviderKey(CLAUDE, share="fleet", ttl=1)
    first, second = (problem_of(run_in_another_process(check)) for _ in range(2))
    assert "paused_until" in first.evidence
    assert (second, len(claude_server.log)) == (first, 1)


@pytest.mark.usefixtures("fleet_cache")
def test_fleet_sends_one_request_to_a_slow_provider(claude_server: HTTPServer) -> None:
    def respond(request: object) -> Response:
        time.sleep(2)
        return Response('{"data": []}')

    claude_server.expect_request("/v1/models").respond_with_handler(respond)
    outcomes: list[CheckResult] = []

    def run() -> None:
        # A process waits for another one for a part of its deadline, which must be far longer than the response takes.
        with deadline_after(60):
            outcomes.append(run_cached(AIProviderKey(CLAUDE, share="fleet")))

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
        _cache.clear()
    for thread in threads:
        thread.join()
    assert [outcome.status for outcome in outcomes] == [Status.HEALTHY] * 6
    assert len(claude_server.log) == 1


@pytest.mark.usefixtures("fleet_cache")
def test_time_of_the_last_verification_is_shared(claude_server: HTTPServer) -> None:
    claude_server.expect_ordered_request("/v1/models").respond_with_json(NO_MODELS)
    claude_server.expect_ordered_request("/v1/models").respond_with_data("", 500)
    check = AIProviderKey(CLAUDE, share="fleet")
    assert run_cached(check).status is Status.HEALTHY
    # A run that must not use cached values sends a request within the ttl, and stores the verification for the fleet.
    with max_cache_age(0):
        assert "last_verified_at" in problem_of(run_cached(check)).evidence
    assert "last_verified_at" in problem_of(run_in_another_process(check)).evidence
    assert len(claude_server.log) == 2


class RaisesOnAccess:
    """An entry that raises when a field is read."""

    def __getitem__(self, name: str) -> object:
        raise AttributeError(name)


@pytest.mark.parametrize(
    "change",
    [
        {"last_verified_at": 1e20},
        {"last_verified_at": float("inf")},
        {"last_verified_at": 10**400},
        {"last_verified_at": "soon"},
        {"last_verified_at": time.time() + 400 * 86400},
        {"reason": "x" * 80_000},
        {"reason": 5},
        {"host": None},
        {"http_status": "200"},
        {"verdict": "splendid"},
        {"verdict": ["valid"]},
        None,
        "valid",
        b"valid",
        [],
        RaisesOnAccess(),
    ],
)
def test_invalid_entry_is_ignored(claude_server: HTTPServer, fleet_cache: BaseCache, change: Any) -> None:
    """Other programs may write into the cache. The check sends its own request and is not unhealthy."""
    claude_server.expect_request("/v1/models").respond_with_data("", 500)
    name = verification_id()
    entry = dataclasses.asdict(Verification(Verdict.VALID, "HTTP 200", "there", 200)) | {"last_verified_at": None}
    fleet_cache.set(f"healthguard:key:{name}", entry | change if isinstance(change, dict) else change)
    # The entry is read while another process seems to send the request.
    fleet_cache.set(f"healthguard:key:{name}:claim", 1, timeout=1)
    outcome = run_in_another_process(AIProviderKey(CLAUDE, share="fleet"))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "provider_down")
    assert "last_verified_at" not in problem_of(outcome).evidence
    assert len(claude_server.log) == 1


@pytest.mark.usefixtures("fleet_cache")
def test_broken_cache_is_reported_in_the_evidence(claude_server: HTTPServer, settings: Any) -> None:
    claude_server.expect_request("/v1/models").respond_with_json(NO_MODELS)
    assert run_cached(AIProviderKey(CLAUDE, share="fleet")).evidence["shared"] is True
    settings.CACHES = {**settings.CACHES, "fleet": {"BACKEND": "tests.providers.test_shared_cache.BrokenCache"}}
    outcome = run_in_another_process(AIProviderKey(CLAUDE, share="fleet"))
    assert (outcome.status, outcome.evidence["shared"]) == (Status.HEALTHY, False)


class BrokenCache(LocMemCache):
    """A cache whose ``add()`` raises SystemExit."""

    def __init__(self, *args: object) -> None:
        super().__init__("broken", {})

    def add(self, *args: object, **options: object) -> bool:
        raise SystemExit("s3cret")


def test_entry_expires_with_the_verification_that_it_contains(
    claude_server: HTTPServer, fleet_cache: BaseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that gets the claim may store its cached verdict, which is valid only for the rest of the ttl."""
    claude_server.expect_ordered_request("/v1/models").respond_with_json(NO_MODELS)
    claude_server.expect_ordered_request("/v1/models").respond_with_data("", 402)
    check = AIProviderKey(CLAUDE, share="fleet", ttl=300)
    assert run_cached(check).status is Status.HEALTHY
    fleet_cache.clear()
    # The clocks are set forward, because a test that sleeps would depend on the speed of the machine.
    _cache.state_of(verification_id()).started_at -= 200
    assert run_cached(check).status is Status.HEALTHY, "the verdict that this process has cached"
    assert len(claude_server.log) == 1
    # The entry is valid for the rest of the ttl.
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 101)
    assert problem_of(run_in_another_process(check)).code == "key_no_funds"
