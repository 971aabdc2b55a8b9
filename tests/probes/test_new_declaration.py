"""Workers that start with another declaration do not share what the workers before them have stored."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.sites import Server, Site, wait_until

SETTINGS = """
import check_of_a_file, pathlib
OPTION = pathlib.Path(__file__).with_name("option").read_text()
HEALTHGUARD = {"SERVICES": {"one": Service(check_of_a_file.Switched(OPTION), ttl=0)}}
"""
CHECK = """
import dataclasses, pathlib
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable
@dataclasses.dataclass
class Switched(HealthCheck):
    option: str
    def run(self):
        if pathlib.Path(__file__).with_name("off").exists():
            raise ServiceUnavailable("off")
"""


def serve_failing(site: Site, *options: str) -> Server:
    """Start a server that has been ready once, and whose only service is unhealthy now."""
    site.is_measured = True
    (site.folder / "option").write_text("first")
    server = site.write(SETTINGS, adaptor="middleware", check_of_a_file=CHECK).serve(
        "gunicorn-sync", *options, workers=2
    )
    assert server.until("/api/health/ready", 200).status == 200
    (site.folder / "off").touch()
    assert server.until("/api/health", 503).status == 503
    return server


def append(file: Path, text: str = "\n# changed") -> None:
    file.write_text(file.read_text() + text)


def until_replaced(server: Server, before: set[int]) -> None:
    """Wait until all workers are other processes than ``before``."""

    def is_replaced() -> bool:
        now = {worker.pid for worker in server.workers()}
        return len(now) == 2 and not now & before

    wait_until(is_replaced, lambda: server.log)


@pytest.mark.parametrize(("changed", "status"), [("option", 503), ("site_settings.py", 503), (None, 200)])
def test_reloaded_workers_share_the_latch_unless_the_declaration_has_changed(
    site: Site, changed: str | None, status: int
) -> None:
    """After a HUP, the new workers of gunicorn read the settings again."""
    server = serve_failing(site)
    if changed is not None:
        append(site.folder / changed)
    before = {worker.pid for worker in server.workers()}
    server.process.send_signal(signal.SIGHUP)
    until_replaced(server, before)
    assert [reply.status for reply in server.each_worker("/api/health/ready", 2)] == [status] * 2


def test_replaced_worker_of_a_preloaded_server_shares_the_latch_after_a_deploy_of_files(site: Site) -> None:
    """It runs the code that its master has loaded, although the files have changed since."""
    server = serve_failing(site, "--preload")
    append(site.folder / "site_settings.py")
    append(site.folder / "check_of_a_file.py")
    before = {worker.pid for worker in server.workers()}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until_replaced(server, before)
    assert [reply.status for reply in server.each_worker("/api/health/ready", 2)] == [200, 200]
