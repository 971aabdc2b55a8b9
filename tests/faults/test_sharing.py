"""One verification a ttl for a whole fleet, through a cache that may go away."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from example_project.deployment import anthropic_key, free_port, is_free
from tests.faults.key_fleet import TTL
from tests.sites import REPOSITORY

# Forty processes leave no room for other tests, whose load would make a real key's verification too slow.
pytestmark = pytest.mark.alone

PROCESSES = 40
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
        ends = time.monotonic() + 10
        while is_free(self.port):
            assert time.monotonic() < ends
            time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def redis() -> Iterator[Redis]:
    if SERVER is None:
        pytest.skip("no redis-server here: apt-get install redis-server")
    server = Redis()
    yield server
    server.kill()


@pytest.fixture
def fleet(simulator, monkeypatch):
    """Start it with a cache, and return what reads its lines when it has ended."""
    key = anthropic_key()
    simulator.keys = {key}
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.base_urls["ANTHROPIC_BASE_URL"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SECRET_KEY", "the-same-for-all-of-them")

    def start(backend: str, location: str, seconds: float) -> subprocess.Popen[str]:
        monkeypatch.setenv("CACHE_BACKEND", backend)
        monkeypatch.setenv("CACHE_LOCATION", location)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.key_fleet", str(PROCESSES), str(seconds)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


REDIS = "django.core.cache.backends.redis.RedisCache"


def told(process: subprocess.Popen[str]) -> Counter[str]:
    lines, _ = process.communicate(timeout=90)
    return Counter(lines.splitlines())


def _wait_for_the_first(simulator) -> None:
    ends = time.monotonic() + 30
    while not simulator.asked:
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_fleet_asks_once_a_ttl(fleet, redis, simulator) -> None:
    seconds = 4 * TTL
    found = told(fleet(REDIS, redis.url, seconds))
    assert set(found) == {"healthy -"}
    assert found.total() > PROCESSES * 10
    # The processes do not all begin and end at once.
    assert 4 <= simulator.asked <= math.ceil(seconds / TTL) + 2


def test_the_cache_is_killed_in_between(fleet, redis, simulator) -> None:
    process = fleet(REDIS, redis.url, 4 * TTL)
    _wait_for_the_first(simulator)
    time.sleep(2 * TTL)
    while_it_lived = simulator.asked
    redis.kill()
    time.sleep(1)
    redis.start()
    found = told(process)
    assert set(found) == {"healthy -"}, "each asks for itself"
    assert while_it_lived <= 4


def test_a_cache_that_says_nothing(fleet, simulator) -> None:
    """A connection to it is accepted, and never answered."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1000)
        found = told(fleet(REDIS, f"redis://127.0.0.1:{silent.getsockname()[1]}/0", TTL))
    assert found["healthy -"] >= PROCESSES
    assert not [line for line in found if line.startswith(("unhealthy", "unknown"))], "nobody turns red"


def test_a_cache_in_files(fleet, simulator, tmp_path) -> None:
    found = told(fleet("django.core.cache.backends.filebased.FileBasedCache", str(tmp_path), 2 * TTL))
    assert set(found) == {"healthy -"}


def test_what_is_in_the_cache_tells_nothing_of_the_key(fleet, redis, simulator) -> None:
    told(fleet(REDIS, redis.url, 1))
    (key,) = simulator.keys
    stored = subprocess.run(
        ["redis-cli", "-p", str(redis.port), "--scan"], capture_output=True, text=True, check=True
    ).stdout
    assert "healthguard:key:" in stored
    assert key not in stored
    for name in stored.split():
        value = subprocess.run(["redis-cli", "-p", str(redis.port), "get", name], capture_output=True, check=True)
        assert key[20:40].encode() not in value.stdout


def test_a_revoked_key_is_told_to_all_within_a_ttl(fleet, redis, simulator) -> None:
    process = fleet(REDIS, redis.url, 4 * TTL)
    _wait_for_the_first(simulator)
    time.sleep(1.5 * TTL)
    simulator.mode = "reject"
    lines = told(process)
    assert lines["unhealthy key_rejected"] >= PROCESSES
    assert set(lines) == {"healthy -", "unhealthy key_rejected"}
