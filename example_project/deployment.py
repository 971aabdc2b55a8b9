"""A healthy environment and a server that runs in it, shared by the demo and the replay of the outage."""

from __future__ import annotations

import os
import secrets
import signal
import string
import subprocess
import sys
import time
import urllib.error
import urllib.request

from healthguard.providers import PROVIDERS

MODULE = "example_project.wsgi:application"
CONFIG = "python:example_project.gunicorn_conf"
START_SECONDS = 60.0
"""The longest time that a server may take to start (seconds)."""


def anthropic_key() -> str:
    """Return a random key in Anthropic's format. Only the simulator accepts it."""
    alphabet = string.ascii_letters + string.digits + "_-"
    return "sk-ant-api03-" + "".join(secrets.choice(alphabet) for _ in range(93)) + "AA"


def openai_key() -> str:
    """Return a random key in OpenAI's format. Only the simulator accepts it."""
    alphabet = string.ascii_letters + string.digits
    first, second = ("".join(secrets.choice(alphabet) for _ in range(74)) for _ in range(2))
    return f"sk-proj-{first}T3BlbkFJ{second}"


def healthy_environment(base_urls: dict[str, str], database_url: str | None = None) -> dict[str, str]:
    """Return the environment variables of a healthy deployment.

    Args:
        base_urls: the variables that direct the providers' clients to the simulator.
        database_url: the value of DATABASE_URL; None to use SQLite.
    """
    environment = {
        **os.environ,
        **base_urls,
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ANTHROPIC_API_KEY": anthropic_key(),
        "OPENAI_API_KEY": openai_key(),
        "HEALTHGUARD_TOKEN": secrets.token_urlsafe(32),
        # A proxy could not reach the simulator on this machine.
        "NO_PROXY": "127.0.0.1,localhost",
    }
    environment.pop("DATABASE_URL", None)
    if database_url is not None:
        environment["DATABASE_URL"] = database_url
    return environment


def provider_keys(environment: dict[str, str]) -> set[str]:
    """Return all keys of AI providers in ``environment``, generated or not."""
    variables = {variable for provider in PROVIDERS.values() for variable in provider.variables}
    return {value for name, value in environment.items() if name in variables}


def manage(environment: dict[str, str], *arguments: str) -> str:
    """Run a command of manage.py in ``environment`` and return its output.

    Raises:
        SystemExit: the command failed.
    """
    command = [sys.executable, "-m", "django", *arguments]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"'manage.py {' '.join(arguments)}' failed:\n{done.stderr.strip()}")
    return done.stdout.strip()


class Server:
    """A gunicorn server, by default with two workers.

    Args:
        port: the port on 127.0.0.1 to listen on.
        environment: the environment variables of the server.
        workers: the number of worker processes.
        is_quiet: True to discard its output on stderr.
    """

    def __init__(self, port: int, environment: dict[str, str], *, workers: int = 2, is_quiet: bool = False) -> None:
        self.url = f"http://127.0.0.1:{port}"
        options = ["--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--threads", "4"]
        command = [sys.executable, "-m", "gunicorn", "--log-level", "warning", "--no-control-socket"]
        self._process = subprocess.Popen(
            [*command, *options, "--config", CONFIG, MODULE],
            env=environment,
            stderr=subprocess.DEVNULL if is_quiet else None,
        )

    def wait_until_live(self) -> None:
        """Wait until the server answers.

        Raises:
            SystemExit: the server ended, or did not answer within ``START_SECONDS``.
        """
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            if self._process.poll() is not None:
                raise SystemExit("The server ended during startup. See its output above for the reason.")
            if self.get("/api/health/live")[0] == 200:
                return
            time.sleep(0.1)
        self.stop()
        raise SystemExit(f"The server did not answer within {START_SECONDS:.0f} s.")

    def get(self, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> tuple[int, bytes]:
        """Return the status and the body of a response; status 0 without a response."""
        request = urllib.request.Request(self.url + path, data=body, headers=headers or {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def wait(self) -> int:
        """Wait until the server ends and return its exit code."""
        # Not Popen.wait(), which misses a signal that arrives just before its system call.
        while self._process.poll() is None:
            time.sleep(0.1)
        return int(self._process.returncode)

    def stop(self) -> None:
        """Stop the server; kill it if it does not end within 10 seconds."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
