"""Django projects that a test writes to a folder, and the real servers that serve them."""

from __future__ import annotations

import dataclasses
import functools
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

from example_project.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
"""The longest time that a server may take to start on a busy machine (seconds)."""
PATIENCE = 60.0
"""The longest wait for a condition that is met within a second on an idle machine (seconds)."""

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
TIME_ZONE = "UTC"
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
"""The environment variables of a process that coverage does not measure."""
WITHOUT_REDIS = str(REPOSITORY / "tests" / "support" / "without_redis")
"""A folder that makes a process start faster if it is in PYTHONPATH; see the module in it."""
ADAPTORS = ("urls", "middleware", "wrapper")
SERVERS = ("gunicorn-sync", "gunicorn-gthread", "uvicorn")


def wait_until(
    condition: Callable[[], object], explain: Callable[[], object] = lambda: "", *, seconds: float = PATIENCE
) -> None:
    """Wait until ``condition`` returns a true value.

    Raises:
        AssertionError: the condition was not met within ``seconds``; its message is the value of ``explain``.
    """
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, explain()
        time.sleep(0.02)


def _is_suspended(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


@dataclasses.dataclass(frozen=True)
class Reply:
    """A response.

    Args:
        status: the HTTP status.
        headers: the header values by lower-case name.
        body: the body.
        seconds: the time from the request to the end of the response (seconds).
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
        """The output of the server so far."""
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
        """Send a request over a new connection, as kubelet does. Without ``host``, Host is the address."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, headers={**({"Host": host} if host else {}), **(headers or {})})
            response = connection.getresponse()
            body = response.read()
            response_headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, response_headers, body, time.monotonic() - started)
        finally:
            connection.close()

    def until(self, path: str, status: int, seconds: float = PATIENCE, **options: Any) -> Reply:
        """Send requests until a response has ``status``, for at most ``seconds``; return the last response."""
        ends = time.monotonic() + seconds
        while True:
            reply = self.get(path, **options)
            if reply.status == status or time.monotonic() > ends:
                return reply
            time.sleep(0.1)

    def settled(self, path: str = "/api/health", **options: Any) -> Reply:
        """Return the response after all first runs have finished. The response must contain details."""
        wait_until(lambda: b'"code": "pending"' not in self.get(path, **options).body, lambda: self.log)
        return self.get(path, **options)

    def until_logged(self, line: str) -> None:
        """Wait until ``line`` is in the output, because it may be logged shortly after the response."""
        wait_until(lambda: line in self.log, lambda: self.log)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that serve requests."""
        master = psutil.Process(self.process.pid)
        return master.children() or [master]

    def each_worker(self, path: str, count: int) -> list[Reply]:
        """Send a request to each worker and return the responses.

        The other workers are stopped meanwhile, because an idle server may give all requests to one worker.
        """
        wait_until(lambda: len(self._forked()) == count)
        workers = self._forked()
        replies = []
        for selected in workers:
            others = [worker for worker in workers if worker.pid != selected.pid]
            for worker in others:
                worker.suspend()
            try:
                for worker in others:
                    wait_until(functools.partial(_is_suspended, worker))
                replies.append(self.get(path))
            finally:
                for worker in others:
                    worker.resume()
        return replies

    def _forked(self) -> list[psutil.Process]:
        return [worker for worker in self.workers() if "resource_tracker" not in "".join(worker.cmdline())]

    def threads(self) -> int:
        """Return the number of threads of all workers."""
        return sum(worker.num_threads() for worker in self.workers())

    def memory(self) -> int:
        """Return the resident memory of all workers (bytes)."""
        return sum(worker.memory_info().rss for worker in self.workers())

    def stop(self) -> float:
        """Stop the server as Kubernetes does, and return the time that this took (seconds)."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                processes: list[psutil.Process | subprocess.Popen[bytes]] = [self.process]
                processes[:0] = psutil.Process(self.process.pid).children(recursive=True)
                for process in processes:
                    process.kill()
                self.process.wait()
        return time.monotonic() - started


class Site:
    """A Django project in a folder.

    Args:
        folder: the folder to which the project is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secret_key = secrets.token_urlsafe(64)
        self.environment: dict[str, str] = {}
        self.is_measured = False
        """True to measure coverage in the project's processes, which then take twice as long to start."""
        self.launcher: list[str] = []
        """A command that runs the command of each server, which is appended to it."""
        self.pass_fds: tuple[int, ...] = ()
        """The open files that the servers inherit."""
        self._servers: list[Server] = []
        self.write()

    def write(self, settings: str = "", urls: str = URLS, adaptor: str = "urls", **modules: str) -> Site:
        """Write the files of the project, replacing the old ones.

        Args:
            settings: the code to append to the usual settings.
            urls: the code of the URLconf.
            adaptor: the way in which healthguard is installed: one of ADAPTORS.
            modules: the code of further modules by name.
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
        """The environment variables of the project's processes."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "site_settings",
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(REPOSITORY), WITHOUT_REDIS]),
            "NO_PROXY": "127.0.0.1",
            **({} if self.is_measured else UNMEASURED),
            **self.environment,
        }

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py and return the finished process."""
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
            command = ["uvicorn", "--port", str(port), "--workers", str(workers), "--lifespan", "off"]
            # Longer than a test suspends a worker. By default uvicorn kills one that is silent for 5 s.
            command += ["--timeout-worker-healthcheck", "60", application]
        else:
            threads = ["--threads", "4"] if kind == "gunicorn-gthread" else []
            command = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", str(workers), *threads]
            command += ["--no-control-socket", "--worker-class", kind.removeprefix("gunicorn-"), application]
        return self.launch([sys.executable, "-m", *command, *options], port, live)

    def launch(self, command: list[str], port: int, live: str = "/api/health/live") -> Server:
        """Start a server with ``command`` and wait until it answers on ``port`` at ``live``."""
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
        """Stop all servers of the project."""
        for server in self._servers:
            server.stop()
