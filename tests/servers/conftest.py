"""The site that every server serves, and the record of the results."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from example_project.ports import free_port
from tests.faults.pods import FAULTY
from tests.servers import unprivileged
from tests.servers.kinds import Kind
from tests.servers.probing import wait_for_workers
from tests.servers.table import Record
from tests.support.links import Link
from tests.support.recorded_check import RECORDED
from tests.support.sites import Server, Site

# A request waits for a hung check until DEADLINE.
SETTINGS = """
import dj_database_url
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
HEALTHGUARD = {
    "SERVICES": {
        "database": Service(RequiredTables(["pg_class"]), ttl=0.2, timeout=5),
        "faulty": Service("faulty.Faulty", ttl=0.2, timeout=1),
        "fine": Service("tests.support.strange_checks.Fine", ttl=0.2),
    },
    "DEADLINE": 2,
    "DRAIN_FILE": os.environ["DRAIN_FILE"],
}
"""
URLS = """
import os
import time
from django.http import HttpResponse
from django.urls import include, path
def pid(request):
    time.sleep(0.2)
    return HttpResponse(str(os.getpid()))
urlpatterns = [path("pid", pid), path("api/health", include("healthguard.urls"))]
"""


class ServedSite(Site):
    """A site with a database that a test can disconnect, a check that can hang, and a drain file."""

    def __init__(self, folder: Path, link: Link) -> None:
        super().__init__(folder)
        self.link = link
        self.drain = folder / "drain"
        self.fault = folder / "fault"
        self.fault.write_text("")
        temporary = folder / "tmp"
        temporary.mkdir()
        temporary.chmod(0o1777)
        self.environment |= {
            "DATABASE_URL": link.url,
            "DRAIN_FILE": str(self.drain),
            "FAULT": str(self.fault),
            "TMPDIR": str(temporary),
        }

    def start(self, kind: Kind, settings: str = SETTINGS) -> Server:
        """Start a server of ``kind`` and wait until all its workers answer."""
        self.write(settings, URLS, kind.adaptor, faulty=FAULTY, recorded=RECORDED)
        port = free_port()
        server = self.launch(kind.command_for(self.folder, port), port)
        wait_for_workers(server, kind.workers)
        return server


@pytest.fixture(scope="session")
def record() -> Record:
    """The results of the tests of this session."""
    return Record()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder that every user of this machine may enter."""
    with tempfile.TemporaryDirectory(prefix="healthguard-servers-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def served_site(open_folder: Path, link: Link) -> Iterator[ServedSite]:
    """The site that the servers serve."""
    site = ServedSite(open_folder, link)
    yield site
    # A hung check must end with the test.
    site.fault.write_text("")
    site.stop()


@pytest.fixture
def start(served_site: ServedSite) -> Callable[..., Server]:
    """Return a function that starts a server, or skips the test if this machine cannot run it."""

    def start(kind: Kind, settings: str = SETTINGS) -> Server:
        kind.skip_if_missing()
        if kind.is_started_as_root and not served_site.launcher:
            served_site.launcher = unprivileged.launcher(served_site.folder)
        return served_site.start(kind, settings)

    return start
