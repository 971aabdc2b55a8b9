"""An entry of a shared cache is used only if this project signed it, because others may write into the cache."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core import signing
from django.core.cache import caches
from django.test import override_settings
from pytest_httpserver import HTTPServer

from example_project.deployment import anthropic_key
from example_project.ports import free_port, is_free
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Verdict
from healthguard.providers.entries import read_entry, write_entry
from healthguard.providers.routed_key import RoutedKey
from healthguard.providers.text_caches import text_cache
from healthguard.providers.verdict_cache import _cache
from healthguard.providers.verification import Verification
from healthguard.runner.execution import result_of
from healthguard.service import source_of
from healthguard.status import CheckResult, Status
from tests.support.results import problem_of

REAL = Verification(Verdict.VALID, "HTTP 200", "there", 200)
FORGED = {"verdict": "valid", "reason": "HTTP 200", "host": "there", "http_status": 200, "last_verified_at": None}
WriteEntry = Callable[..., None]
"""``write(content, seconds=60)`` writes bytes into the shared cache as the entry of the key."""

REDIS_BACKENDS = ["django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"]


class CreatesFile:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


@pytest.fixture
def key(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key that the provider has revoked."""
    key = anthropic_key()
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    body = {"error": {"type": "authentication_error"}}
    httpserver.expect_request("/v1/models").respond_with_json(body, status=401)
    return key


@pytest.fixture
def name(key: str) -> str:
    """The name of the key's entry."""
    anthropic = PROVIDERS["anthropic"]
    return RoutedKey(anthropic, key, anthropic.resolve_endpoint(), None).verification_id


@pytest.fixture(params=REDIS_BACKENDS)
def write(request: pytest.FixtureRequest, settings: Any, name: str) -> Iterator[WriteEntry]:
    """Write bytes into the Redis that the fleet shares, as everyone with access to it can."""
    prefix = f"healthguard-test-{os.getpid()}"
    location = "redis://127.0.0.1:6379/9"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "fleet": {"BACKEND": request.param, "LOCATION": location, "KEY_PREFIX": prefix},
    }
    server = redis.Redis.from_url(location)

    def write(content: bytes, seconds: float = 60) -> None:
        entry = caches["fleet"].make_key(f"healthguard:key:{name}")
        server.set(str(entry), content, ex=60)
        server.set(f"{entry}:claim", 1, px=int(seconds * 1000))

    yield write
    for entry in server.scan_iter(f"{prefix}:*"):
        server.delete(entry)
    server.close()


def run() -> CheckResult:
    """Run the check as a new process does, which has not cached a verdict."""
    _cache.clear()
    return result_of(source_of(AIProviderKey("anthropic", share="fleet", ttl=30)), 5.0)


def written(name: str, *, key: str | None = None, **fields: object) -> bytes:
    """Return an entry with changed fields, signed by this project or with ``key``."""
    plain = {**FORGED, "retry_after": None, "written_at": time.time(), "hold": 30, **fields}
    return signing.dumps(plain, key=key, salt=f"healthguard.providers.entries:{json.dumps(name)}").encode()


FORGERIES: dict[str, Callable[[str, Path], bytes]] = {
    "plain": lambda name, mark: json.dumps(FORGED).encode(),
    "pickled": lambda name, mark: pickle.dumps(FORGED),
    "pickle that runs code": lambda name, mark: pickle.dumps(CreatesFile(mark)),
    "signed with another key": lambda name, mark: written(name, key="another"),
    "signed for another name": lambda name, mark: written("another"),
    "unsigned": lambda name, mark: base64.urlsafe_b64encode(json.dumps(FORGED).encode()) + b":1abcde:xyz",
    "truncated": lambda name, mark: written(name)[:-3],
    "changed": lambda name, mark: b"A" + written(name)[1:],
    "10 MB": lambda name, mark: b"x" * 10_000_000,
    "10 MB of digits": lambda name, mark: b"9" * 10_000_000,
    "number": lambda name, mark: b"1",
    "empty": lambda name, mark: b"",
    "not text": lambda name, mark: bytes(range(256)),
    "expired": lambda name, mark: written(name, written_at=time.time() - 100),
    "older than the reader's ttl": lambda name, mark: written(name, written_at=time.time() - 100, hold=3600),
    "of the future": lambda name, mark: written(name, written_at=time.time() + 100),
}


@pytest.mark.redis
@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_entry_does_not_make_a_revoked_key_healthy(
    write: WriteEntry, name: str, tmp_path: Path, httpserver: HTTPServer, forgery: str
) -> None:
    """The check sends a request of its own if a signature is invalid, and runs no code of the entry."""
    mark = tmp_path / "mark"
    # Entries are read while another process seems to send the request.
    write(FORGERIES[forgery](name, mark), seconds=0.7)
    outcome = run()
    assert (outcome.status, problem_of(outcome).code) == (Status.UNHEALTHY, "key_rejected")
    assert len(httpserver.log) >= 1
    assert not mark.exists()


@pytest.mark.redis
def test_signed_entry_is_read_by_the_fleet(write: WriteEntry, name: str, httpserver: HTTPServer) -> None:
    """An entry that this project wrote is used, and no request is sent."""
    write(write_entry(name, REAL, None, 30).encode())
    outcome = run()
    assert (outcome.status, outcome.evidence["shared"]) == (Status.HEALTHY, True)
    assert len(httpserver.log) == 0


@pytest.mark.redis
def test_entry_in_redis_is_text(write: WriteEntry, name: str, httpserver: HTTPServer) -> None:
    """An entry can be read without unpickling."""
    assert problem_of(run()).code == "key_rejected"
    cache: Any = caches["fleet"]
    with redis.Redis.from_url("redis://127.0.0.1:6379/9") as server:
        stored: Any = server.get(str(cache.make_key(f"healthguard:key:{name}")))
    entry = read_entry(name, stored.decode(), 30)
    assert entry is not None
    assert entry[0].verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    "change",
    [
        {"last_verified_at": "123"},
        {"last_verified_at": True},
        {"last_verified_at": 10**400},
        {"last_verified_at": float("nan")},
        {"last_verified_at": 4e9},
        {"retry_after": "60"},
        {"retry_after": -1},
        {"retry_after": float("nan")},
        {"retry_after": 1e9},
        {"answered_at": "now"},
        {"answered_at": True},
        {"answered_at": 4e9},
        {"http_status": "200"},
        {"http_status": True},
        {"verdict": "splendid"},
        {"verdict": ["valid"]},
        {"reason": "x" * 301},
        {"host": None},
        {"written_at": "now"},
        {"hold": None},
        {"hold": -100},
    ],
    ids=str,
)
def test_entry_with_an_invalid_field_is_ignored(change: dict[str, Any]) -> None:
    """Another version of the project may have written and signed it."""
    assert read_entry("name", written("name", **change).decode(), 300) is None
    assert read_entry("name", written("name").decode(), 300) is not None


@pytest.mark.parametrize("entry", [None, 5, b"bytes", [], {}, {**FORGED}, "", ":", "a:b:c", "\ud800:x:y", "é:x:y"])
def test_unsigned_value_is_not_an_entry(entry: object) -> None:
    assert read_entry("name", entry, 300) is None


def test_entry_of_a_pause_outlives_the_ttl() -> None:
    """A provider may request a pause that is longer than the ttl."""
    pause = Verification(Verdict.RATE_LIMITED, "HTTP 429", "there", 429, 600.0)
    entry = written("name", verdict="rate_limited", written_at=time.time() - 300, hold=600).decode()
    assert read_entry("name", entry, 30) is not None
    paused = read_entry("name", write_entry("name", pause, None, 600), 30)
    assert paused is not None
    assert paused[0].verdict is Verdict.RATE_LIMITED


def test_without_secret_key_nothing_is_shared(key: str, httpserver: HTTPServer) -> None:
    """Each process sends its own request, because everyone could sign an entry."""
    backend = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "no-secret"}
    with override_settings(SECRET_KEY="", CACHES={"default": backend, "fleet": backend}):
        assert problem_of(run()).code == "key_rejected"
        assert problem_of(run()).code == "key_rejected"
        cache: Any = caches["fleet"]
        assert cache._cache == {}
    assert len(httpserver.log) >= 2


@pytest.fixture
def memcached() -> Iterator[int]:
    """The port of a Memcached server of the test."""
    port = free_port()
    server = shutil.which("memcached")
    if server is None:
        pytest.skip(f"no memcached on 127.0.0.1:{port}: apt-get install memcached")
    process = subprocess.Popen([server, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "nobody"])
    ends_at = time.monotonic() + 30
    while is_free(port):
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    yield port
    process.kill()
    process.wait()


@pytest.mark.redis
def test_connections_to_the_cache_are_closed(write: WriteEntry, name: str, httpserver: HTTPServer) -> None:
    write(write_entry(name, REAL, None, 30).encode())
    run()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        assert run().status is Status.HEALTHY
    assert len(os.listdir("/proc/self/fd")) <= before + 5


def test_memcached_is_read_without_unpickling(memcached: int, settings: Any, tmp_path: Path) -> None:
    """The flag with which pymemcache marks a pickle can be set by everyone with access to Memcached."""
    fleet = {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": f"127.0.0.1:{memcached}"}
    settings.CACHES = {"default": fleet, "fleet": fleet}
    mark = tmp_path / "mark"
    with contextlib.closing(caches["fleet"]) as pickling, contextlib.closing(text_cache("fleet")) as text:
        pickling.set("forged", CreatesFile(mark))
        assert read_entry("name", text.get("forged"), 30) is None
        assert not mark.exists()
        text.set("own", write_entry("name", REAL, None, 30), timeout=30)
        assert read_entry("name", text.get("own"), 30) == (REAL, None)
