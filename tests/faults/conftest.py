"""The fleet that faults are played against, and what it depends on: started once, for all of them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import pytest
import trustme

from example_project.deployment import anthropic_key, openai_key
from tests.faults import pods
from tests.faults.cluster import Cluster
from tests.faults.outcomes import WRITE, Outcome, clear, slowest, worst
from tests.faults.pods import GENEROUS, SLACK, TIMEOUT, TTL, Answer, Fleet, Pod, is_well
from tests.faults.provider import Provider, healthy
from tests.links import Link

HOLD = 1.0
"""How long a fault is watched after it was told (seconds)."""


@dataclasses.dataclass
class Surroundings:
    """What the pods depend on.

    Args:
        cluster: the database.
        link: the way to it.
        anthropic: a provider, over HTTP.
        openai: a provider, over TLS.
        authority: whom the pods trust to certify the second.
    """

    cluster: Cluster
    link: Link
    anthropic: Provider
    openai: Provider
    authority: trustme.CA


@pytest.fixture(scope="session", autouse=True)
def page(request: pytest.FixtureRequest) -> None:
    """Where all of it is written anew, it begins empty."""
    options = request.config.option
    if os.environ.get(WRITE) and not (options.keyword or options.markexpr):
        clear()


@pytest.fixture(scope="session")
def surroundings() -> Iterator[Surroundings]:
    cluster = Cluster()
    authority = trustme.CA()
    link = Link(cluster.url)
    yield Surroundings(cluster, link, Provider(), Provider(pods.certified(authority, "127.0.0.1")), authority)
    link.down()
    cluster.remove()


@pytest.fixture(scope="session")
def fleet(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    trusted = tmp_path_factory.mktemp("trusted") / "ca.pem"
    surroundings.authority.cert_pem.write_to_path(str(trusted))
    environment = {
        "DATABASE_URL": surroundings.link.url,
        "ANTHROPIC_API_KEY": anthropic_key(),
        "ANTHROPIC_BASE_URL": surroundings.anthropic.url,
        "OPENAI_API_KEY": openai_key(),
        "OPENAI_BASE_URL": surroundings.openai.url,
        "SSL_CERT_FILE": str(trusted),
    }
    for provider, name in ((surroundings.anthropic, "ANTHROPIC_API_KEY"), (surroundings.openai, "OPENAI_API_KEY")):
        provider.keys = (environment[name],)
    fleet = Fleet(Pod(name, tmp_path_factory.mktemp("pod"), environment) for name in pods.KINDS)
    fleet.pods[0].site.migrate()
    for pod in fleet:
        pod.warm()
    yield fleet
    for pod in fleet:
        pod.site.stop()


@pytest.fixture
def well(fleet: Fleet) -> Fleet:
    """The fleet, with all well and every pod ready."""
    for pod in fleet:
        answers = pod.watch(SLACK, is_well)
        assert is_well(answers[-1]), (pod.name, answers[-1].reply.json, pod.server.log[-2000:])
        assert pod.ask("/ready").reply.status == 200
    return fleet


@pytest.fixture
def play(well: Fleet, surroundings: Surroundings) -> Callable[..., Outcome]:
    """Play a fault against the whole fleet, judge every answer, and publish what came of it.

    ``play(section, fault, service, told, played)``: ``told`` is the status and the code that the service must tell, as
    in ``"unhealthy database_full"``; ``played`` is the fault itself, for as long as it is entered, and
    ``threads_of_its_own`` those that it starts in a pod.
    """

    def play(
        section: str,
        fault: str,
        service: str,
        told: str,
        played: AbstractContextManager[object],
        *,
        also: tuple[str, ...] = (),
        counts_connections: bool = False,
        threads_of_its_own: int = 0,
    ) -> Outcome:
        status, _, code = told.partition(" ")
        concerned = {service, *also}
        most = len(concerned) + 2
        before, open_before = well.threads(), surroundings.cluster.connections()
        with played:

            def is_told(answer: Answer) -> bool:
                return answer.services[service] == status

            # Until a fault is noticed, the last result is what is known: for as long as it is fresh, and while the
            # run that will notice is within its timeout.
            noticed = well.each(lambda pod: pod.watch(TTL + TIMEOUT + SLACK, is_told))
            held = well.each(lambda pod: pod.watch(HOLD))
            for pod, first, then in zip(well, noticed, held, strict=True):
                assert is_told(first[-1]), (pod.name, first[-1].reply.json)
                for answer in then:
                    assert answer.path != "" or is_told(answer), (pod.name, answer.reply.json)
                problem = pod.problem(service)
                assert problem.get("code", "") == code, (pod.name, problem)
                for name, known in pod.ask().services.items():
                    assert name in concerned or known == "healthy", (pod.name, name)
            threads = _standing_threads(well, before, most + threads_of_its_own) - threads_of_its_own
            connections = surroundings.cluster.connections() - open_before if counts_connections else None
        ended = time.monotonic()
        healing = well.each(lambda pod: pod.watch(TTL + TIMEOUT + SLACK, is_well))
        for pod, answers in zip(well, healing, strict=True):
            assert is_well(answers[-1]), (pod.name, answers[-1].reply.json)
        every = [[*first, *then, *last] for first, then, last in zip(noticed, held, healing, strict=True)]
        steady = [answer for answers in held for answer in answers]
        outcome = Outcome(
            section=section,
            fault=fault,
            told=" ".join([status, f"`{code}`"] if code else [status]),
            codes={path: {a.reply.status for a in steady if a.path == path} for path in Pod.PATHS},
            others={
                known
                for answer in steady
                if answer.path == ""
                for name, known in answer.services.items()
                if name not in concerned
            },
            slowest=worst([slowest(answers) for answers in every]),
            threads=threads,
            connections=connections,
            healed=max(answers[-1].at for answers in healing) - ended,
        )
        assert outcome.codes["/live"] == {200}
        assert outcome.codes["/ready"] == {200}
        assert outcome.codes[""] == ({200} if status in ("healthy", "degraded") else {503})
        assert max(outcome.slowest.values()) < GENEROUS, outcome.slowest
        assert threads <= most
        outcome.publish()
        return outcome

    return play


@pytest.fixture
def set_fault(fleet: Fleet) -> Callable[[str], AbstractContextManager[None]]:
    """Let the faulty checks of all pods go wrong in one way."""

    @contextlib.contextmanager
    def set_fault(name: str) -> Iterator[None]:
        for pod in fleet:
            pod.fault.write_text(name)
        try:
            yield
        finally:
            for pod in fleet:
                pod.fault.write_text("")

    return set_fault


@pytest.fixture
def behave(surroundings: Surroundings) -> Callable[..., AbstractContextManager[None]]:
    """Let the providers behave in one way."""

    @contextlib.contextmanager
    def behave(behaviour: object, *providers: Provider) -> Iterator[None]:
        for provider in providers:
            provider.behaviour = behaviour  # type: ignore[assignment]
        try:
            yield
        finally:
            for provider in providers:
                provider.behaviour = healthy

    return behave


def _standing_threads(well: Fleet, before: Sequence[int], allowed: int) -> int:
    """How many more there are than before, of those that stay: where all is slow, others run too."""
    counts = []
    ends = time.monotonic() + SLACK
    # On a busy machine a thread that has done its work takes a while to end.
    while len(counts) < 10 or (min(counts) > allowed and time.monotonic() < ends):
        counts.append(max(now - then for now, then in zip(well.threads(), before, strict=True)))
        time.sleep(0.05)
    return min(counts)
