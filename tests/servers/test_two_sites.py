"""Two sites that one Apache serves as the same user do not share the startup latch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.ports import free_port
from tests.servers import apache, unprivileged
from tests.support.sites import Server, Site

HEALTHY = 'HEALTHGUARD = {"SERVICES": {"one": "tests.support.strange_checks.Fine"}}'
BROKEN = 'HEALTHGUARD = {"SERVICES": {"one": EnvironmentVariable("HEALTHGUARD_TEST_NOT_SET")}}'


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that Apache's user may enter."""
    with tempfile.TemporaryDirectory(prefix="healthguard-servers-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def write_site(folder: Path, settings: str) -> Site:
    folder.mkdir()
    return Site(folder).write(settings, adaptor="wrapper")


@pytest.mark.parametrize("options", ["", "display-name=%{GROUP}"], ids=["no display-name", "display-name"])
def test_site_that_was_never_ready_is_not_ready_beside_one_that_was(folder: Path, options: str) -> None:
    """The startup latch belongs to a site, not to Apache (case S3)."""
    if apache.missing():
        pytest.skip(apache.missing())
    ready, broken = write_site(folder / "ready", HEALTHY), write_site(folder / "broken", BROKEN)
    port, other_port = free_port(), free_port()
    hosts = [
        apache.VirtualHost("ready", ready.folder, port, "wrapped", options),
        apache.VirtualHost("broken", broken.folder, other_port, "wrapped", options),
    ]
    ready.launcher = unprivileged.launcher(folder)
    try:
        server = ready.launch(apache.command(folder, hosts), port)
        assert server.until("/api/health/ready", 200, 30).status == 200, server.log
        other = Server(server.process, other_port, folder / "server.log")
        assert [other.get("/api/health/ready").status for _ in range(20)] == [503] * 20
        assert [server.get("/api/health/ready").status for _ in range(20)] == [200] * 20
    finally:
        ready.stop()
