"""HAProxy in front of two instances takes an unhealthy instance out of balanced, and only such an instance."""

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

from example_project.ports import free_port
from tests.support.links import Link
from tests.support.sites import PATIENCE, Server, Site

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
class BalancedSites:
    """Two instances behind a load balancer.

    Args:
        sites: the sites by instance.
        servers: the running servers by instance.
        ports: the ports by instance.
        port: the port of the load balancer.
        socket: the socket for commands to the load balancer.
    """

    sites: dict[str, Site]
    servers: dict[str, Server]
    ports: dict[str, int]
    port: int
    socket: Path

    def deploy(self, name: str, key: str) -> None:
        """Start an instance with ``key`` in its environment, instead of the running one."""
        if name in self.servers:
            self.servers[name].stop()
        self.sites[name].environment["SHOP_KEY"] = key
        self.servers[name] = self.sites[name].serve("gunicorn-gthread", port=self.ports[name])

    def rows(self) -> list[dict[str, str]]:
        """Return the statistics of the load balancer, one row for each instance that it has checked."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(b"show stat\n")
            report = b"".join(iter(lambda: connection.recv(65536), b"")).decode().removeprefix("# ")
        # HAProxy reports an instance as up until it has checked it.
        return [row for row in csv.DictReader(io.StringIO(report)) if row["check_status"] not in ("INI", "")]

    def explain(self) -> str:
        """Return the last checks of the load balancer as text."""
        shown = ("svname", "status", "check_status", "check_code", "check_duration", "last_chk")
        return "\n".join(" ".join(row[name] for name in shown) for row in self.rows())

    def states(self) -> dict[str, str]:
        """Return the state of each instance in the load balancer, ``UP`` or ``DOWN``."""
        return {row["svname"]: row["status"].split()[0] for row in self.rows()}

    def wait_for_states(self, **wanted: str) -> None:
        """Wait until the instances have these states."""
        ends = time.monotonic() + PATIENCE
        while self.states() != wanted:
            assert time.monotonic() < ends, (self.explain(), wanted)
            time.sleep(0.1)

    def visit(self, times: int = 20) -> set[str]:
        """Return the names of the instances that answer through the load balancer, or the status codes of errors."""
        seen = set()
        for _ in range(times):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=PATIENCE) as response:
                    seen.add(response.read().decode())
            except urllib.request.HTTPError as error:
                seen.add(str(error.code))
        return seen


KEY = secrets.token_urlsafe(24)

StartBalancer = Callable[..., BalancedSites]


@pytest.fixture
def start_balancer(tmp_path: Path, link: Link) -> Iterator[StartBalancer]:
    """Yield ``start_balancer(check="OPTIONS /api/health/ready", ready="startup")``, which starts everything."""
    balancers: list[subprocess.Popen[bytes]] = []
    sites: dict[str, Site] = {}

    def start_balancer(check: str = "OPTIONS /api/health/ready", ready: str = "startup") -> BalancedSites:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            sites[name] = Site(tmp_path / name)
            sites[name].environment |= {"DATABASE_URL": link.url, "INSTANCE": name}
            sites[name].write(SETTINGS.format(ready=ready), URLS, "middleware")
        ports = {name: free_port() for name in sites}
        balanced = BalancedSites(sites, {}, ports, free_port(), tmp_path / "stats")
        for name in sites:
            balanced.deploy(name, KEY)
            # HAProxy also reports an instance as up if only its first check has failed.
            assert balanced.servers[name].until("/api/health/ready", 200).status == 200
        configuration = tmp_path / "haproxy.cfg"
        configuration.write_text(
            CONFIGURATION.format(socket=balanced.socket, port=balanced.port, check=check, **balanced.ports)
        )
        with (tmp_path / "haproxy.log").open("wb") as log:
            balancers.append(subprocess.Popen([str(HAPROXY), "-db", "-f", str(configuration)], stdout=log, stderr=log))
        ends = time.monotonic() + PATIENCE
        while not balanced.socket.exists():
            assert balancers[-1].poll() is None, (tmp_path / "haproxy.log").read_text()
            assert time.monotonic() < ends
            time.sleep(0.05)
        balanced.wait_for_states(a="UP", b="UP")
        return balanced

    yield start_balancer
    for balancer in balancers:
        balancer.terminate()
        balancer.wait(10)
    for site in sites.values():
        site.stop()


@pytest.mark.parametrize("check", ["OPTIONS /api/health/ready", "GET /api/health/ready", "HEAD /api/health/ready"])
def test_broken_instance_receives_no_requests(start_balancer: StartBalancer, check: str) -> None:
    balanced = start_balancer(check)
    assert balanced.visit() == {"a", "b"}
    balanced.deploy("b", "")
    balanced.wait_for_states(a="UP", b="DOWN")
    assert balanced.visit() == {"a"}, "no customer is sent to the broken instance"
    balanced.deploy("b", KEY)
    balanced.wait_for_states(a="UP", b="UP")
    assert balanced.visit() == {"a", "b"}


def test_stopped_database_takes_no_instance_out(start_balancer: StartBalancer, link: Link) -> None:
    """If both instances were taken out, pages that need no database would fail too."""
    balanced = start_balancer()
    link.down()
    for server in balanced.servers.values():
        assert server.until("/api/health", 503).json["services"]["database"] == "unhealthy"
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        assert balanced.states() == {"a": "UP", "b": "UP"}, balanced.explain()
        assert balanced.visit(4) == {"a", "b"}
    link.up()
    for server in balanced.servers.values():
        assert server.until("/api/health", 200).status == 200


def test_service_that_is_always_required_takes_instances_out(start_balancer: StartBalancer, link: Link) -> None:
    balanced = start_balancer(ready="always")
    link.down()
    balanced.wait_for_states(a="DOWN", b="DOWN")
    assert balanced.visit(3) == {"503"}
    link.up()
    balanced.wait_for_states(a="UP", b="UP")
    assert balanced.visit() == {"a", "b"}
