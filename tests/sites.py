"""Django projects written for one test, and the real servers that serve them."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from example_project.deployment import free_port

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
"""How long a server may take to start on a busy machine."""
PATIENCE = 60.0
"""How long to wait for something that happens within a second on an idle machine (seconds)."""

SETTINGS = """
import os
from healthguard import Service
from healthguard.checks import *
SECRET_KEY = os.environ.get("SECRET_KEY", {secret!r})
ALLOWED_HOSTS = ["example.com"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "healthguard"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "site_urls"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {sqlite!r}}}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
LOGGING = {{
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {{"line": {{"format": "LOG %(levelname)s %(name)s %(message)s"}}}},
    "handlers": {{"stderr": {{"class": "logging.StreamHandler", "formatter": "line"}}}},
    "root": {{"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "INFO")}},
}}
"""
URLS = """
from django.http import HttpResponse
from django.urls import include, path
def home(request):
    return HttpResponse("home")
urlpatterns = [path("", home), path("api/health", include("healthguard.urls")), path("api/healthcare", home)]
"""
GATEWAY = """
import os
from django.core.{protocol} import get_{protocol}_application
import healthguard.{protocol}
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
plain = get_{protocol}_application()
wrapped = healthguard.{protocol}.guard(plain)
"""

UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
"""The environment of a process whose lines coverage does not note."""
ADAPTORS = ("urls", "middleware", "wrapper")
SERVERS = ("gunicorn-sync", "gunicorn-gthread", "uvicorn")


def wait_until(condition: Callable[[], object], explain: Callable[[], object] = lambda: "") -> None:
    """Wait until ``condition`` holds.

    Raises:
        AssertionError: it does not, within a generous time.
    """
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, explain()
        time.sleep(0.02)


@dataclasses.dataclass(frozen=True)
class Reply:
    """What came back.

    Args:
        status: the HTTP status.
        headers: by lower-case name.
        body: the body.
        seconds: how long it took.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def get(
        self,
        path: str = "/api/health",
        method: str = "GET",
        headers: dict[str, str] | None = None,
        *,
        host: str | None = None,
        timeout: float = PATIENCE,
    ) -> Reply:
        """Ask over a new connection, as kubelet does. Without ``host``, the address is the Host."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, headers={**({"Host": host} if host else {}), **(headers or {})})
            response = connection.getresponse()
            body = response.read()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, body, time.monotonic() - started)
        finally:
            connection.close()

    def until(self, path: str, status: int, seconds: float = PATIENCE, **options: Any) -> Reply:
        """Ask until ``status`` comes back; the last reply in any case."""
        ends = time.monotonic() + seconds
        while True:
            reply = self.get(path, **options)
            if reply.status == status or time.monotonic() > ends:
                return reply
            time.sleep(0.1)

    def until_logged(self, line: str) -> None:
        """Wait until ``line`` is in what it has printed: a log line may come a moment after the answer."""
        wait_until(lambda: line in self.log, lambda: self.log)

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        master = psutil.Process(self.process.pid)
        return master.children() or [master]

    def each_worker(self, path: str, count: int) -> list[Reply]:
        """Ask every worker. The others are stopped meanwhile: an idle server may give all requests to one of them."""
        wait_until(lambda: len(self._forked()) == count)
        workers = self._forked()
        replies = []
        for asked in workers:
            others = [worker for worker in workers if worker.pid != asked.pid]
            for worker in others:
                worker.suspend()
            try:
                for worker in others:
                    wait_until(lambda worker=worker: worker.status() == psutil.STATUS_STOPPED)
                replies.append(self.get(path))
            finally:
                for worker in others:
                    worker.resume()
        return replies

    def _forked(self) -> list[psutil.Process]:
        return [worker for worker in self.workers() if "resource_tracker" not in "".join(worker.cmdline())]

    def threads(self) -> int:
        """How many threads its processes have in all."""
        return sum(worker.num_threads() for worker in self.workers())

    def memory(self) -> int:
        """What its processes hold in memory in all (bytes)."""
        return sum(worker.memory_info().rss for worker in self.workers())

    def stop(self) -> float:
        """End it as Kubernetes does; how long it took (seconds)."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                for process in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
                    process.kill()
                self.process.wait()
        return time.monotonic() - started


class Site:
    """A Django project in a folder of its own.

    Args:
        folder: where it is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secret_key = secrets.token_urlsafe(64)
        self.environment: dict[str, str] = {}
        self.is_measured = False
        """Whether coverage notes the lines that its processes run. It makes a server's start take twice as long."""
        self.launcher: list[str] = []
        """What a server is started with, in front of its own command."""
        self.pass_fds: tuple[int, ...] = ()
        """Open files that a server inherits."""
        self._servers: list[Server] = []
        self.write()

    def write(self, settings: str = "", urls: str = URLS, adaptor: str = "urls", **modules: str) -> Site:
        """Write it anew.

        Args:
            settings: what follows the usual settings.
            urls: the URLconf.
            adaptor: how healthguard is installed: one of ADAPTORS.
            modules: further modules by name.
        """
        usual = SETTINGS.format(secret=self.secret_key, sqlite=str(self.folder / "site.sqlite3"))
        first = "\nMIDDLEWARE.insert(0, 'healthguard.middleware.HealthGuardMiddleware')\n" * (adaptor == "middleware")
        texts = {
            "site_settings": usual + textwrap.dedent(settings) + first,
            "site_urls": textwrap.dedent(urls),
            "site_wsgi": GATEWAY.format(protocol="wsgi"),
            "site_asgi": GATEWAY.format(protocol="asgi"),
            **modules,
        }
        for name, text in texts.items():
            (self.folder / f"{name}.py").write_text(textwrap.dedent(text))
        self._application = "wrapped" if adaptor == "wrapper" else "plain"
        return self

    @property
    def env(self) -> dict[str, str]:
        """The environment of its processes."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "site_settings",
            "PYTHONPATH": f"{self.folder}{os.pathsep}{REPOSITORY}",
            "NO_PROXY": "127.0.0.1",
            **({} if self.is_measured else UNMEASURED),
            **self.environment,
        }

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py."""
        return subprocess.run(
            [sys.executable, "-m", "django", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    def migrate(self) -> None:
        done = self.manage("migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr

    def serve(
        self,
        kind: str = "gunicorn-gthread",
        *options: str,
        workers: int = 1,
        live: str = "/api/health/live",
        port: int | None = None,
    ) -> Server:
        """Start a server of ``kind``, one of SERVERS, and wait until it answers at ``live``."""
        port = port or free_port()
        protocol = "asgi" if kind == "uvicorn" else "wsgi"
        application = f"site_{protocol}:{self._application}"
        if kind == "uvicorn":
            command = ["uvicorn", "--port", str(port), "--workers", str(workers), "--lifespan", "off", application]
        else:
            threads = ["--threads", "4"] if kind == "gunicorn-gthread" else []
            command = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", str(workers), *threads]
            command += ["--no-control-socket", "--worker-class", kind.removeprefix("gunicorn-"), application]
        return self.launch([sys.executable, "-m", *command, *options], port, live)

    def launch(self, command: list[str], port: int, live: str = "/api/health/live") -> Server:
        """Start any server with ``command`` and wait until it answers on ``port``, at ``live``."""
        log = self.folder / f"server-{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*self.launcher, *command],
                cwd=self.folder,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=self.pass_fds,
            )
        server = Server(process, port, log)
        self._servers.append(server)
        ends = time.monotonic() + START_SECONDS
        while True:
            try:
                server.get(live)
            except OSError:
                assert process.poll() is None, server.log
                assert time.monotonic() < ends, server.log
                time.sleep(0.05)
            else:
                return server

    def stop(self) -> None:
        """End all its servers."""
        for server in self._servers:
            server.stop()
