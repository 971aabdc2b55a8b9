"""Runs that the workers of every server share, while workers are killed and stopped in the middle of them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.servers.conftest import ServedSite
from tests.servers.kinds import KINDS, Kind, Replacement
from tests.servers.probing import wait_for
from tests.support.sites import Server

SETTINGS = """
HEALTHGUARD = {{
    "SERVICES": {{"one": Service("recorded.Recorded", ttl={ttl}, timeout={timeout}, stale_for=3600)}},
    "DEADLINE": {deadline},
}}
"""
HEALTHY = {"status": "healthy", "services": {"one": "healthy"}, "one": {"status": "healthy"}}
MOMENTS = int(os.environ.get("MOMENTS", "1"))
"""The number of moments at which a worker of each server is killed, and stopped."""
LONG = pytest.mark.timeout(300 + 60 * MOMENTS)
LONGEST_WAIT = 0.3
"""The longest time from the beginning of a run to the fault (seconds)."""
TIMEOUT = 5
"""The timeout of the service whose worker is stopped (seconds). The run of a released check is far shorter, but each
moment lasts for at least this time."""
ANSWER_SECONDS = 2.0
"""The time after which a request counts as accepted by a stopped worker (seconds)."""

RecordProperty = Callable[[str, object], None]
Start = Callable[[Kind, str], Server]
SHARING = [kind for kind in KINDS if kind.workers > 1]


def servers_that_share(*replacements: Replacement) -> pytest.MarkDecorator:
    """Parametrize a test with the servers that have several workers, and one of these replacements."""
    kinds = [kind for kind in SHARING if kind.replacement in replacements]
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.name)


class SharedRuns:
    """A server with one service, the runs of its check, and the answers.

    Args:
        site: the served site.
        server: the server.
    """

    def __init__(self, site: ServedSite, server: Server) -> None:
        self._server = server
        self._runs = site.folder / "runs"
        self._hold = site.folder / "hold"
        self.answers = 0
        self.unanswered = 0

    def begun(self) -> list[int]:
        """Return the PIDs of the processes that have begun a run, in order."""
        return [int(line) for line in self._runs.read_text().split()]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let each run wait that begins or is in flight while the block runs."""
        self._hold.touch()
        try:
            yield
        finally:
            self._hold.unlink()

    def ask(self, tolerated: tuple[type[Exception], ...] = ()) -> None:
        """Send a request. An answer must be that of the healthy service.

        Args:
            tolerated: the errors that a request may have instead of an answer.
        """
        try:
            reply = self._server.get(timeout=ANSWER_SECONDS if TimeoutError in tolerated else 60)
        except tolerated:
            self.unanswered += 1
            time.sleep(0.05)
            return
        assert (reply.status, json.loads(reply.body)) == (200, HEALTHY), self._server.log[-3000:]
        self.answers += 1

    def ask_until(self, number: int, *tolerated: type[Exception]) -> None:
        """Send requests until this many runs have begun."""

        def have_begun() -> bool:
            self.ask(tolerated)
            return len(self.begun()) >= number

        wait_for(have_begun, f"{number} runs begin", self._server)

    def begin_one(self, seconds: float) -> int:
        """Send requests until a run begins, and return the number of runs.

        No other may begin while it is in flight: neither meanwhile nor within ``seconds``.
        """
        number = len(self.begun()) + 1
        self.ask_until(number)
        for _ in range(5):
            self.ask()
        time.sleep(seconds)
        assert len(self.begun()) == number
        return number

    def process(self, pid: int) -> psutil.Process:
        """Return the process of the server that has this PID in its own PID namespace."""
        family = [self._server.process.pid, *(child.pid for child in psutil.Process().children(recursive=True))]
        (found,) = {known for known in family if _own_pid(known) == pid}
        return psutil.Process(found)


def _own_pid(pid: int) -> int:
    """Return the PID of a process in its own namespace; see NSpid in proc_pid_status(5)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[-1]) for line in lines if line.startswith("NSpid:"))


@pytest.fixture
def shared_runs(served_site: ServedSite, start: Start) -> Callable[..., SharedRuns]:
    """Return a function that starts a server whose service is healthy."""

    def shared_runs(kind: Kind, *, ttl: float, timeout: float, deadline: float) -> SharedRuns:
        record = served_site.folder / "runs"
        record.touch()
        # Workers may run as another user.
        record.chmod(0o666)
        server = start(kind, SETTINGS.format(ttl=ttl, timeout=timeout, deadline=deadline))
        wait_for(lambda: server.get().status == 200, "the service is healthy", server)
        return SharedRuns(served_site, server)

    return shared_runs


@servers_that_share(*Replacement)
def test_one_worker_runs_the_check_for_all(kind: Kind, shared_runs: Callable[..., SharedRuns]) -> None:
    runs = shared_runs(kind, ttl=3600, timeout=600, deadline=60)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: runs.ask(), range(400)))
    assert len(runs.begun()) == 1


@LONG
@servers_that_share(Replacement.WORKER)
def test_killed_worker_causes_no_wrong_answer_and_no_second_run(
    kind: Kind, shared_runs: Callable[..., SharedRuns], record_property: RecordProperty
) -> None:
    """Requests that the killed process has accepted get no answer: their connections are closed or reset.

    No other error is tolerated: the server listens all the time.
    """
    runs = shared_runs(kind, ttl=0.1, timeout=600, deadline=0.1)
    moments = random.Random(kind.name)
    for _ in range(MOMENTS):
        with runs.held():
            number = runs.begin_one(moments.uniform(0, LONGEST_WAIT))
            killed = runs.begun()[number - 1]
            runs.process(killed).kill()
            runs.ask_until(number + 1, ConnectionError)
            for _ in range(5):
                runs.ask((ConnectionError,))
            assert len(runs.begun()) == number + 1, "one process has taken the run over, and its claim holds"
            assert runs.begun()[number] != killed
        runs.ask_until(number + 2, ConnectionError)
        time.sleep(kind.crash_loop_seconds)
    record_property("answers", f"{runs.answers}, and {runs.unanswered} requests without an answer")
    assert runs.answers > 0


@LONG
@pytest.mark.parametrize("kind", [kind for kind in SHARING if not kind.has_accept_lock], ids=lambda kind: kind.name)
def test_run_of_a_stopped_worker_is_taken_over_without_a_wrong_answer(
    kind: Kind, shared_runs: Callable[..., SharedRuns], record_property: RecordProperty
) -> None:
    """Requests that the stopped process has accepted get no answer until it continues, and none if it is killed.

    Without requests, no other process takes the run over. So a server is not tested here if a stopped process may keep
    all others from accepting connections.
    """
    runs = shared_runs(kind, ttl=0.1, timeout=TIMEOUT, deadline=0.1)
    moments = random.Random(kind.name)
    tolerated = (TimeoutError, ConnectionError)
    for _ in range(MOMENTS):
        with runs.held():
            number = runs.begin_one(moments.uniform(0, LONGEST_WAIT))
            stopped = runs.process(runs.begun()[number - 1])
            stopped.suspend()
        try:
            runs.ask_until(number + 1, *tolerated)
            time.sleep(moments.uniform(0, LONGEST_WAIT))
        finally:
            # Some servers kill a worker that has not responded for a few seconds.
            with contextlib.suppress(psutil.NoSuchProcess):
                stopped.resume()
        runs.ask_until(len(runs.begun()) + 1, *tolerated)
    record_property("answers", f"{runs.answers}, and {runs.unanswered} requests without an answer")
    assert runs.answers > 0
