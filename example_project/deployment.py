"""What the demo and the replay of the outage share: a healthy environment, and a server that runs in it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
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


def anthropic_key() -> str:
    """A key of Anthropic's form, made up at random: no provider knows it, only the simulator."""
    alphabet = string.ascii_letters + string.digits + "_-"
    return "sk-ant-api03-" + "".join(secrets.choice(alphabet) for _ in range(93)) + "AA"


def openai_key() -> str:
    """The same of OpenAI's form."""
    alphabet = string.ascii_letters + string.digits
    first, second = ("".join(secrets.choice(alphabet) for _ in range(74)) for _ in range(2))
    return f"sk-proj-{first}T3BlbkFJ{second}"


def healthy_environment(base_urls: dict[str, str], database_url: str | None = None) -> dict[str, str]:
    """The environment of a deployment with which all is well."""
    environment = {
        **os.environ,
        **base_urls,
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ANTHROPIC_API_KEY": anthropic_key(),
        "OPENAI_API_KEY": openai_key(),
        "HEALTHGUARD_TOKEN": secrets.token_urlsafe(32),
        # The simulator is here: what is proxied would not find it.
        "NO_PROXY": "127.0.0.1,localhost",
    }
    environment.pop("DATABASE_URL", None)
    if database_url is not None:
        environment["DATABASE_URL"] = database_url
    return environment


def provider_keys(environment: dict[str, str]) -> set[str]:
    """All keys of AI providers in ``environment``: those that were made up, and whatever else was there."""
    variables = {variable for provider in PROVIDERS.values() for variable in provider.variables}
    return {value for name, value in environment.items() if name in variables}


def manage(environment: dict[str, str], *arguments: str) -> str:
    """Run a command of manage.py in ``environment`` and return what it prints.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-m", "django", *arguments]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"'manage.py {' '.join(arguments)}' failed:\n{done.stderr.strip()}")
    return done.stdout.strip()


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that is free, and that the kernel gives to no other socket meanwhile.

    Those it chooses itself, for whoever connects or binds to port 0, begin at 32768 on Linux and higher elsewhere.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        if is_free(port):
            return port


class Server:
    """gunicorn with two workers, as a deployment has it.

    Args:
        port: where it listens on 127.0.0.1.
        environment: what it runs in.
        is_quiet: whether to keep its output from the terminal.
    """

    def __init__(self, port: int, environment: dict[str, str], *, is_quiet: bool = False) -> None:
        self.url = f"http://127.0.0.1:{port}"
        options = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4", "--log-level", "warning"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *options, "--no-control-socket", "--config", CONFIG, MODULE],
            env=environment,
            stderr=subprocess.DEVNULL if is_quiet else None,
        )

    def wait_until_live(self) -> None:
        """Wait until it answers.

        Raises:
            SystemExit: it ended, or does not answer.
        """
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            if self._process.poll() is not None:
                raise SystemExit("The server ended at once; see above for the reason.")
            if self.get("/api/health/live")[0] == 200:
                return
            time.sleep(0.1)
        self.stop()
        raise SystemExit(f"The server did not answer within {START_SECONDS:.0f} s.")

    def get(self, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of a request; status 0 where nothing answers."""
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
        """Wait until it ends; its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
