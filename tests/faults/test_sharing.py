"""A fleet verifies a key once per ttl through a shared cache, and works without the cache."""

from __future__ import annotations

import math
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from example_project.deployment import anthropic_key
from example_project.ports import free_port, is_free
from example_project.provider_simulator import Simulator
from healthguard.runtime.cache_age import TTL_JITTER
from tests.support.sites import REPOSITORY, UNMEASURED, wait_until

PROCESSES = 40
STARTING = 100.0
"""The time within which all processes have started and verified the key, even on a busy machine (seconds)."""
TTL = 2.0
"""The time for which all processes use a verification (seconds)."""
CACHE_SECONDS = 20.0
"""The longest duration of a call of a cache that works (seconds). On a busy machine, it may take a while."""
REDIS = "django.core.cache.backends.redis.RedisCache"
HEALTHY, REJECTED = "healthy -", "unhealthy key_rejected"
SERVER = shutil.which("redis-server")


class Redis:
    """A Redis server that a test can kill."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([str(SERVER), *options], stdout=subprocess.DEVNULL)
        wait_until(lambda: not is_free(self.port))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def run(self, *command: str) -> bytes:
        """Run a command with redis-cli, and return its output."""
        done = subprocess.run(["redis-cli", "-p", str(self.port), *command], capture_output=True, check=True)
        return done.stdout


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A Redis server."""
    if SERVER is None:
        pytest.skip("no redis-server here: apt-get install redis-server")
    server = Redis()
    yield server
    server.kill()


class KeyFleet:
    """Running processes that check one key, and the lines that they print."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[tuple[int, str]] = []
        """The numbers of the processes and their results, in the order in which they were printed."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            number, _, outcome = line.strip().partition(" ")
            self.lines.append((int(number), outcome))

    def outcomes(self) -> set[str]:
        """Return all results so far."""
        return {outcome for _, outcome in list(self.lines)}

    def numbers(self, wanted: str) -> set[int]:
        """Return the numbers of the processes that have had the result ``wanted``."""
        return {number for number, outcome in list(self.lines) if outcome == wanted}

    def wait_for_all(self, wanted: str = HEALTHY) -> None:
        """Wait until every process has had the result ``wanted``."""
        wait_until(lambda: len(self.numbers(wanted)) == PROCESSES, seconds=STARTING)

    def stop(self) -> None:
        """End all processes, and read the rest of their output."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(60) == 0
        self._reader.join(60)
        assert self._process.stdout is not None
        self._process.stdout.close()


StartKeyFleet = Callable[..., KeyFleet]


@pytest.fixture
def start_key_fleet(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartKeyFleet]:
    """Yield ``start_key_fleet(backend, location, ttl=…, cache_seconds=…)``, which starts the processes with a cache."""
    key = anthropic_key()
    simulator.keys = {key}
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.base_urls["ANTHROPIC_BASE_URL"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SECRET_KEY", "the-same-for-all-of-them")
    fleets: list[KeyFleet] = []

    def start(backend: str, location: str, ttl: float = TTL, cache_seconds: float | None = CACHE_SECONDS) -> KeyFleet:
        monkeypatch.setenv("CACHE_BACKEND", backend)
        monkeypatch.setenv("CACHE_LOCATION", location)
        limit = [] if cache_seconds is None else [str(cache_seconds)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.key_fleet", str(PROCESSES), str(ttl), *limit],
            cwd=REPOSITORY,
            env={**os.environ, **UNMEASURED},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        fleets.append(KeyFleet(process))
        return fleets[-1]

    yield start
    for running in fleets:
        running.stop()


def verifications(simulator: Simulator) -> int:
    """Return the number of verifications of the key."""
    (key,) = simulator.keys
    # A gateway also receives a random key, but not more often than the real one.
    random_keys = [received for received in simulator.received if received != key]
    assert len(random_keys) <= len(simulator.received) - len(random_keys)
    return simulator.received.count(key)


def most_verifications(seconds: float) -> int:
    """Return the largest number of verifications of a fleet that shares them, in this time."""
    return math.ceil(seconds / (TTL * (1 - TTL_JITTER))) + 1


def test_fleet_verifies_a_key_once_per_ttl(start_key_fleet: StartKeyFleet, redis: Redis, simulator: Simulator) -> None:
    began = time.monotonic()
    running = start_key_fleet(REDIS, redis.url)
    wait_until(lambda: verifications(simulator) >= 1, seconds=STARTING)
    wait_until(lambda: verifications(simulator) >= 4, seconds=STARTING)
    running.wait_for_all()
    # Without sharing, each process would send one request per ttl.
    assert verifications(simulator) <= most_verifications(time.monotonic() - began)
    assert running.outcomes() == {HEALTHY}


def test_killed_cache_lets_each_process_verify_by_itself(
    start_key_fleet: StartKeyFleet, redis: Redis, simulator: Simulator
) -> None:
    began = time.monotonic()
    running = start_key_fleet(REDIS, redis.url)
    wait_until(lambda: verifications(simulator) >= 1, seconds=STARTING)
    running.wait_for_all()
    shared = verifications(simulator)
    assert shared <= most_verifications(time.monotonic() - began)
    redis.kill()
    wait_until(lambda: verifications(simulator) >= shared + PROCESSES, seconds=STARTING)
    redis.start()
    before = len(running.lines)
    # On a busy machine, a verification that forty processes send at once may be late once.
    wait_until(lambda: len({number for number, outcome in running.lines[before:] if outcome == HEALTHY}) == PROCESSES,
               seconds=STARTING)  # fmt: skip
    assert not [outcome for outcome in running.outcomes() if outcome.startswith(("unhealthy", "unknown"))]


def test_silent_cache_makes_no_process_unhealthy(start_key_fleet: StartKeyFleet, simulator: Simulator) -> None:
    """The cache accepts connections and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1000)
        running = start_key_fleet(REDIS, f"redis://127.0.0.1:{silent.getsockname()[1]}/0", cache_seconds=None)
        running.wait_for_all()
    assert not [outcome for outcome in running.outcomes() if outcome.startswith(("unhealthy", "unknown"))]


def test_fleet_works_with_a_cache_in_files(
    start_key_fleet: StartKeyFleet, simulator: Simulator, tmp_path: Path
) -> None:
    running = start_key_fleet("django.core.cache.backends.filebased.FileBasedCache", str(tmp_path))
    running.wait_for_all()
    wait_until(lambda: verifications(simulator) >= 2, seconds=STARTING)
    assert running.outcomes() == {HEALTHY}


def test_cache_contains_no_part_of_the_key(start_key_fleet: StartKeyFleet, redis: Redis, simulator: Simulator) -> None:
    """Neither the names nor the values of the entries contain the key or a part of it."""
    # An hour: no entry expires before it is read.
    start_key_fleet(REDIS, redis.url, ttl=3600).wait_for_all()
    (key,) = simulator.keys
    names = redis.run("--scan").decode().split()
    assert {name.partition("healthguard:key:")[1] for name in names} == {"healthguard:key:"}
    assert len(names) == 4, "the verdict and the claim, each for the key and for a random key"
    values = [redis.run("get", name) for name in names]
    # Redis returns an empty line for an entry that does not exist.
    assert all(value.strip() for value in values)
    for text in [" ".join(names).encode(), *values]:
        assert not [part for part in (key[at : at + 20].encode() for at in range(len(key) - 20)) if part in text]


def test_revoked_key_is_reported_by_all_processes_within_a_ttl(
    start_key_fleet: StartKeyFleet, redis: Redis, simulator: Simulator
) -> None:
    """After one process has found that the key was revoked, the next run of each process finds it too."""
    running = start_key_fleet(REDIS, redis.url)
    running.wait_for_all()
    simulator.mode = "reject"
    wait_until(lambda: REJECTED in running.outcomes(), seconds=STARTING)
    running.wait_for_all(REJECTED)
    assert running.outcomes() == {HEALTHY, REJECTED}
    first = [outcome for _, outcome in running.lines].index(REJECTED)
    late = Counter(number for number, outcome in running.lines[first:] if outcome == HEALTHY)
    assert max(late.values(), default=0) <= 1, "only a run that was in flight may report the older result"
