"""The fleet that the faults affect, and the services that it depends on. They are started once for all tests."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import pytest
import trustme

from example_project.deployment import anthropic_key, openai_key
from tests.faults import pods
from tests.faults.cluster import Cluster
from tests.faults.fixture_types import Dependencies, RunFault, SetBehavior, SetFault
from tests.faults.outcomes import WRITE, Outcome, clear, slowest, worst
from tests.faults.pods import RESPONSE_LIMIT, SLACK, TIMEOUT, TTL, Fleet, Pod, ProbeResponse, is_healthy
from tests.faults.provider import Behavior, Provider, healthy
from tests.support.amounts import TRIES_ALL
from tests.support.links import Link
from tests.support.sites import wait_until

HOLD = 1.0
"""The time for which a fault is observed after it was reported (seconds)."""


@pytest.fixture(scope="session", autouse=True)
def cleared_page(request: pytest.FixtureRequest) -> None:
    """Remove all rows of the page before a run of all tests writes it."""
    options = request.config.option
    if os.environ.get(WRITE) and not (options.keyword or options.markexpr):
        clear()


@pytest.fixture(scope="session")
def dependencies() -> Iterator[Dependencies]:
    """The services that the pods depend on."""
    cluster = Cluster()
    authority = trustme.CA()
    link = Link(cluster.url)
    openai = Provider(pods.server_context(authority, "127.0.0.1"))
    yield Dependencies(cluster, link, Provider(), openai, authority)
    link.down()
    cluster.remove()


@pytest.fixture(scope="session")
def fleet(dependencies: Dependencies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The pods."""
    trusted = tmp_path_factory.mktemp("trusted") / "ca.pem"
    dependencies.authority.cert_pem.write_to_path(str(trusted))
    environment = {
        "DATABASE_URL": dependencies.link.url,
        "ANTHROPIC_API_KEY": anthropic_key(),
        "ANTHROPIC_BASE_URL": dependencies.anthropic.url,
        "OPENAI_API_KEY": openai_key(),
        "OPENAI_BASE_URL": dependencies.openai.url,
        "SSL_CERT_FILE": str(trusted),
    }
    for provider, name in ((dependencies.anthropic, "ANTHROPIC_API_KEY"), (dependencies.openai, "OPENAI_API_KEY")):
        provider.keys = (environment[name],)
    fleet = Fleet(Pod(name, tmp_path_factory.mktemp("pod"), environment) for name in pods.KINDS)
    fleet.pods[0].site.migrate()
    for pod in fleet:
        pod.warm()
    yield fleet
    for pod in fleet:
        pod.site.stop()


@pytest.fixture
def healthy_fleet(fleet: Fleet) -> Fleet:
    """The pods, once all services of all pods are healthy and every pod is ready."""
    for pod in fleet:
        responses = pod.watch(SLACK, is_healthy)
        assert is_healthy(responses[-1]), (pod.name, responses[-1].reply.json, pod.server.log[-2000:])
        assert pod.get("/ready").reply.status == 200
    return fleet


@pytest.fixture
def run_fault(healthy_fleet: Fleet, dependencies: Dependencies) -> RunFault:
    """Return a function that runs a fault against the whole fleet, checks all responses, and publishes the outcome.

    ``run_fault(section, fault, service, expected, injected)``: ``expected`` is the status and the code that the service
    must report, as in ``"unhealthy database_connections_exhausted"``. ``injected`` is the fault, which lasts as long as
    this context manager is entered. ``extra_threads`` is the number of threads that the fault itself starts in a pod.
    """

    def run_fault(
        section: str,
        fault: str,
        service: str,
        expected: str,
        injected: AbstractContextManager[object],
        *,
        also: tuple[str, ...] = (),
        counts_connections: bool = False,
        extra_threads: int = 0,
    ) -> Outcome:
        status, _, code = expected.partition(" ")
        concerned = {service, *also}
        most = len(concerned) + 2
        before, open_before = healthy_fleet.threads(), dependencies.cluster.connections()
        with injected:

            def is_reported(response: ProbeResponse) -> bool:
                return response.services[service] == status

            # Until a fault is noticed, the last result is reported: while it is fresh, and while the run that will
            # notice the fault is within its timeout.
            noticed = healthy_fleet.each(lambda pod: pod.watch(TTL + TIMEOUT + SLACK, is_reported))

            def has_its_code(pod: Pod) -> bool:
                return is_reported(pod.get()) and pod.first_problem(service).get("code", "") == code

            # A run that was in flight when the fault began may have noticed it in another way.
            healthy_fleet.each(
                lambda pod: wait_until(lambda: has_its_code(pod), lambda: (pod.name, pod.first_problem(service)))
            )
            held = healthy_fleet.each(lambda pod: pod.watch(HOLD))
            for pod, first, then in zip(healthy_fleet, noticed, held, strict=True):
                assert is_reported(first[-1]), (pod.name, first[-1].reply.json)
                for response in then:
                    assert response.path != "" or is_reported(response), (pod.name, response.reply.json)
                found = pod.first_problem(service)
                assert found.get("code", "") == code, (pod.name, found)
                for name, reported in pod.get().services.items():
                    assert name in concerned or reported == "healthy", (pod.name, name)
            threads = _additional_threads(healthy_fleet, before, most + extra_threads) - extra_threads
            connections = dependencies.cluster.connections() - open_before if counts_connections else None
        ended = time.monotonic()
        recovery = healthy_fleet.each(lambda pod: pod.watch(TTL + TIMEOUT + SLACK, is_healthy))
        for pod, responses in zip(healthy_fleet, recovery, strict=True):
            assert is_healthy(responses[-1]), (pod.name, responses[-1].reply.json)
        every = [[*first, *then, *last] for first, then, last in zip(noticed, held, recovery, strict=True)]
        steady = [response for responses in held for response in responses]
        outcome = Outcome(
            section=section,
            fault=fault,
            reported=" ".join([status, f"`{code}`"] if code else [status]),
            codes={path: {response.reply.status for response in steady if response.path == path} for path in Pod.PATHS},
            others={
                reported
                for response in steady
                if response.path == ""
                for name, reported in response.services.items()
                if name not in concerned
            },
            slowest=worst([slowest(responses) for responses in every]),
            threads=threads,
            connections=connections,
            recovered_after=max(responses[-1].at for responses in recovery) - ended,
        )
        assert outcome.codes["/live"] == {200}
        assert outcome.codes["/ready"] == {200}
        assert outcome.codes[""] == ({200} if status in ("healthy", "degraded") else {503})
        assert max(outcome.slowest.values()) < RESPONSE_LIMIT, outcome.slowest
        assert threads <= most
        outcome.publish()
        return outcome

    return run_fault


@pytest.fixture
def set_fault(fleet: Fleet) -> SetFault:
    """Return a function that lets the faulty checks of all pods fail in one way."""

    @contextlib.contextmanager
    def set_fault(name: str) -> Iterator[None]:
        for pod in fleet:
            # Four endless computations would take both cores from every other test.
            is_spared = name == "spin" and not TRIES_ALL and pod.name in ("gunicorn sync", "gunicorn --preload")
            pod.fault.write_text("sleep" if is_spared else name)
        try:
            yield
        finally:
            for pod in fleet:
                pod.fault.write_text("")

    return set_fault


@pytest.fixture
def set_behavior(dependencies: Dependencies) -> SetBehavior:
    """Return a function that changes the behavior of providers."""

    @contextlib.contextmanager
    def set_behavior(behavior: Behavior, *providers: Provider) -> Iterator[None]:
        for provider in providers:
            provider.behavior = behavior
        try:
            yield
        finally:
            for provider in providers:
                provider.behavior = healthy

    return set_behavior


def _additional_threads(fleet: Fleet, before: Sequence[int], allowed: int) -> int:
    """Return the smallest number of additional threads of the worst pod, because many threads end after a moment."""
    counts: list[int] = []
    ends = time.monotonic() + SLACK
    # On a busy machine, a thread that has done its work takes a while to end.
    while len(counts) < 10 or (min(counts) > allowed and time.monotonic() < ends):
        counts.append(max(now - then for now, then in zip(fleet.threads(), before, strict=True)))
        time.sleep(0.05)
    return min(counts)
