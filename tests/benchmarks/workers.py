"""The database connections that a server opens, by its workers and services: counted by PostgreSQL."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from example_project.postgres import Postgres
from tests.benchmarks.table import table
from tests.benchmarks.turns import Effort
from tests.support.sites import Site

WORKERS = (1, 2, 4, 8)
SERVICES = (1, 3, 5)

_TTL = 0.5
"""The ttl of each service (seconds)."""
_TTLS = 16
"""The number of ttls for which each server is probed."""
_PERIOD = 0.1
"""The time between two probes (seconds): five probes in a ttl, as with the default ttl and one probe a second."""
_FLUSH_SECONDS = 1.5
"""The time after which a session is in PostgreSQL's statistics for certain (seconds)."""

_SETTINGS = """
from tests.benchmarks.settings import *
from healthguard import Service
from healthguard.checks import RequiredTables
HEALTHGUARD = {{"SERVICES": {{f"service_{{n}}": Service(RequiredTables(["django_migrations"]), ttl={ttl})
                              for n in range({services})}}}}
"""


def measure(effort: Effort) -> str:
    """Return the table of the section. The counts do not depend on ``effort``."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="healthguard-bench-") as folder:
        for workers in WORKERS:
            counts = [_connections(Path(folder) / f"{workers}-{services}", workers, services) for services in SERVICES]
            rows.append((str(workers), *(f"{count / _TTLS:.2f}" for count in counts)))
    plural = {1: "service"}
    return table(("workers", *(f"{count} {plural.get(count, 'services')}" for count in SERVICES)), rows)


def _connections(folder: Path, workers: int, services: int) -> int:
    """Return the number of connections that a server opens while it is probed."""
    folder.mkdir()
    site = Site(folder)
    site.environment["LOG_LEVEL"] = "WARNING"
    site.write(_SETTINGS.format(ttl=_TTL, services=services), adaptor="middleware")
    server = site.serve("gunicorn-gthread", workers=workers)
    try:
        if server.until("/api/health", 200).status != 200:
            raise SystemExit(f"The server is not healthy.\n{server.log}")
        before = _sessions()
        ends = time.monotonic() + _TTL * _TTLS
        while time.monotonic() < ends:
            server.get("/api/health")
            time.sleep(_PERIOD)
        return _sessions() - before
    finally:
        site.stop()


def _sessions() -> int:
    """Return the number of sessions of the database since it was created."""
    time.sleep(_FLUSH_SECONDS)
    server = Postgres(os.environ["DATABASE_URL"])
    name = os.environ["DATABASE_URL"].rpartition("/")[2].partition("?")[0]
    statement = f"SELECT sessions FROM pg_stat_database WHERE datname = '{name}'"
    return int(str(server.execute(statement, database="postgres")[0][0]))
