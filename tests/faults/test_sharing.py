"""One verification a ttl for a whole fleet, through a cache that may go away."""

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

import pytest

from example_project.deployment import anthropic_key, free_port, is_free
from example_project.provider_simulator import Simulator
from healthguard.freshness import SPREAD
from tests.sites import REPOSITORY, UNMEASURED, wait_until

PROCESSES = 40
TTL = 2.0
"""How long a verification holds for all processes (seconds)."""
PATIENT = 20.0
"""How long a call of the cache may take where the cache works (seconds): on a busy machine, it may take a while."""
REDIS = "django.core.cache.backends.redis.RedisCache"
HEALTHY, REJECTED = "healthy -", "unhealthy key_rejected"
SERVER = shutil.which("redis-server")


class Redis:
    """A server of its own, that a test can end."""

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

    def ask(self, *command: str) -> bytes:
        """Return what redis-cli prints."""
        done = subprocess.run(["redis-cli", "-p", str(self.port), *command], capture_output=True, check=True)
        return done.stdout


@pytest.fixture
def redis() -> Iterator[Redis]:
    if SERVER is None:
        pytest.skip("no redis-server here: apt-get install redis-server")
    server = Redis()
    yield server
    server.kill()


class KeyFleet:
    """Running processes that check one key, and the lines they print."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[tuple[int, str]] = []
        """The number of the process and what it found, in the order in which they were printed."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            number, _, found = line.strip().partition(" ")
            self.lines.append((int(number), found))

    def found(self) -> set[str]:
        """Return everything that was found so far."""
        return {found for _, found in list(self.lines)}

    def numbers(self, wanted: str) -> set[int]:
        """Return the processes that have found ``wanted``."""
        return {number for number, found in list(self.lines) if found == wanted}

    def wait_for_all(self, wanted: str = HEALTHY) -> None:
        """Wait until every process has found ``wanted``."""
        wait_for(lambda: len(self.numbers(wanted)) == PROCESSES)

    def stop(self) -> None:
        """End all processes, and read what they have printed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(60) == 0
        self._reader.join(60)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def fleet(simulator, monkeypatch) -> Iterator[Callable[..., KeyFleet]]:
    """Start the processes with a cache: ``fleet(backend, location, ttl=TTL, cache_seconds=None)``."""
    key = anthropic_key()
    simulator.keys = {key}
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.base_urls["ANTHROPIC_BASE_URL"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SECRET_KEY", "the-same-for-all-of-them")
    fleets: list[KeyFleet] = []

    def start(backend: str, location: str, ttl: float = TTL, cache_seconds: float | None = PATIENT) -> KeyFleet:
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


def wait_for(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def asked_about(simulator: Simulator) -> int:
    """Return how often the key was asked about; the gateway gets a random key, too, and no more often."""
    (key,) = simulator.keys
    samples = [received for received in simulator.received if received != key]
    assert len(samples) <= len(simulator.received) - len(samples)
    return simulator.received.count(key)


def most_verifications(seconds: float) -> int:
    """Return how many verifications a fleet needs at most in that time, if it shares them."""
    return math.ceil(seconds / (TTL * (1 - SPREAD))) + 1


def test_a_fleet_asks_once_a_ttl(fleet, redis, simulator) -> None:
    running = fleet(REDIS, redis.url)
    wait_for(lambda: asked_about(simulator) >= 1)
    began = time.monotonic()
    wait_for(lambda: asked_about(simulator) >= 4)
    running.wait_for_all()
    # Each process alone would have asked once a ttl.
    assert asked_about(simulator) <= most_verifications(time.monotonic() - began)
    assert running.found() == {HEALTHY}


def test_the_cache_is_killed_in_between(fleet, redis, simulator) -> None:
    running = fleet(REDIS, redis.url)
    wait_for(lambda: asked_about(simulator) >= 1)
    began = time.monotonic()
    running.wait_for_all()
    asked = asked_about(simulator)
    assert asked <= most_verifications(time.monotonic() - began)
    redis.kill()
    wait_for(lambda: asked_about(simulator) >= asked + PROCESSES)
    redis.start()
    told = len(running.lines)
    wait_for(lambda: len({number for number, _ in running.lines[told:]}) == PROCESSES)
    assert running.found() == {HEALTHY}, "each asks for itself"


def test_a_cache_that_says_nothing(fleet, simulator) -> None:
    """A connection to it is accepted, and never answered."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1000)
        running = fleet(REDIS, f"redis://127.0.0.1:{silent.getsockname()[1]}/0", cache_seconds=None)
        running.wait_for_all()
    assert not [found for found in running.found() if found.startswith(("unhealthy", "unknown"))], "nobody turns red"


def test_a_cache_in_files(fleet, simulator, tmp_path) -> None:
    running = fleet("django.core.cache.backends.filebased.FileBasedCache", str(tmp_path))
    running.wait_for_all()
    wait_for(lambda: asked_about(simulator) >= 2)
    assert running.found() == {HEALTHY}


def test_what_is_in_the_cache_tells_nothing_of_the_key(fleet, redis, simulator) -> None:
    """Neither the names of the entries nor their values hold the key or a part of it."""
    # An hour: no entry expires before it is read.
    fleet(REDIS, redis.url, ttl=3600).wait_for_all()
    (key,) = simulator.keys
    names = redis.ask("--scan").decode().split()
    assert {name.partition("healthguard:key:")[1] for name in names} == {"healthguard:key:"}
    assert len(names) == 4, "the finding and the claim, of the key and of a random one"
    values = [redis.ask("get", name) for name in names]
    # Redis answers an empty line for an entry that does not exist.
    assert all(value.strip() for value in values)
    for text in [" ".join(names).encode(), *values]:
        assert not [part for part in (key[at : at + 20].encode() for at in range(len(key) - 20)) if part in text]


def test_a_revoked_key_is_told_to_all_within_a_ttl(fleet, redis, simulator) -> None:
    """What one process finds after the key was revoked is what each process finds in its next run."""
    running = fleet(REDIS, redis.url)
    running.wait_for_all()
    simulator.mode = "reject"
    wait_for(lambda: REJECTED in running.found())
    running.wait_for_all(REJECTED)
    assert running.found() == {HEALTHY, REJECTED}
    first = [found for _, found in running.lines].index(REJECTED)
    late = Counter(number for number, found in running.lines[first:] if found == HEALTHY)
    assert max(late.values(), default=0) <= 1, "a run that was under way may still tell what it has read"
