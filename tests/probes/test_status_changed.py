"""The signal ``status_changed`` on real servers: each change is sent by one worker of the pod."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.recorded_check import RECORDED
from tests.support.sites import Server, Site, wait_until

WORKERS = 3
SETTINGS = """
import recorded
INSTALLED_APPS.append("receivers.ReceiversConfig")
HEALTHGUARD = {"SERVICES": {"one": Service(recorded.Recorded(), ttl=0.3, timeout=60)}, "DEADLINE": 30}
"""
RECEIVERS = """
import os, pathlib
from django.apps import AppConfig
from django.dispatch import receiver
from healthguard.signals import status_changed

@receiver(status_changed)
def write(service, previous, status, problems, **arguments):
    codes = ",".join(problem.code for problem in problems)
    with open(pathlib.Path(__file__).parent / "sent", "a") as file:
        file.write(f"{os.getpid()} {'.'.join(service)}: {previous} -> {status} {codes}\\n")
    HANGS

class ReceiversConfig(AppConfig):
    name = "receivers"
"""
HANGS = "import threading; threading.Event().wait()"
BEGINS, ENDS = "one: healthy -> unhealthy unavailable", "one: unhealthy -> healthy "


def serve(site: Site, kind: str, action: str) -> Server:
    receivers = RECEIVERS.replace("HANGS", action)
    site.write(SETTINGS, adaptor="middleware", recorded=RECORDED, receivers=receivers)
    return site.serve(kind, workers=WORKERS)


def sent(site: Site) -> list[str]:
    """Return the changes that receivers of any worker have got, in order."""
    path = site.folder / "sent"
    return [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []


def answers(server: Server, status: int) -> Callable[[], bool]:
    """Return a condition that is met when a request is answered with ``status``."""
    return lambda: server.get().status == status


@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_each_change_is_sent_once_for_all_workers(site: Site, kind: str) -> None:
    server = serve(site, kind, "pass")
    wait_until(answers(server, 200), lambda: server.log)
    expected = ["one: unknown -> healthy "]
    for status, line in ((503, BEGINS), (200, ENDS), (503, BEGINS), (200, ENDS)):
        off = site.folder / "off"
        off.touch() if status == 503 else off.unlink()
        wait_until(answers(server, status), lambda: server.log)
        # Each worker finds the change.
        assert [reply.status for reply in server.each_worker("/api/health", WORKERS)] == [status] * WORKERS
        expected.append(line)
        wait_until(lambda: len(sent(site)) == len(expected), lambda: (sent(site), server.log))
    server.stop()
    assert sent(site) == expected


def test_receiver_that_hangs_delays_no_answer_and_no_shutdown(site: Site) -> None:
    server = serve(site, "gunicorn-gthread", HANGS)
    wait_until(answers(server, 200), lambda: server.log)
    wait_until(lambda: sent(site) != [], lambda: server.log)
    (site.folder / "off").touch()
    wait_until(answers(server, 503), lambda: server.log)
    server.stop()
    assert server.process.returncode == 0
