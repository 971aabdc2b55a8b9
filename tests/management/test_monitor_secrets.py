"""The secrets of the monitor: the URLs of its channels and of its heartbeat, and the token for the instances."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pytest_httpserver import HTTPServer

from example_project.webhook_receiver import WebhookReceiver
from healthguard.management import monitor_options
from healthguard.management.monitor_options import Options
from healthguard.monitor.channels import Routing
from healthguard.monitor.heartbeat import Heartbeat
from tests.management.conftest import Command, Project
from tests.management.monitors import RunningMonitor, SilentServer, files_in, switched
from tests.support.sites import wait_until

SECRET = "Vq3zN8rT5wXb7Yc2KdLm9Pf4"
TOKEN = "Hd7sK2pQx9WmZ4vBn6Tj3Rg8"
RAISING_APPRISE = """
class AppriseAsset:
    def __init__(self, **options): pass
class NotifyType:
    FAILURE = "failure"
class Apprise:
    def __init__(self, asset): pass
    def add(self, url):
        self.url = url
        print("stdout", url)
        return True
    def notify(self, **options):
        import logging
        logging.getLogger("apprise").error("Failed: %s error=%s", self.url, self.url)
        logging.getLogger("other").critical("Failed: %s %d", self.url, "no number")
        raise ValueError(self.url)
"""


@pytest.fixture
def closed() -> Iterator[SilentServer]:
    """A server that refuses connections."""
    server = SilentServer(is_listening=False)
    yield server
    server.close()


def secrets_in(text: str) -> list[str]:
    """Return the secrets that a text contains."""
    return [secret for secret in (SECRET, TOKEN) if secret in text]


def test_secrets_are_in_no_output_file_or_process(
    project: Project, receiver: WebhookReceiver, closed: SilentServer, httpserver: HTTPServer
) -> None:
    """The receivers reject the message, refuse it, have no address, and have a password; all logs are shown."""
    receiver.status_of = lambda message: 500
    httpserver.expect_request("/health").respond_with_json({"status": "unhealthy"}, 503)
    switched(project, "a")
    urls = [
        f"{receiver.url}{SECRET}",
        f"json://user:{SECRET}@127.0.0.1:{closed.port}/",
        f"json://{SECRET}.invalid/{SECRET}",
        f"jsons://127.0.0.1:{receiver.port}/?+X-Token={SECRET}",
    ]
    channels = [part for url in urls[:2] for part in ("--notify", url)]
    heartbeat = f"http://user:{SECRET}@127.0.0.1:{closed.port}/{SECRET}?key={SECRET}"
    monitor = RunningMonitor(
        project,
        *("--url", httpserver.url_for("/health"), *channels, "--notify", "MORE", "--heartbeat", heartbeat),
        *("--heartbeat-style", "healthchecks", "--interval", "0.2", "--after", "1", "--state", "state.json"),
        *("-v", "3", "--traceback", "--format", "json"),
        MORE=" ".join(urls[2:]),
        HEALTHGUARD_TOKEN=TOKEN,
        LOG_LEVEL="DEBUG",
    )
    with contextlib.ExitStack() as stack:
        stack.callback(monitor.kill)
        monitor.wait_for('"event": "undelivered"', 4)
        monitor.wait_for('"event": "heartbeat"')
        processes = [psutil.Process(monitor.process.pid), *monitor.children()]
        commands = json.dumps([[process.cmdline(), process.name()] for process in processes])
        assert len(processes) == 2
        assert monitor.stop() == 0
    assert secrets_in(monitor.output + commands + "".join(files_in(project.site.folder))) == []
    assert httpserver.log[0][0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "LOG DEBUG" in monitor.output
    assert len(list(files_in(project.site.folder))) >= 2


def test_error_of_apprise_itself_shows_no_url(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A plugin prints its URL, logs it with wrong arguments, and raises an error that contains it."""
    (tmp_path / "apprise.py").write_text(RAISING_APPRISE)
    monkeypatch.syspath_prepend(tmp_path)
    command.declare('{"bad": Fails()}')
    state = tmp_path / "state.json"
    done = command.run("monitor", "--once", "--notify", f"slack://{SECRET}", "--state", str(state), "-v", "3")
    assert "A message could not be sent over channel 1 (slack): Apprise could not send it: ValueError." in done.out
    assert secrets_in(done.out + done.err + str(capfd.readouterr()) + "".join(files_in(tmp_path))) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--notify", f"bogus://{SECRET}"],
        ["--notify", f"slack://{SECRET}"],
        ["--notify", f"mailto://user:{SECRET}@"],
        ["--notify", f"json://127.0.0.1:port/{SECRET}", "--heartbeat", f"ftp://{SECRET}"],
        ["--notify", "URLS"],
        ["--heartbeat", f"http://user:{SECRET}@/"],
        ["--heartbeat", f"http://[{SECRET}/"],
        ["--heartbeat", f"http://a.example:99999/{SECRET}"],
        ["--url", f"http://user:{SECRET}@a.example/"],
        ["--heartbeat", "HEALTHGUARD_TOKEN"],
        [f"slack://{SECRET}"],
        ["--mute", f"slack://{SECRET}", "--until", "2h"],
        ["--until", f"slack://{SECRET}"],
        ["--interval", f"slack://{SECRET}"],
        ["--token-env", f"{SECRET}-{SECRET}"],
        ["--ntfy", f"slack://{SECRET}"],
        [f"--ntfy=slack://{SECRET}"],
        ["--heartbeat-style", f"https://a.example/{SECRET}"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(SECRET, "SECRET"),
)
def test_error_shows_no_secret(
    command: Command, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, arguments: list[str]
) -> None:
    caplog.set_level("DEBUG")
    command.declare('{"good": Passes()}')
    environment = {"URLS": f"{SECRET} bogus://{SECRET}", "HEALTHGUARD_TOKEN": TOKEN}
    done = command.run("monitor", "--once", "-v", "3", *arguments, **environment)
    assert done.code == 2
    assert secrets_in(done.out + done.err + str(capfd.readouterr()) + caplog.text) == []


@pytest.mark.parametrize("option", ["--notify", "--notify-noncritical", "--heartbeat"])
@pytest.mark.parametrize(
    "password",
    ["$(SMTP_PASSWORD)", "changeme", "", f"{SECRET}%0A"],
    ids=["reference", "placeholder", "empty", "line break"],
)
@pytest.mark.parametrize("is_variable", [False, True])
def test_unusable_password_in_a_url_ends_with_2(
    command: Command, option: str, password: str, is_variable: bool
) -> None:
    """The first message would otherwise be lost, during an outage."""
    url = f"http://ops:{password}@127.0.0.1:1/"
    done = command.declare('{"good": Passes()}').run(
        "monitor", "--once", option, "CHANNEL" if is_variable else url, CHANNEL=url
    )
    assert done.code == 2
    assert f"of {option} contains a password that" in done.err
    assert secrets_in(done.out + done.err) == []


@pytest.mark.parametrize("key", ["NOTIFY", "NOTIFY_NONCRITICAL"])
@pytest.mark.parametrize("password", ["$(SMTP_PASSWORD)", ""])
def test_unusable_password_in_a_declared_url_ends_with_2(command: Command, key: str, password: str) -> None:
    done = command.declare('{"good": Passes()}', MONITOR={key: [f"mailto://ops:{password}@example.com"]}).run(
        "monitor", "--once"
    )
    assert done.code == 2
    assert f"HEALTHGUARD['MONITOR']['{key}'][0] contains a" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--notify", f"slack://{SECRET}", "monitor"],
        [f"--notify=slack://{SECRET}", "monitor"],
        [f"slack://{SECRET}"],
        ["--verbosity", f"slack://{SECRET}", "monitor"],
        ["--settings", "a", f"slack://{SECRET}", "monitor"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(SECRET, "SECRET"),
)
def test_error_before_the_subcommand_shows_no_secret(
    command: Command, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    done = command.run(*arguments)
    assert done.code == 2
    assert "usage: manage.py healthguard" in done.err
    assert secrets_in(done.out + done.err + str(capfd.readouterr())) == []


def test_traceback_shows_no_secret(project: Project) -> None:
    """With --traceback, Django shows the whole traceback of an error."""
    switched(project, "a")
    monitor = RunningMonitor(project, "--traceback", "--notify", f"bogus://{SECRET}", "--heartbeat", "TOKEN", TOKEN="x")
    assert monitor.process.wait() != 0
    assert "Traceback" in monitor.output
    assert secrets_in(monitor.output) == []


def test_test_message_shows_no_url(command: Command, receiver: WebhookReceiver) -> None:
    receiver.status_of = lambda message: 500
    done = command.declare('{"good": Passes()}').run(
        "monitor", "--test-notify", "--notify", f"{receiver.url}{SECRET}", "-v", "3"
    )
    assert "not delivered: the receiver answered with HTTP status 500" in done.out
    assert secrets_in(done.out + done.err) == []


def test_no_object_shows_a_secret() -> None:
    url = f"json://user:{SECRET}@a.example/{SECRET}"
    parser = argparse.ArgumentParser()
    monitor_options.add_arguments(parser)
    arguments = parser.parse_args(
        ["--notify", url, "--notify-noncritical", url, "--heartbeat", f"http://a.example/{SECRET}"]
    )
    options = Options.of(vars(arguments))
    assert options.notify == (url,)
    parts = [
        options,
        Routing.of([url], [url]),
        Routing.of([url]).channels,
        Heartbeat(f"http://{SECRET}@a.example/{SECRET}"),
    ]
    assert secrets_in(repr(parts) + str(parts)) == []


def test_message_does_not_contain_the_url_of_its_channel(command: Command, receiver: WebhookReceiver) -> None:
    """Other channels get the same text."""
    command.declare('{"bad": Fails()}').run("monitor", "--once", "--notify", f"{receiver.url}{SECRET}")
    wait_until(lambda: receiver.messages)
    assert secrets_in(json.dumps(receiver.messages)) == []
