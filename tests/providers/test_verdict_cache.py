"""A process sends one request at a time for a key, none before its time, and reports the last verification."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import email.utils
import os
import secrets
import threading
import time
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client, RequestFactory
from health_check.views import HealthCheckView
from pytest_httpserver import HTTPServer
from werkzeug import Response

from example_project.deployment import anthropic_key
from healthguard import Service
from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.conf import settings
from healthguard.probes.once import RepeatedReport
from healthguard.providers import Verdict, VerificationRequest
from healthguard.providers.routed_key import RoutedKey
from healthguard.providers.verdict_cache import _cache, coalesce_verifications
from healthguard.providers.verification import Verification
from healthguard.runner.execution import result_of
from healthguard.runtime.cache_age import TTL_JITTER, max_cache_age
from healthguard.runtime.deadline import deadline_after
from healthguard.service import declaration_errors, resolve_service, source_of
from healthguard.status import CheckResult, Status
from tests.support.claude import CLAUDE, NO_MODELS, run_cached
from tests.support.fixture_types import Declare, RunCheck
from tests.support.results import problem_of
from tests.support.sites import wait_until

TOKEN = secrets.token_urlsafe(32)


def test_key_is_verified_once_for_all_probes_and_services(
    claude_server: HTTPServer, client: Client, healthguard_settings: Declare
) -> None:
    """django-health-check's own view runs its checks for every request, and several services may need one key."""
    claude_server.expect_request("/v1/models").respond_with_json(NO_MODELS)
    view = HealthCheckView.as_view(checks=[(AIProviderKey, {"provider": CLAUDE})])
    for _ in range(5):
        response = async_to_sync(view)(RequestFactory().get("/", headers={"accept": "application/json"}))
        assert response.status_code == 200
    assert len(claude_server.log) == 1
    services = {"chat": AIProviderKey(CLAUDE), "search": AIProviderKey(CLAUDE)}
    healthguard_settings(services, DEADLINE=30)
    assert client.get("/api/health").status_code == 200
    assert len(claude_server.log) == 1
    assert run_cached(AIProviderKey(CLAUDE, ttl=0)).status is Status.HEALTHY
    assert len(claude_server.log) == 2, "a request is sent after the ttl"


@pytest.mark.parametrize("declared", ["check", "service"])
def test_key_is_verified_once_per_ttl(claude_server: HTTPServer, healthguard_settings: Declare, declared: str) -> None:
    claude_server.expect_request("/v1/models").respond_with_json(NO_MODELS)
    check = AIProviderKey(CLAUDE, ttl=1) if declared == "check" else AIProviderKey(CLAUDE)
    healthguard_settings({"chat": Service(check, ttl=1 if declared == "service" else None)}, INLINE=False)
    began = time.monotonic()
    while len(claude_server.log) < 4:
        assert Client().get("/api/health").status_code == 200
        assert time.monotonic() - began < 60
        time.sleep(0.02)
    # The verdict was cached three times, for a second minus the jitter.
    assert time.monotonic() - began >= 3 * (1 - TTL_JITTER)
    assert len(claude_server.log) == 4


def test_rounds_of_the_monitor_use_the_cached_verdict(claude_server: HTTPServer, healthguard_settings: Declare) -> None:
    """The service runs in each round, but the provider gets only the requests of the first one."""
    claude_server.expect_request("/v1/models").respond_with_json(NO_MODELS)
    healthguard_settings({"chat": AIProviderKey(CLAUDE)}, INLINE=False)
    repeated = RepeatedReport(settings.tree())
    first = repeated.report()
    requests = len(claude_server.log)
    second = repeated.report()
    assert requests
    assert len(claude_server.log) == requests
    (before,), (after,) = first.services(), second.services()
    assert (before.status, after.status) == ("healthy", "healthy")
    assert after.checked_at != before.checked_at


def test_fresh_parameter_requests_a_new_verdict(claude_server: HTTPServer, healthguard_settings: Declare) -> None:
    claude_server.expect_ordered_request("/v1/models").respond_with_json(NO_MODELS)
    claude_server.expect_ordered_request("/v1/models").respond_with_data("{}", 402)
    healthguard_settings({"chat": AIProviderKey(CLAUDE)}, DETAILS_TOKENS=[TOKEN], INLINE=False)
    statuses: list[str] = []
    for query in ("", "", "?fresh=1"):
        reply = Client().get(f"/api/health{query}", headers={"Authorization": f"Bearer {TOKEN}"})
        statuses.append(reply.json()["services"]["chat"])
    assert statuses == ["healthy", "healthy", "degraded"]


def test_vended_key_is_not_verified_before_retry_after(claude_server: HTTPServer) -> None:
    """The pause that a provider requests also applies to runs that must not use cached verdicts."""
    key = os.environ["ANTHROPIC_API_KEY"]
    claude_server.expect_request("/exchange").respond_with_json({"credentials": {"anthropic": {"api_key": key}}})
    claude_server.expect_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": "3600"})
    exchange = CredentialExchange(claude_server.url_for("/exchange"), [CLAUDE], verify=True)
    for _ in range(5):
        with max_cache_age(0):
            assert problem_of(run_cached(exchange)).code == "provider_rate_limited"
    assert [request.path for request, _ in claude_server.log].count("/v1/models") == 1


def test_rejected_key_has_no_last_verification(result: RunCheck, claude_server: HTTPServer) -> None:
    claude_server.expect_ordered_request("/v1/models").respond_with_json(NO_MODELS)
    rejected = {"error": {"type": "authentication_error"}}
    claude_server.expect_ordered_request("/v1/models").respond_with_json(rejected, 401)
    claude_server.expect_ordered_request("/v1/models").respond_with_data("", 500)
    assert result(AIProviderKey(CLAUDE)).status is Status.HEALTHY
    assert problem_of(result(AIProviderKey(CLAUDE))).code == "key_rejected"
    found = problem_of(result(AIProviderKey(CLAUDE)))
    assert (found.code, "last_verified_at" in found.evidence) == ("provider_down", False)


@pytest.mark.usefixtures("claude_server")
def test_least_recently_used_keys_are_removed_from_the_cache() -> None:
    endpoint = CLAUDE.resolve_endpoint()
    names = [RoutedKey(CLAUDE, f"key-{number}", endpoint, None).verification_id for number in range(3000)]
    for name in names:
        _cache.state_of(name)
    assert len(_cache._states) <= 1000
    assert names[-1] in _cache._states


class CountingLock:
    """A lock that records the tasks that have tried to acquire it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.tasks: set[object] = set()

    def acquire(self, blocking: bool = True) -> bool:
        self.tasks.add(asyncio.current_task())
        return self._lock.acquire(blocking)

    def release(self) -> None:
        self._lock.release()


def test_concurrent_checks_of_one_key_share_a_request(
    result: RunCheck, claude_server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[int] = []
    may_respond = threading.Event()

    def respond(request: object) -> Response:
        requests.append(1)
        assert may_respond.wait(60)
        return Response('{"data": []}', content_type="application/json")

    claude_server.expect_request("/v1/models").respond_with_handler(respond)
    key = RoutedKey(CLAUDE, os.environ["ANTHROPIC_API_KEY"], CLAUDE.resolve_endpoint(), None)
    lock = CountingLock()
    monkeypatch.setattr(_cache.state_of(key.verification_id), "lock", lock)
    statuses: list[Status] = []

    def run() -> None:
        with deadline_after(60):
            statuses.append(result(AIProviderKey(CLAUDE)).status)

    threads = [threading.Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: requests and len(lock.tasks) == 10, lambda: (requests, lock.tasks))
    finally:
        # By now the other checks wait for this request. None of them may send a request of its own.
        may_respond.set()
        for thread in threads:
            thread.join()
    assert statuses == [Status.HEALTHY] * 10
    assert len(requests) <= 2, "a check that starts during a request uses its response, or that of the next request"


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_no_request_is_sent_before_retry_after(result: RunCheck, claude_server: HTTPServer, kind: str) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=4)
    wait = "3" if kind == "seconds" else email.utils.format_datetime(later, usegmt=True)
    claude_server.expect_ordered_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": wait})
    claude_server.expect_ordered_request("/v1/models").respond_with_json(NO_MODELS)
    began = time.monotonic()
    while result(AIProviderKey(CLAUDE)).status is not Status.HEALTHY:
        assert len(claude_server.log) == 1
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    # A date has whole seconds.
    assert time.monotonic() - began > 2.8
    assert len(claude_server.log) == 2


@pytest.mark.parametrize(("status", "code"), [(429, "provider_rate_limited"), (503, "provider_down")])
def test_problem_names_the_pause_for_which_no_request_is_sent(
    result: RunCheck, claude_server: HTTPServer, status: int, code: str
) -> None:
    """Fresh results are requested, but this one is of an earlier response."""
    claude_server.expect_ordered_request("/v1/models").respond_with_data("{}", status, {"Retry-After": "3600"})
    began = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    first = problem_of(result(AIProviderKey(CLAUDE)))
    ended = datetime.datetime.now(datetime.UTC)
    time.sleep(1.1)
    second = problem_of(result(AIProviderKey(CLAUDE)))
    assert (len(claude_server.log), second.code, second) == (1, code, first)
    answered = datetime.datetime.fromisoformat(str(second.evidence["answered_at"]))
    assert began <= answered <= ended
    paused_until = datetime.datetime.fromisoformat(str(second.evidence["paused_until"]))
    assert paused_until - answered == datetime.timedelta(hours=1)
    assert f"The response is from {answered:%Y-%m-%d %H:%M:%S} UTC" in second.message
    assert f"the next request is sent after {paused_until:%Y-%m-%d %H:%M:%S} UTC" in second.message


def test_problem_without_a_pause_names_none(result: RunCheck, claude_server: HTTPServer) -> None:
    claude_server.expect_request("/v1/models").respond_with_data("{}", 429)
    found = problem_of(result(AIProviderKey(CLAUDE)))
    assert found.evidence.keys().isdisjoint({"answered_at", "paused_until"})
    assert "next request" not in found.message


@pytest.mark.parametrize("wait", ["nonsense", "-5", "nan", "Fri, 31 Nov 2026", ""])
def test_invalid_retry_after_is_ignored(result: RunCheck, claude_server: HTTPServer, wait: str) -> None:
    claude_server.expect_ordered_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": wait})
    claude_server.expect_ordered_request("/v1/models").respond_with_json(NO_MODELS)
    assert problem_of(result(AIProviderKey(CLAUDE))).code == "provider_rate_limited"
    assert result(AIProviderKey(CLAUDE)).status is Status.HEALTHY


@pytest.mark.parametrize(("status", "code"), [(503, "provider_down"), (404, "provider_inconclusive")])
def test_last_verification_is_reported_while_the_provider_fails(
    result: RunCheck, claude_server: HTTPServer, status: int, code: str
) -> None:
    claude_server.expect_ordered_request("/v1/models").respond_with_data("{}", status)
    claude_server.expect_ordered_request("/v1/models").respond_with_json(NO_MODELS)
    claude_server.expect_ordered_request("/v1/models").respond_with_data("{}", status)
    before = problem_of(result(AIProviderKey(CLAUDE)))
    assert before.code == code
    assert "last_verified_at" not in before.evidence
    assert result(AIProviderKey(CLAUDE)).status is Status.HEALTHY
    after = result(AIProviderKey(CLAUDE))
    assert (after.status, problem_of(after).code) == (Status.DEGRADED, code)
    verified = datetime.datetime.fromisoformat(str(problem_of(after).evidence["last_verified_at"]))
    assert datetime.datetime.now(datetime.UTC) - verified < datetime.timedelta(minutes=2)
    assert "It was last verified at 20" in problem_of(after).message


def test_new_key_has_no_last_verification(
    result: RunCheck, claude_server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    claude_server.expect_ordered_request("/v1/models").respond_with_json(NO_MODELS)
    claude_server.expect_ordered_request("/v1/models").respond_with_data("", 500)
    assert result(AIProviderKey(CLAUDE)).status is Status.HEALTHY
    monkeypatch.setenv("ANTHROPIC_API_KEY", anthropic_key())
    assert "last_verified_at" not in problem_of(result(AIProviderKey(CLAUDE))).evidence


def test_ttl_of_each_service_has_jitter() -> None:
    """The processes of a fleet do not send their requests at the same time."""
    ttls = [resolve_service(Service(AIProviderKey(CLAUDE)), ("one",)).ttl for _ in range(100)]
    assert all(300 * (1 - TTL_JITTER) <= ttl <= 300 for ttl in ttls)
    assert len(set(ttls)) > 90
    assert resolve_service(Service(AIProviderKey(CLAUDE), ttl=300), ("one",)).ttl == 300


def make_verification(verdict: Verdict) -> Verification:
    return Verification(verdict, "HTTP", "there")


@async_to_sync
async def cached_verdict(name: str, verdict: Verdict, ttl: float) -> Verdict:
    """Return the cached verdict, or ``verdict`` if none is fresh."""

    async def request() -> Verification:
        return make_verification(verdict)

    return (await coalesce_verifications(name, request, ttl=ttl, limit=1)).verdict


def test_canceled_request_does_not_renew_the_cached_verdict() -> None:
    @async_to_sync
    async def cancel_request() -> None:
        async with asyncio.timeout(0.1):
            await coalesce_verifications(
                "cancelled", lambda: asyncio.sleep(5, make_verification(Verdict.VALID)), ttl=0, limit=1
            )

    assert cached_verdict("cancelled", Verdict.VALID, 60) is Verdict.VALID
    time.sleep(0.3)
    with pytest.raises(TimeoutError):
        cancel_request()
    assert cached_verdict("cancelled", Verdict.REJECTED, 0.3) is Verdict.REJECTED


@pytest.mark.parametrize("verdict", Verdict)
def test_only_conclusive_verdict_is_cached_for_the_whole_ttl(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    monkeypatch.setattr("healthguard.providers.verdict_cache._INCONCLUSIVE_TTL", 0.0)
    name = f"brief-{verdict}"
    assert cached_verdict(name, verdict, 3600) is verdict
    other = Verdict.REJECTED if verdict is not Verdict.REJECTED else Verdict.VALID
    # A gateway that accepts any key is conclusive: its verdict is cached for the whole ttl.
    is_cached = verdict not in {Verdict.RATE_LIMITED, Verdict.UNKNOWN, Verdict.NOT_ASKED, Verdict.DOWN}
    assert cached_verdict(name, other, 3600) is (verdict if is_cached else other)


def test_verdict_is_cached_per_request_and_rules(claude_server: HTTPServer) -> None:
    """A provider that verifies the same key differently has a verdict of its own."""
    claude_server.expect_request("/v1/models").respond_with_json(NO_MODELS)
    claude_server.expect_request("/admin").respond_with_data("", 401)
    first = dataclasses.replace(CLAUDE, name="ours")
    changes: list[dict[str, Any]] = [
        {"request": VerificationRequest("/admin")},
        {"success_fields": ("nothing",)},
        {"is_gateway": True},
    ]
    assert run_cached(AIProviderKey(first)).status is Status.HEALTHY
    statuses = {run_cached(AIProviderKey(dataclasses.replace(first, **change))).status for change in changes[:2]}
    assert statuses == {Status.UNHEALTHY, Status.DEGRADED}
    endpoint = first.resolve_endpoint()
    names = {
        RoutedKey(dataclasses.replace(first, **change), "key", endpoint, None).verification_id for change in changes
    }
    names |= {
        RoutedKey(first, "key", endpoint, variable).verification_id for variable in (None, "ANTHROPIC_AUTH_TOKEN")
    }
    assert len(names) == 5


def test_check_that_waited_for_another_request_does_not_time_out(
    claude_server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait shortens the time for its own request."""
    key = os.environ["ANTHROPIC_API_KEY"]
    claude_server.expect_request("/exchange").respond_with_json({"credentials": {"anthropic": {"api_key": key}}})
    exchange = CredentialExchange(claude_server.url_for("/exchange"), [CLAUDE], verify=True)

    def respond(request: object) -> Response:
        time.sleep(3)
        return Response('{"data": []}')

    outcomes: list[CheckResult] = []

    def run_fresh(check: AIProviderKey | CredentialExchange) -> None:
        with max_cache_age(0), deadline_after(5):
            outcomes.append(result_of(source_of(check), 5.0))

    # A server handles one request at a time, so the slow provider has a server of its own. It ends with the test.
    with HTTPServer() as provider:
        provider.expect_request("/v1/models").respond_with_handler(respond)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", provider.url_for("").rstrip("/"))
        threads = [threading.Thread(target=run_fresh, args=(check,)) for check in (AIProviderKey(CLAUDE), exchange)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(outcomes) == 2
    assert {outcome.status for outcome in outcomes} <= {Status.HEALTHY, Status.DEGRADED}


class Vault:
    """An object that returns a key when it is called and awaited."""

    async def __call__(self) -> str:
        return os.environ["ANTHROPIC_API_KEY"]


@pytest.mark.usefixtures("claude_server")
def test_object_with_an_async_call_can_return_the_key() -> None:
    assert run_cached(AIProviderKey(CLAUDE, key=Vault(), verify=False)).status is Status.HEALTHY


@pytest.mark.parametrize("ttl", [10**400, float("inf"), -1, "300", True, None], ids=lambda ttl: str(ttl)[:5])
def test_invalid_ttl_is_reported_and_affects_no_other_service(
    healthguard_settings: Declare, client: Client, ttl: Any
) -> None:
    check = AIProviderKey(CLAUDE, ttl=ttl)
    assert [problem.code for problem in declaration_errors(source_of(check))] == ["invalid_declaration"]
    # On a busy machine a first run takes longer than the usual deadline.
    healthguard_settings({"chat": check, "fine": "tests.support.strange_checks.Fine"}, DEADLINE=30)
    assert client.get("/api/health").json()["services"] == {"chat": "unhealthy", "fine": "healthy"}
