"""What a process, or a fleet, knows of a key: one call at a time, none before its time, and when it was last good."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import email.utils
import os
import secrets
import threading
import time

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client, RequestFactory
from health_check.views import HealthCheckView
from pytest_httpserver import HTTPServer
from werkzeug import Response

from example_project.deployment import anthropic_key
from healthguard import Service
from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.deadline import ending_in
from healthguard.execution import result_of
from healthguard.freshness import SPREAD, going_by
from healthguard.providers import PROVIDERS, Request, Verdict, Verification
from healthguard.providers.remembered import _memory, asked_once, name_of
from healthguard.service import misdeclared, place, source_of
from healthguard.status import CheckResult, Status

MODELS = {"data": []}
TOKEN = secrets.token_urlsafe(32)
# A random key would be one more request; tests/checks/test_random_keys.py counts those.
CLAUDE = dataclasses.replace(PROVIDERS["anthropic"], unknown_keys="refused")


@pytest.fixture
def asked(httpserver: HTTPServer, monkeypatch) -> HTTPServer:
    monkeypatch.setenv("ANTHROPIC_API_KEY", anthropic_key())
    monkeypatch.setenv("ANTHROPIC_BASE_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    return httpserver


def run(check: AIProviderKey | CredentialExchange) -> CheckResult:
    """Run it as a probe does, which may go by what is remembered."""
    return result_of(source_of(check), 60.0)


def test_however_many_probes_and_services_one_key_is_asked_about_once(asked, client, healthguard_settings) -> None:
    """django-health-check's own view runs its checks for every request; and several services may need one key."""
    asked.expect_request("/v1/models").respond_with_json(MODELS)
    view = HealthCheckView.as_view(checks=[(AIProviderKey, {"provider": CLAUDE})])
    for _ in range(5):
        response = async_to_sync(view)(RequestFactory().get("/", headers={"accept": "application/json"}))
        assert response.status_code == 200
    assert len(asked.log) == 1
    services = {"chat": AIProviderKey(CLAUDE), "search": AIProviderKey(CLAUDE)}
    healthguard_settings(services, DEADLINE=30)
    assert client.get("/api/health").status_code == 200
    assert len(asked.log) == 1
    assert run(AIProviderKey(CLAUDE, ttl=0)).status is Status.HEALTHY
    assert len(asked.log) == 2, "of a ttl that is over it is asked"


@pytest.mark.parametrize("declared", ["check", "service"])
def test_the_provider_is_asked_once_a_ttl_and_each_ttl(asked, healthguard_settings, declared) -> None:
    asked.expect_request("/v1/models").respond_with_json(MODELS)
    check = AIProviderKey(CLAUDE, ttl=1) if declared == "check" else AIProviderKey(CLAUDE)
    healthguard_settings({"chat": Service(check, ttl=1 if declared == "service" else None)}, INLINE=False)
    began = time.monotonic()
    while len(asked.log) < 4:
        assert Client().get("/api/health").status_code == 200
        assert time.monotonic() - began < 60
        time.sleep(0.02)
    # Three times it was held for as long as was declared: for a second, less the spread.
    assert time.monotonic() - began >= 3 * (1 - SPREAD)
    assert len(asked.log) == 4


def test_who_asks_to_look_anew_is_told_anew(asked, healthguard_settings) -> None:
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    asked.expect_ordered_request("/v1/models").respond_with_data("{}", 402)
    healthguard_settings({"chat": AIProviderKey(CLAUDE)}, DETAILS_TOKENS=[TOKEN], INLINE=False)
    statuses = []
    for query in ("", "", "?fresh=1"):
        reply = Client().get(f"/api/health{query}", headers={"Authorization": f"Bearer {TOKEN}"})
        statuses.append(reply.json()["services"]["chat"])
    assert statuses == ["healthy", "healthy", "degraded"]


def test_what_is_vended_is_asked_about_once_too(asked) -> None:
    """And where the provider wants to be left alone, it is."""
    key = os.environ["ANTHROPIC_API_KEY"]
    asked.expect_request("/exchange").respond_with_json({"credentials": {"anthropic": {"api_key": key}}})
    asked.expect_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": "3600"})
    exchange = CredentialExchange(asked.url_for("/exchange"), [CLAUDE], verify=True)
    for _ in range(5):
        with going_by(0):
            assert run(exchange).problem.code == "provider_rate_limited"
    assert [request.path for request, _ in asked.log].count("/v1/models") == 1


def test_a_rejection_is_the_last_word(result, asked) -> None:
    """What was verified before it is no comfort any more."""
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    rejected = {"error": {"type": "authentication_error"}}
    asked.expect_ordered_request("/v1/models").respond_with_json(rejected, 401)
    asked.expect_ordered_request("/v1/models").respond_with_data("", 500)
    assert result(AIProviderKey(CLAUDE)).status is Status.HEALTHY
    assert result(AIProviderKey(CLAUDE)).problem.code == "key_rejected"
    told = result(AIProviderKey(CLAUDE)).problem
    assert (told.code, "last_verified_at" in told.evidence) == ("provider_down", False)


def test_keys_that_are_made_anew_all_the_time_are_forgotten(asked) -> None:
    place_ = CLAUDE.place()
    names = [name_of(CLAUDE, place_, f"key-{number}", None) for number in range(3000)]
    for name in names:
        _memory.of(name)
    assert len(_memory._known) <= 1000
    assert names[-1] in _memory._known


def test_one_call_at_a_time_for_one_key(result, asked) -> None:
    busy: list[int] = []
    others = threading.Event()

    def answer(request: object) -> Response:
        busy.append(1)
        assert others.wait(60)
        return Response('{"data": []}', content_type="application/json")

    asked.expect_request("/v1/models").respond_with_handler(answer)
    told: list[Status] = []
    threads = [threading.Thread(target=lambda: told.append(result(AIProviderKey(CLAUDE)).status)) for _ in range(10)]
    for thread in threads:
        thread.start()
    while not busy:
        time.sleep(0.01)
    # The others are waiting for this call by now, or come after it: neither may make a call of its own each.
    time.sleep(0.3)
    others.set()
    for thread in threads:
        thread.join()
    assert told == [Status.HEALTHY] * 10
    assert len(busy) <= 2, "whoever comes while one asks takes what that one finds, or what the next finds"


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_nobody_asks_before_the_provider_wants_it(result, asked, kind) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=4)
    wait = "3" if kind == "seconds" else email.utils.format_datetime(later, usegmt=True)
    asked.expect_ordered_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": wait})
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    began = time.monotonic()
    while result(AIProviderKey(CLAUDE)).status is not Status.HEALTHY:
        assert len(asked.log) == 1
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    # A date has whole seconds.
    assert time.monotonic() - began > 2.8
    assert len(asked.log) == 2


@pytest.mark.parametrize("wait", ["nonsense", "-5", "nan", "Fri, 31 Nov 2026", ""])
def test_a_wait_that_cannot_be_meant_is_none(result, asked, wait) -> None:
    asked.expect_ordered_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": wait})
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    assert result(AIProviderKey(CLAUDE)).problem.code == "provider_rate_limited"
    assert result(AIProviderKey(CLAUDE)).status is Status.HEALTHY


@pytest.mark.parametrize(("status", "code"), [(503, "provider_down"), (404, "provider_unclear")])
def test_a_good_verification_is_told_of_while_the_provider_is_in_trouble(result, asked, status, code) -> None:
    asked.expect_ordered_request("/v1/models").respond_with_data("{}", status)
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    asked.expect_ordered_request("/v1/models").respond_with_data("{}", status)
    before = result(AIProviderKey(CLAUDE)).problem
    assert before.code == code
    assert "last_verified_at" not in before.evidence
    assert result(AIProviderKey(CLAUDE)).status is Status.HEALTHY
    after = result(AIProviderKey(CLAUDE))
    assert (after.status, after.problem.code) == (Status.DEGRADED, code)
    verified = datetime.datetime.fromisoformat(str(after.problem.evidence["last_verified_at"]))
    assert datetime.datetime.now(datetime.UTC) - verified < datetime.timedelta(minutes=2)
    assert "It was last verified at 20" in after.problem.message


def test_a_new_key_was_never_verified(result, asked, monkeypatch) -> None:
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    asked.expect_ordered_request("/v1/models").respond_with_data("", 500)
    assert result(AIProviderKey(CLAUDE)).status is Status.HEALTHY
    monkeypatch.setenv("ANTHROPIC_API_KEY", anthropic_key())
    assert "last_verified_at" not in result(AIProviderKey(CLAUDE)).problem.evidence


def test_a_fleet_does_not_ask_in_step() -> None:
    ttls = [place(Service(AIProviderKey(CLAUDE)), ("one",)).ttl for _ in range(100)]
    assert all(300 * (1 - SPREAD) <= ttl <= 300 for ttl in ttls)
    assert len(set(ttls)) > 90
    assert place(Service(AIProviderKey(CLAUDE), ttl=300), ("one",)).ttl == 300


# Shared with a fleet.


@pytest.fixture
def cache(settings):
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend}, "fleet": {"BACKEND": backend, "LOCATION": "fleet"}}
    yield caches["fleet"]
    caches["fleet"].clear()


def in_another_process(check: AIProviderKey) -> CheckResult:
    """Run it where nothing is remembered."""
    _memory.forget()
    return run(check)


def test_what_the_fleet_found_too_long_ago_is_not_its_word_any_more(asked, cache) -> None:
    """It was real last night, and no pod has run since. Now it is revoked, and only one of the new pods asks."""
    answers = [Response('{"data": []}', 200), Response('{"error": {"type": "authentication_error"}}', 401)]

    def answer(request: object) -> Response:
        time.sleep(0.0 if len(answers) == 2 else 0.8)
        return answers.pop(0)

    asked.expect_request("/v1/models").respond_with_handler(answer)
    check = AIProviderKey(CLAUDE, share="fleet", ttl=3)
    assert in_another_process(check).status is Status.HEALTHY
    time.sleep(3.2)
    _memory.forget()
    told: list[CheckResult] = []
    threads = [threading.Thread(target=lambda: told.append(run(check))) for _ in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert [result.problem and result.problem.code for result in told] == ["key_rejected"] * 3
    assert not answers


def test_a_provider_that_wants_to_be_left_alone_is_left_alone_by_the_fleet(asked, cache) -> None:
    asked.expect_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": "60"})
    check = AIProviderKey(CLAUDE, share="fleet", ttl=1)
    for _ in range(4):
        assert in_another_process(check).problem.code == "provider_rate_limited"
        time.sleep(0.4)
    assert len(asked.log) == 1


def test_a_slow_provider_is_not_asked_by_all_at_once(asked, cache) -> None:
    def answer(request: object) -> Response:
        time.sleep(2)
        return Response('{"data": []}')

    asked.expect_request("/v1/models").respond_with_handler(answer)
    told: list[CheckResult] = []
    checks = [AIProviderKey(CLAUDE, share="fleet") for _ in range(6)]
    threads = [threading.Thread(target=lambda check=check: told.append(run(check))) for check in checks]
    for thread in threads:
        thread.start()
        _memory.forget()
    for thread in threads:
        thread.join()
    assert [result.status for result in told] == [Status.HEALTHY] * 6
    assert len(asked.log) == 1


def test_when_the_key_was_last_good_is_told_to_the_fleet(asked, cache) -> None:
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    asked.expect_ordered_request("/v1/models").respond_with_data("", 500)
    check = AIProviderKey(CLAUDE, share="fleet", ttl=3)
    assert run(check).status is Status.HEALTHY
    time.sleep(3.1)
    assert "last_verified_at" in run(check).problem.evidence
    assert "last_verified_at" in in_another_process(check).problem.evidence
    assert len(asked.log) == 2


class _Raises:
    def __getitem__(self, name: str) -> object:
        raise AttributeError(name)


@pytest.mark.parametrize(
    "change",
    [
        {"good_at": 1e20},
        {"good_at": float("inf")},
        {"good_at": 10**400},
        {"good_at": "soon"},
        {"good_at": time.time() + 400 * 86400},
        {"reason": "x" * 80_000},
        {"reason": 5},
        {"host": None},
        {"http_status": "200"},
        {"verdict": "splendid"},
        {"verdict": ["real"]},
        None,
        "real",
        b"real",
        [],
        _Raises(),
    ],
)
def test_what_others_have_put_into_the_cache_turns_nobody_red(asked, cache, change) -> None:
    asked.expect_request("/v1/models").respond_with_data("", 500)
    name = name_of(CLAUDE, CLAUDE.place(), os.environ["ANTHROPIC_API_KEY"], None)
    entry = dataclasses.asdict(Verification(Verdict.REAL, "HTTP 200", "there", 200)) | {"good_at": None}
    cache.set(f"healthguard:key:{name}", entry | change if isinstance(change, dict) else change)
    # It is read for as long as somebody else seems to ask.
    cache.set(f"healthguard:key:{name}:claim", 1, timeout=1)
    told = in_another_process(AIProviderKey(CLAUDE, share="fleet"))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "provider_down")
    assert "last_verified_at" not in told.problem.evidence
    assert len(asked.log) == 1


def test_a_cache_that_does_nothing_is_told(asked, settings, cache) -> None:
    asked.expect_request("/v1/models").respond_with_json(MODELS)
    assert run(AIProviderKey(CLAUDE, share="fleet")).evidence["shared"] is True
    settings.CACHES = {**settings.CACHES, "fleet": {"BACKEND": "tests.checks.test_remembered_keys.BrokenCache"}}
    told = in_another_process(AIProviderKey(CLAUDE, share="fleet"))
    assert (told.status, told.evidence["shared"]) == (Status.HEALTHY, False)


class BrokenCache(LocMemCache):
    """It ends the thread that asks it."""

    def __init__(self, *args: object) -> None:
        super().__init__("broken", {})

    def add(self, *args: object, **options: object) -> bool:
        raise SystemExit("s3cret")


# What is remembered, and of which question.


def verification(verdict: Verdict) -> Verification:
    return Verification(verdict, "HTTP", "there")


@async_to_sync
async def asked_about(name: str, verdict: Verdict, hold: float) -> Verdict:
    async def ask() -> Verification:
        return verification(verdict)

    return (await asked_once(name, ask, hold=hold, limit=1)).verdict


def test_a_question_that_is_cancelled_leaves_the_last_answer_as_old_as_it_is() -> None:
    @async_to_sync
    async def cancelled() -> None:
        async with asyncio.timeout(0.1):
            await asked_once("cancelled", lambda: asyncio.sleep(5, verification(Verdict.REAL)), hold=0, limit=1)

    assert asked_about("cancelled", Verdict.REAL, 60) is Verdict.REAL
    time.sleep(0.3)
    with pytest.raises(TimeoutError):
        cancelled()
    assert asked_about("cancelled", Verdict.REJECTED, 0.3) is Verdict.REJECTED


@pytest.mark.parametrize("verdict", Verdict)
def test_what_says_nothing_of_the_key_is_held_briefly(monkeypatch, verdict) -> None:
    monkeypatch.setattr("healthguard.providers.remembered._BRIEFLY", 0.0)
    name = f"brief-{verdict}"
    assert asked_about(name, verdict, 3600) is verdict
    other = Verdict.REJECTED if verdict is not Verdict.REJECTED else Verdict.REAL
    # Of a gateway that takes any key, the answer is known: it is not asked more often than another.
    is_held = verdict not in {Verdict.RATE_LIMITED, Verdict.UNKNOWN, Verdict.NOT_ASKED, Verdict.DOWN}
    assert asked_about(name, other, 3600) is (verdict if is_held else other)


def test_another_question_about_the_same_key_is_asked(asked) -> None:
    asked.expect_request("/v1/models").respond_with_json(MODELS)
    asked.expect_request("/admin").respond_with_data("", 401)
    first = dataclasses.replace(CLAUDE, name="ours")
    changes = [{"request": Request("/admin")}, {"proofs": ("nothing",)}, {"is_gateway": True}]
    assert run(AIProviderKey(first)).status is Status.HEALTHY
    codes = {run(AIProviderKey(dataclasses.replace(first, **change))).status for change in changes[:2]}
    assert codes == {Status.UNHEALTHY, Status.DEGRADED}
    place_ = first.place()
    names = {name_of(dataclasses.replace(first, **change), place_, "key", None) for change in changes}
    names |= {name_of(first, place_, "key", variable) for variable in (None, "ANTHROPIC_AUTH_TOKEN")}
    assert len(names) == 5


def test_one_that_waits_for_anothers_question_has_less_time_for_its_own(asked) -> None:
    """A slow provider is degraded for both, and a timeout for none."""
    key = os.environ["ANTHROPIC_API_KEY"]
    asked.expect_request("/exchange").respond_with_json({"credentials": {"anthropic": {"api_key": key}}})

    def answer(request: object) -> Response:
        time.sleep(3)
        return Response('{"data": []}')

    asked.expect_request("/v1/models").respond_with_handler(answer)
    exchange = CredentialExchange(asked.url_for("/exchange"), [CLAUDE], verify=True)
    told: list[CheckResult] = []

    def run_anew(check: AIProviderKey | CredentialExchange) -> None:
        with going_by(0), ending_in(5):
            told.append(result_of(source_of(check), 5.0))

    threads = [threading.Thread(target=run_anew, args=(check,)) for check in (AIProviderKey(CLAUDE), exchange)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {result.status for result in told} <= {Status.HEALTHY, Status.DEGRADED}


class Vault:
    """What gives a key asynchronously, as an object."""

    async def __call__(self) -> str:
        return os.environ["ANTHROPIC_API_KEY"]


def test_an_object_that_is_called_asynchronously(asked) -> None:
    assert run(AIProviderKey(CLAUDE, key=Vault(), verify=False)).status is Status.HEALTHY


def test_what_is_shared_is_as_old_as_it_is(asked, cache) -> None:
    """Who gets the claim may still remember its own: it is good for the fleet for the rest of its time only."""
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    asked.expect_ordered_request("/v1/models").respond_with_data("", 402)
    check = AIProviderKey(CLAUDE, share="fleet", ttl=5)
    assert run(check).status is Status.HEALTHY
    cache.clear()
    time.sleep(1.5)
    assert run(check).status is Status.HEALTHY, "its own memory's"
    # The entry holds for what is left of the ttl, and Redis's seconds are whole ones.
    time.sleep(4.1)
    assert in_another_process(check).problem.code == "key_no_funds"


@pytest.mark.parametrize("ttl", [10**400, float("inf"), -1, "300", True, None], ids=lambda ttl: str(ttl)[:5])
def test_a_time_that_cannot_be_meant_is_told_and_costs_nobody_else_the_answer(
    healthguard_settings, client, ttl
) -> None:
    check = AIProviderKey(CLAUDE, ttl=ttl)
    assert [problem.code for problem in misdeclared(source_of(check))] == ["misdeclared"]
    # On a busy machine a first run takes longer than the usual deadline.
    healthguard_settings({"chat": check, "fine": "tests.strange_checks.Fine"}, DEADLINE=30)
    assert client.get("/api/health").json()["services"] == {"chat": "unhealthy", "fine": "healthy"}
