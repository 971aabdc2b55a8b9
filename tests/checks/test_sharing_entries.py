"""Entries of a shared cache that others may write into: only what this project signed is an entry."""

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

import pytest
import redis
from django.core import signing
from django.core.cache import caches
from django.test import override_settings

from example_project.deployment import anthropic_key, free_port, is_free
from healthguard.checks import AIProviderKey
from healthguard.execution import result_of
from healthguard.providers import PROVIDERS, Verdict, Verification
from healthguard.providers.entries import read_entry, write_entry
from healthguard.providers.remembered import _memory, name_of
from healthguard.providers.text_caches import text_cache
from healthguard.service import source_of
from healthguard.status import CheckResult, Status

REAL = Verification(Verdict.REAL, "HTTP 200", "there", 200)
FORGED = {"verdict": "real", "reason": "HTTP 200", "host": "there", "http_status": 200, "good_at": None}
REDIS_BACKENDS = ["django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"]


class Marks:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> object:
        return Path.touch, (self._path,)


@pytest.fixture
def key(httpserver, monkeypatch) -> str:
    """A key that the provider has revoked."""
    key = anthropic_key()
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    body = {"error": {"type": "authentication_error"}}
    httpserver.expect_request("/v1/models").respond_with_json(body, status=401)
    return key


@pytest.fixture
def name(key) -> str:
    return name_of(PROVIDERS["anthropic"], PROVIDERS["anthropic"].place(), key, None)


@pytest.fixture(params=REDIS_BACKENDS)
def write(request, settings, name) -> Iterator[Callable[..., None]]:
    """Write bytes into the Redis that the fleet shares, as anybody can who reaches it."""
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
    for entry in server.scan_iter(f"{prefix}*"):
        server.delete(entry)
    server.close()


def run() -> CheckResult:
    """Run the check in a process that remembers nothing, with short waits for others."""
    _memory.forget()
    return result_of(source_of(AIProviderKey("anthropic", share="fleet", ttl=30)), 5.0)


def written(name: str, *, key: str | None = None, **fields: object) -> bytes:
    """Return an entry with changed fields, signed by this project or with ``key``."""
    plain = {**FORGED, "retry_after": None, "written_at": time.time(), "hold": 30, **fields}
    return signing.dumps(plain, key=key, salt=f"healthguard.providers.entries:{json.dumps(name)}").encode()


FORGERIES: dict[str, Callable[[str, Path], bytes]] = {
    "plain": lambda name, mark: json.dumps(FORGED).encode(),
    "pickled": lambda name, mark: pickle.dumps(FORGED),
    "pickle that runs code": lambda name, mark: pickle.dumps(Marks(mark)),
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
def test_forged_entry_does_not_make_a_revoked_key_healthy(write, name, tmp_path, httpserver, forgery) -> None:
    """What does not verify is not an entry: the provider is asked, and nothing is run or raised."""
    mark = tmp_path / "mark"
    # For as long as somebody else seems to ask the provider, entries are read.
    write(FORGERIES[forgery](name, mark), seconds=0.7)
    result = run()
    assert (result.status, result.problem.code) == (Status.UNHEALTHY, "key_rejected")
    assert len(httpserver.log) >= 1
    assert not mark.exists()


@pytest.mark.redis
def test_signed_entry_is_read_by_the_fleet(write, name, httpserver) -> None:
    """The control: what this project wrote is an entry, and the provider is not asked."""
    write(write_entry(name, REAL, None, 30).encode())
    result = run()
    assert (result.status, result.evidence["shared"]) == (Status.HEALTHY, True)
    assert len(httpserver.log) == 0


@pytest.mark.redis
def test_entry_in_redis_is_text(write, name, httpserver) -> None:
    """What a process writes can be read without unpickling."""
    assert run().problem.code == "key_rejected"
    cache = caches["fleet"]
    with redis.Redis.from_url("redis://127.0.0.1:6379/9") as server:
        stored = server.get(str(cache.make_key(f"healthguard:key:{name}")))
    assert read_entry(name, stored.decode(), 30)[0].verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    "change",
    [
        {"good_at": "123"},
        {"good_at": True},
        {"good_at": 10**400},
        {"good_at": float("nan")},
        {"good_at": 4e9},
        {"http_status": "200"},
        {"http_status": True},
        {"verdict": "splendid"},
        {"verdict": ["real"]},
        {"reason": "x" * 301},
        {"host": None},
        {"written_at": "now"},
        {"hold": None},
        {"hold": -100},
    ],
    ids=str,
)
def test_field_of_another_type_is_not_an_entry(change) -> None:
    """Not even if it is signed: another version of the project may have written it."""
    assert read_entry("name", written("name", **change).decode(), 300) is None
    assert read_entry("name", written("name").decode(), 300) is not None


@pytest.mark.parametrize("entry", [None, 5, b"bytes", [], {}, {**FORGED}, "", ":", "a:b:c", "\ud800:x:y", "é:x:y"])
def test_what_is_not_signed_text_is_not_an_entry(entry) -> None:
    assert read_entry("name", entry, 300) is None


def test_entry_of_a_pause_outlives_the_ttl() -> None:
    """A provider may ask for a longer pause than the ttl, which says nothing of the key."""
    pause = Verification(Verdict.RATE_LIMITED, "HTTP 429", "there", 429, 600.0)
    entry = written("name", verdict="rate_limited", written_at=time.time() - 300, hold=600).decode()
    assert read_entry("name", entry, 30) is not None
    assert read_entry("name", write_entry("name", pause, None, 600), 30)[0].verdict is Verdict.RATE_LIMITED


def test_without_secret_key_nothing_is_shared(key, httpserver) -> None:
    """Each process asks for itself: anybody could sign."""
    backend = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "no-secret"}
    with override_settings(SECRET_KEY="", CACHES={"default": backend, "fleet": backend}):
        assert run().problem.code == "key_rejected"
        assert run().problem.code == "key_rejected"
        assert caches["fleet"]._cache == {}
    assert len(httpserver.log) >= 2


@pytest.fixture
def memcached() -> Iterator[int]:
    """The port of a Memcached of one's own."""
    port = free_port()
    server = shutil.which("memcached")
    if server is None:
        pytest.skip(f"no memcached on 127.0.0.1:{port}: apt-get install memcached")
    process = subprocess.Popen([server, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "nobody"])
    ends = time.monotonic() + 30
    while is_free(port):
        assert time.monotonic() < ends
        time.sleep(0.05)
    yield port
    process.kill()
    process.wait()


@pytest.mark.redis
def test_connections_to_the_cache_are_closed(write, name, httpserver) -> None:
    """An instance of its own is not left behind by each run."""
    write(write_entry(name, REAL, None, 30).encode())
    run()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        assert run().status is Status.HEALTHY
    assert len(os.listdir("/proc/self/fd")) <= before + 5


def test_memcached_is_read_without_unpickling(memcached, settings, tmp_path) -> None:
    """With pymemcache, whose own flag for a pickle anybody may set."""
    fleet = {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": f"127.0.0.1:{memcached}"}
    settings.CACHES = {"default": fleet, "fleet": fleet}
    mark = tmp_path / "mark"
    with contextlib.closing(caches["fleet"]) as pickling, contextlib.closing(text_cache("fleet")) as text:
        pickling.set("forged", Marks(mark))
        assert read_entry("name", text.get("forged"), 30) is None
        assert not mark.exists()
        text.set("own", write_entry("name", REAL, None, 30), timeout=30)
        assert read_entry("name", text.get("own"), 30) == (REAL, None)
