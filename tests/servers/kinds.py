"""The servers under test, as data: their start commands and the replacement of their workers."""

from __future__ import annotations

import dataclasses
import enum
import importlib.metadata
import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.servers import apache
from tests.servers.unprivileged import NOBODY
from tests.support.sites import Server

UWSGI = (
    *("{bin}/uwsgi", "--master", "--die-on-term", "--need-app", "--enable-threads", "--threads", "2"),
    *("--http-socket", "127.0.0.1:{port}", "--processes", "2", "--module", "{application}"),
)
GUNICORN = ("{python}", "-m", "gunicorn", "--no-control-socket", "--bind", "127.0.0.1:{port}", "--workers", "2")
GRANIAN = (
    "{python}",
    "-m",
    "granian",
    "--port",
    "{port}",
    "--workers",
    "2",
    "--respawn-failed-workers",
    "{application}",
)


class Replacement(enum.Enum):
    """The reaction of a server when one of its workers is killed."""

    WORKER = "it starts another worker"
    NOTHING = "it ends"
    NO_WORKERS = "it has one process, which is the server"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A server and the options it is started with.

    Args:
        name: the name of the row in the table.
        distribution: the package that contains the server.
        protocol: ``wsgi`` or ``asgi``.
        adaptor: the adaptor of healthguard: ``wrapper`` or ``middleware``.
        command: the command, with the placeholders ``{python}``, ``{bin}``, ``{port}`` and ``{application}``. Empty for
            Apache, which needs a configuration file.
        workers: the number of processes that answer requests.
        worker_name: a text in the command line of a worker. Empty if each child of the server is a worker.
        replacement: the reaction of the server when a worker is killed.
        crash_loop_seconds: the time within which a second end of the same worker ends the server (seconds).
        has_accept_lock: True if only one process at a time waits for connections, and holds a lock meanwhile. If it is
            stopped, the others do not get any.
        is_started_as_root: True if the server is started as root and its workers run as another user.
    """

    name: str
    distribution: str
    protocol: str
    adaptor: str
    command: tuple[str, ...]
    workers: int = 2
    worker_name: str = ""
    replacement: Replacement = Replacement.WORKER
    crash_loop_seconds: float = 0.0
    has_accept_lock: bool = False
    is_started_as_root: bool = False

    @property
    def is_apache(self) -> bool:
        return self.distribution == "mod_wsgi"

    @property
    def version(self) -> str:
        return importlib.metadata.version(self.distribution)

    def skip_if_missing(self) -> None:
        """Skip the test if this machine cannot run the server."""
        if self.is_apache and apache.missing():
            pytest.skip(apache.missing())
        if self.is_started_as_root and not self.is_apache and os.geteuid() != 0:
            pytest.skip("only root can switch to another user on 127.0.0.1: run the tests as root")

    def command_for(self, folder: Path, port: int) -> list[str]:
        """Return the command that serves the site in ``folder`` on ``port``."""
        callable_name = "wrapped" if self.adaptor == "wrapper" else "plain"
        if self.is_apache:
            host = apache.VirtualHost("site", folder, port, callable_name, "display-name=%{GROUP}")
            return apache.command(folder, [host])
        places = {
            "python": sys.executable,
            "bin": str(Path(sys.executable).parent),
            "port": str(port),
            "application": f"site_{self.protocol}:{callable_name}",
        }
        return [part.format(**places) for part in self.command]

    def worker_processes(self, server: Server) -> list[psutil.Process]:
        """Return the processes that answer requests."""
        master = psutil.Process(server.process.pid)
        if self.replacement is Replacement.NO_WORKERS:
            return [master]
        return [child for child in master.children(recursive=True) if self._is_worker(child)]

    def _is_worker(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return self.worker_name in " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            return False


# uvicorn and hypercorn also have a child of multiprocessing that is not a worker: it tracks resources.
SPAWNED = "multiprocessing.spawn"

KINDS = [
    Kind("gunicorn sync", "gunicorn", "wsgi", "middleware", (*GUNICORN, "{application}")),
    Kind("gunicorn gthread", "gunicorn", "wsgi", "wrapper", (*GUNICORN, "--threads", "4", "{application}")),
    Kind("gunicorn gevent", "gunicorn", "wsgi", "middleware", (*GUNICORN, "--worker-class", "gevent", "{application}")),
    Kind(
        *("gunicorn UvicornWorker", "uvicorn-worker", "asgi", "wrapper"),
        (*GUNICORN, "--worker-class", "uvicorn_worker.UvicornWorker", "{application}"),
    ),
    Kind(
        *("uvicorn", "uvicorn", "asgi", "middleware"),
        ("{python}", "-m", "uvicorn", "--port", "{port}", "--workers", "2", "--lifespan", "off", "{application}"),
        worker_name=SPAWNED,
    ),
    Kind(
        *("hypercorn", "hypercorn", "asgi", "wrapper"),
        ("{python}", "-m", "hypercorn", "--bind", "127.0.0.1:{port}", "--workers", "2", "{application}"),
        worker_name=SPAWNED,
        replacement=Replacement.NOTHING,
    ),
    Kind("granian ASGI", "granian", "asgi", "middleware", (*GRANIAN, "--interface", "asgi"), crash_loop_seconds=6),
    Kind("granian WSGI", "granian", "wsgi", "wrapper", (*GRANIAN, "--interface", "wsgi"), crash_loop_seconds=6),
    Kind(
        *("daphne", "daphne", "asgi", "middleware"),
        ("{python}", "-m", "daphne", "--port", "{port}", "{application}"),
        workers=1,
        replacement=Replacement.NO_WORKERS,
    ),
    Kind(
        *("waitress", "waitress", "wsgi", "wrapper"),
        ("{python}", "-m", "waitress", "--listen", "127.0.0.1:{port}", "{application}"),
        workers=1,
        replacement=Replacement.NO_WORKERS,
    ),
    Kind("uWSGI", "uwsgi", "wsgi", "middleware", UWSGI),
    Kind(
        *("uWSGI `uid`, `auto-procname`", "uwsgi", "wsgi", "wrapper"),
        (*UWSGI, "--uid", str(NOBODY), "--gid", str(NOBODY), "--auto-procname"),
        is_started_as_root=True,
    ),
    Kind("uWSGI `lazy-apps`", "uwsgi", "wsgi", "middleware", (*UWSGI, "--lazy-apps")),
    Kind(
        *("mod_wsgi `display-name`", "mod_wsgi", "wsgi", "wrapper", ()),
        worker_name="(wsgi:site)",
        has_accept_lock=True,
        is_started_as_root=True,
    ),
]
