"""Many probes while something is broken: the threads, open files and connections of a server with many workers."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from example_project.deployment import anthropic_key
from example_project.postgres import Postgres
from tests.faults.load import probe
from tests.faults.pods import FAULTY
from tests.faults.provider import Provider, healthy, stay_silent
from tests.support.amounts import some_of
from tests.support.links import Link
from tests.support.sites import Server, Site, wait_until

PROBES, CONNECTIONS, WORKERS = some_of(10_000), 50, 8
SERVICES = 3
SERVER_THREADS = 5
"""The threads of a worker of gunicorn: the main thread, and four that answer requests."""
OWN_THREADS = SERVICES + 3
"""The threads of healthguard in a worker: one for each service, for the log, for the watch, and for an abort."""
OWN_FILES = 20
"""The files that a worker may open besides the connections of the client."""
OWN_CONNECTIONS = WORKERS
"""The connections of all workers to one server. Usually there is one, but a busy server closes its end late."""
SAMPLE_SECONDS = 0.1
"""The time between two samples (seconds)."""

SETTINGS = """
import dj_database_url
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
# Only the service at fault has a short timeout: on a busy machine, a run of any other may take seconds.
POLICIES = {
    name: {"ttl": 0.2, "timeout": 20 if name == os.environ["AT_FAULT"] else 120, "stale_for": 120}
    for name in ("database", "faulty", "provider")
}
HEALTHGUARD = {
    "SERVICES": {
        "database": Service(RequiredTables(["pg_class"]), **POLICIES["database"]),
        "faulty": Service("faulty.Faulty", **POLICIES["faulty"]),
        "provider": Service(AIProviderKey("anthropic"), **POLICIES["provider"]),
    },
    "DEADLINE": 0.2,
}
"""


class SilentProvider(Provider):
    """A provider that counts the connections on which it is silent."""

    def __init__(self) -> None:
        super().__init__()
        self.silent: set[socket.socket] = set()

    def stay_silent(self, connection: socket.socket) -> None:
        """Never respond."""
        self.silent.add(connection)
        try:
            stay_silent(connection)
        finally:
            self.silent.discard(connection)


@dataclasses.dataclass
class BusyPod:
    """A server with many workers, and what it depends on."""

    server: Server
    link: Link
    provider: SilentProvider
    fault: Path
    postgres: Postgres
    database: str

    @contextlib.contextmanager
    def database_down(self) -> Iterator[None]:
        """Refuse connections to the database."""
        self.link.down()
        yield
        self.link.up()

    @contextlib.contextmanager
    def check_hangs(self) -> Iterator[None]:
        """Let a check hang."""
        self.fault.write_text("sleep")
        yield
        self.fault.write_text("")

    @contextlib.contextmanager
    def provider_hangs(self) -> Iterator[None]:
        """Let the provider accept requests and never respond."""
        self.provider.behavior = self.provider.stay_silent
        yield
        self.provider.behavior = healthy

    def connections(self) -> dict[str, int]:
        """Return the open connections, as the servers count them."""
        query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self.database}'"
        ((open_connections,),) = self.postgres.execute(query)
        return {"database": int(str(open_connections)), "provider": len(self.provider.silent)}


@pytest.fixture
def pod(site: Site, postgres: Postgres, database: str, service: str) -> Iterator[BusyPod]:
    """A server whose services are healthy, until something happens to one of them."""
    link, provider, fault = Link(postgres.url_of(database)), SilentProvider(), site.folder / "fault"
    fault.write_text("")
    key = anthropic_key()
    provider.keys = (key,)
    site.environment |= {
        "DATABASE_URL": link.url,
        "FAULT": str(fault),
        "ANTHROPIC_API_KEY": key,
        "ANTHROPIC_BASE_URL": provider.url,
        "AT_FAULT": service,
    }
    site.write(SETTINGS, adaptor="wrapper", faulty=FAULTY)
    server = site.serve("gunicorn-gthread", workers=WORKERS)
    wait_until(lambda: set(server.get().json["services"].values()) == {"healthy"}, lambda: server.log)
    yield BusyPod(server, link, provider, fault, postgres, database)
    fault.write_text("")
    provider.behavior = healthy
    site.stop()
    link.down()
    provider.down()


@dataclasses.dataclass
class Samples:
    """The largest numbers that were sampled: of one worker, or of one server that the workers use."""

    threads: int = 0
    files: int = 0
    connections: dict[str, int] = dataclasses.field(default_factory=dict)

    def add(self, pod: BusyPod) -> None:
        """Add a sample."""
        for worker in pod.server.workers():
            # gunicorn may be replacing a worker.
            with contextlib.suppress(psutil.NoSuchProcess):
                self.threads = max(self.threads, worker.num_threads())
                self.files = max(self.files, worker.num_fds())
        for name, count in pod.connections().items():
            self.connections[name] = max(self.connections.get(name, 0), count)

    @contextlib.contextmanager
    def during(self, pod: BusyPod) -> Iterator[None]:
        """Add samples while the block runs."""
        is_over = threading.Event()

        def sample() -> None:
            while not is_over.wait(SAMPLE_SECONDS):
                self.add(pod)

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
        self.add(pod)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("fault", "service", "reported"),
    [
        (BusyPod.database_down, "database", (503, "unhealthy")),
        (BusyPod.check_hangs, "faulty", (503, "unhealthy")),
        (BusyPod.provider_hangs, "provider", (200, "degraded")),
    ],
    ids=["database down", "hanging check", "hanging provider"],
)
def test_many_probes_during_a_fault_use_few_threads_files_and_connections(
    pod: BusyPod,
    fault: Callable[[BusyPod], AbstractContextManager[None]],
    service: str,
    reported: tuple[int, str],
    record_property: Callable[[str, object], None],
) -> None:
    before, during = Samples(), Samples()
    before.add(pod)
    with fault(pod):

        def is_reported() -> bool:
            reply = pod.server.get()
            return (reply.status, reply.json["services"][service]) == reported

        wait_until(is_reported, lambda: pod.server.log)
        with during.during(pod):
            load = probe(pod.server.port, "/api/health", PROBES, CONNECTIONS)
    assert sum(load.responses.values()) == PROBES
    assert {status for status, _ in load.responses} == {reported[0]}
    record_property("samples", f"{before} before, {during} during the fault; slowest {load.slowest:.2f} s")
    assert during.threads <= SERVER_THREADS + OWN_THREADS
    assert during.files <= before.files + CONNECTIONS + OWN_FILES
    assert max(during.connections.values()) <= OWN_CONNECTIONS
    wait_until(lambda: set(pod.server.get().json["services"].values()) == {"healthy"}, lambda: pod.server.log)
