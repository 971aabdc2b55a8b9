"""A real load balancer in front of two instances: who is taken out of rotation, and who stays in."""

from __future__ import annotations

import csv
import dataclasses
import io
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from example_project.deployment import free_port
from tests.sites import PATIENCE, Server, Site

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
pytestmark = pytest.mark.skipif(HAPROXY is None, reason="no haproxy here: apt-get install haproxy")

CONFIGURATION = """
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 30s
    timeout client 30s
    timeout server 30s
    timeout check 10s
    retries 3
    option redispatch
frontend door
    bind 127.0.0.1:{port}
    default_backend shop
backend shop
    balance roundrobin
    option httpchk {check}
    default-server check inter 200ms fall 2 rise 1
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
"""
SETTINGS = """
import dj_database_url
ALLOWED_HOSTS = ["*"]
DATABASES = {{"default": dj_database_url.parse(os.environ["DATABASE_URL"])}}
HEALTHGUARD = {{"SERVICES": {{
    "database": Service(RequiredTables(["pg_class"]), ttl=0.2, timeout=2, ready={ready!r}),
    "key": EnvironmentVariable("SHOP_KEY", min_bytes=20),
}}}}
"""
URLS = """
import os
from django.http import HttpResponse
from django.urls import include, path
def name(request):
    return HttpResponse(os.environ["INSTANCE"])
urlpatterns = [path("", name), path("api/health", include("healthguard.urls"))]
"""


@dataclasses.dataclass
class Rotation:
    """Two instances behind a load balancer."""

    sites: dict[str, Site]
    servers: dict[str, Server]
    ports: dict[str, int]
    port: int
    socket: Path

    def deploy(self, name: str, key: str) -> None:
        """Start an instance anew, in the place of the one before, with ``key`` in its environment."""
        if name in self.servers:
            self.servers[name].stop()
        self.sites[name].environment["SHOP_KEY"] = key
        self.servers[name] = self.sites[name].serve("gunicorn-gthread", port=self.ports[name])

    def rows(self) -> list[dict[str, str]]:
        """What the load balancer has found, a row per instance that it has checked."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(b"show stat\n")
            told = b"".join(iter(lambda: connection.recv(65536), b"")).decode().removeprefix("# ")
        # It takes for up what it has not asked yet.
        return [row for row in csv.DictReader(io.StringIO(told)) if row["check_status"] not in ("INI", "")]

    def explain(self) -> str:
        """Why it thinks so."""
        shown = ("svname", "status", "check_status", "check_code", "check_duration", "last_chk")
        return "\n".join(" ".join(row[name] for name in shown) for row in self.rows())

    def states(self) -> dict[str, str]:
        """What the load balancer thinks of each."""
        return {row["svname"]: row["status"].split()[0] for row in self.rows()}

    def until(self, **wanted: str) -> None:
        ends = time.monotonic() + PATIENCE
        while self.states() != wanted:
            assert time.monotonic() < ends, (self.explain(), wanted)
            time.sleep(0.1)

    def visit(self, times: int = 20) -> set[str]:
        """Who answers, through the load balancer."""
        seen = set()
        for _ in range(times):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=PATIENCE) as response:
                    seen.add(response.read().decode())
            except urllib.request.HTTPError as error:
                seen.add(str(error.code))
        return seen


KEY = secrets.token_urlsafe(24)


@pytest.fixture
def balance(tmp_path, link) -> Iterator[Callable[..., Rotation]]:
    """Start it: ``balance(check="OPTIONS /api/health/ready", ready="startup")``."""
    balancers: list[subprocess.Popen[bytes]] = []
    sites: dict[str, Site] = {}

    def balance(check: str = "OPTIONS /api/health/ready", ready: str = "startup") -> Rotation:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            sites[name] = Site(tmp_path / name)
            sites[name].environment |= {"DATABASE_URL": link.url, "INSTANCE": name}
            sites[name].write(SETTINGS.format(ready=ready), URLS, "middleware")
        rotation = Rotation(sites, {}, {name: free_port() for name in sites}, free_port(), tmp_path / "stats")
        for name in sites:
            rotation.deploy(name, KEY)
            # The load balancer takes for up also what has failed its first check, and that only once.
            assert rotation.servers[name].until("/api/health/ready", 200).status == 200
        configuration = tmp_path / "haproxy.cfg"
        configuration.write_text(
            CONFIGURATION.format(socket=rotation.socket, port=rotation.port, check=check, **rotation.ports)
        )
        with (tmp_path / "haproxy.log").open("wb") as log:
            balancers.append(subprocess.Popen([str(HAPROXY), "-db", "-f", str(configuration)], stdout=log, stderr=log))
        ends = time.monotonic() + PATIENCE
        while not rotation.socket.exists():
            assert balancers[-1].poll() is None, (tmp_path / "haproxy.log").read_text()
            assert time.monotonic() < ends
            time.sleep(0.05)
        rotation.until(a="UP", b="UP")
        return rotation

    yield balance
    for balancer in balancers:
        balancer.terminate()
        balancer.wait(10)
    for site in sites.values():
        site.stop()


@pytest.mark.parametrize("check", ["OPTIONS /api/health/ready", "GET /api/health/ready", "HEAD /api/health/ready"])
def test_one_instance_is_deployed_into_a_broken_environment(balance, check) -> None:
    rotation = balance(check)
    assert rotation.visit() == {"a", "b"}
    rotation.deploy("b", "")
    rotation.until(a="UP", b="DOWN")
    assert rotation.visit() == {"a"}, "no customer meets the broken one"
    rotation.deploy("b", KEY)
    rotation.until(a="UP", b="UP")
    assert rotation.visit() == {"a", "b"}


def test_the_shared_database_stops_and_both_stay_in(balance, link) -> None:
    """To take both out would make of a page that fails a shop that is gone."""
    rotation = balance()
    link.down()
    for server in rotation.servers.values():
        assert server.until("/api/health", 503).json["services"]["database"] == "unhealthy"
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        assert rotation.states() == {"a": "UP", "b": "UP"}, rotation.explain()
        assert rotation.visit(4) == {"a", "b"}
    link.up()
    for server in rotation.servers.values():
        assert server.until("/api/health", 200).status == 200


def test_what_must_always_hold_takes_them_out(balance, link) -> None:
    rotation = balance(ready="always")
    link.down()
    rotation.until(a="DOWN", b="DOWN")
    assert rotation.visit(3) == {"503"}
    link.up()
    rotation.until(a="UP", b="UP")
    assert rotation.visit() == {"a", "b"}
