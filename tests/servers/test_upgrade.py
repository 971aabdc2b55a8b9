"""An upgrade of gunicorn in place: USR2 starts a new server beside the old one, which then ends."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from example_project.ports import free_port
from tests.servers import unprivileged
from tests.servers.conftest import ServedSite
from tests.servers.probing import PATIENCE, statuses, wait_for, wait_until_ready
from tests.support.sites import Server

HEALTHY = 'HEALTHGUARD = {"SERVICES": {"one": "tests.support.strange_checks.Fine"}}'
BROKEN = 'HEALTHGUARD = {"SERVICES": {"one": EnvironmentVariable("HEALTHGUARD_TEST_NOT_SET")}}'


def start_gunicorn(site: ServedSite, *options: str) -> Server:
    """Start gunicorn with a PID file, which shows the upgrade."""
    port = free_port()
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    command = [gunicorn, "--no-control-socket", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    return site.launch([*command, "--pid", str(site.folder / "pid"), *options, "site_wsgi:wrapped"], port)


@dataclasses.dataclass
class Upgrade:
    """A running upgrade.

    Args:
        site: the served site.
        server: the old server.
    """

    site: ServedSite
    server: Server

    def __post_init__(self) -> None:
        self._old = psutil.Process(self.server.process.pid)
        self._new: psutil.Process | None = None

    def start_new_server(self) -> None:
        """Start the new server from the current code, and stop the workers of the old server.

        The old server is suspended, because gunicorn stops its workers on request (WINCH) only with ``--daemon``.
        """
        workers = self._old.children()
        self._old.send_signal(signal.SIGUSR2)
        wait_for((self.site.folder / "pid.2").exists, "the new server starts", self.server)
        self._new = new = psutil.Process(int((self.site.folder / "pid.2").read_text()))
        wait_for(lambda: len(new.children()) == 2, "the new server has its workers", self.server)
        self._old.suspend()
        for worker in workers:
            worker.kill()
        wait_for(
            lambda: all(worker.status() == psutil.STATUS_ZOMBIE for worker in workers), "no old worker", self.server
        )
        wait_for(lambda: is_answered(self.server), "the server answers", self.server)

    def end_old_server(self) -> None:
        """Stop the old server permanently."""
        self._old.send_signal(signal.SIGQUIT)
        self._old.resume()
        self.server.process.wait(PATIENCE)
        wait_for(lambda: is_answered(self.server), "the server answers", self.server)

    def clean_up(self) -> None:
        """Stop all processes that are still running."""
        if self.server.process.poll() is None:
            self._old.resume()
        self.site.stop()
        if self._new is None or not self._new.is_running():
            return
        family = [self._new, *self._new.children(recursive=True)]
        self._new.terminate()
        _, alive = psutil.wait_procs(family, 20)
        for process in alive:
            process.kill()


@pytest.fixture
def upgrade(served_site: ServedSite) -> Iterator[Callable[[Server], Upgrade]]:
    """Yield a function that prepares the upgrade of a server. Its processes are stopped after the test."""
    upgrades: list[Upgrade] = []

    def upgrade(server: Server) -> Upgrade:
        upgrades.append(Upgrade(served_site, server))
        return upgrades[-1]

    yield upgrade
    for one in upgrades:
        one.clean_up()


def is_answered(server: Server) -> bool:
    """Return True if the server answers ``/live``."""
    try:
        return server.get("/api/health/live").status == 200
    except OSError:
        return False


@pytest.fixture(params=["the same user", "another user"])
def options(request: pytest.FixtureRequest, served_site: ServedSite) -> tuple[str, ...]:
    """Return the options of gunicorn that make its workers run as that user."""
    if request.param == "the same user":
        return ()
    if os.geteuid() != 0:
        pytest.skip("only root can switch to another user on 127.0.0.1: run the tests as root")
    served_site.launcher = unprivileged.launcher(served_site.folder)
    return ("--user", str(unprivileged.NOBODY), "--group", str(unprivileged.NOBODY))


def test_broken_code_is_not_ready_after_an_upgrade(
    served_site: ServedSite, options: tuple[str, ...], upgrade: Callable[[Server], Upgrade]
) -> None:
    """The new server does not inherit the startup latch, although it is a child of the old one (case S4)."""
    served_site.write(HEALTHY, adaptor="wrapper")
    server = start_gunicorn(served_site, *options)
    wait_until_ready(server)
    served_site.write(BROKEN, adaptor="wrapper")
    upgrading = upgrade(server)
    upgrading.start_new_server()
    beside = {path: statuses(server, path) for path in ("/ready", "/startup")}
    upgrading.end_old_server()
    alone = {path: statuses(server, path) for path in ("/ready", "/startup")}
    assert beside == alone == {"/ready": {503}, "/startup": {503}}


def test_new_code_becomes_ready_by_itself(
    served_site: ServedSite, options: tuple[str, ...], upgrade: Callable[[Server], Upgrade]
) -> None:
    served_site.write(BROKEN, adaptor="wrapper")
    server = start_gunicorn(served_site, *options)
    assert statuses(server, "/ready") == {503}
    served_site.write(HEALTHY, adaptor="wrapper")
    upgrading = upgrade(server)
    upgrading.start_new_server()
    wait_until_ready(server)
    upgrading.end_old_server()
    assert statuses(server, "/ready") == {200}
