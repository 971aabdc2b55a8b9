"""``manage.py healthguard monitor``: what it watches, the messages that it sends, and its exit codes."""

from __future__ import annotations

import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import trustme
from pytest_httpserver import HTTPServer

from example_project.webhook_receiver import WebhookReceiver
from tests.management.conftest import Command, Done
from tests.management.monitors import SilentServer, changes, once

MIXED = '{"good": Passes(), "bad": Fails(), "group": {"loose": Warns(), "fine": [Passes(), Passes()]}}'


@pytest.fixture
def monitored(command: Command, receiver: WebhookReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command of a project whose services do not matter."""
    monkeypatch.chdir(tmp_path)
    return command.declare('{"local": Passes()}')


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    """A server that never answers."""
    server = SilentServer()
    yield server
    server.close()


def once_at(command: Command, *arguments: str) -> Done:
    """Run one round with the URLs among the arguments."""
    urls = [part for url in arguments if url.startswith("http") for part in ("--url", url)]
    return command.run("monitor", "--once", *urls, *(item for item in arguments if not item.startswith("http")))


def test_twenty_instances_are_each_reported_right(
    monitored: Command, receiver: WebhookReceiver, silent: SilentServer
) -> None:
    """The round ends, although one instance never answers."""
    closed = [SilentServer(is_listening=False) for _ in range(10)]
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with HTTPServer(host="127.0.0.1", threaded=True) as plain, HTTPServer("127.0.0.1", ssl_context=context) as secure:
        healthy = [f"http://127.0.0.1:{plain.port}/{number}" for number in range(8)]
        for number in range(8):
            plain.expect_request(f"/{number}").respond_with_json({"status": "healthy"})
        down = [f"http://127.0.0.1:{server.port}/health" for server in closed]
        hanging = f"http://127.0.0.1:{silent.port}/health"
        untrusted = f"https://127.0.0.1:{secure.port}/health"
        urls = [*healthy, *down, hanging, untrusted]
        done = once_at(monitored, *urls, "--format", "json", "--notify", receiver.url)
    for server in closed:
        server.close()
    found = changes(done)
    codes = {instance: [problem["code"] for problem in line["problems"]] for (instance, _), line in found.items()}
    assert codes == {
        **{instance: [] for instance in healthy},
        **{instance: ["endpoint_unreachable"] for instance in down},
        hanging: ["endpoint_timeout"],
        untrusted: ["endpoint_unreachable"],
    }
    assert done.code == 1
    (message,) = receiver.messages
    assert [url for url in (*down, hanging, untrusted) if url not in message["message"]] == []
    assert [url for url in healthy if url in message["message"]] == []
    assert "SSLCertVerification" in message["message"]


@pytest.mark.parametrize(
    ("services", "code"),
    [
        ('{"good": Passes()}', 0),
        ('{"loose": Warns()}', 0),
        ('{"bad": Fails()}', 1),
        ('{"bad": Service(Fails(), critical=False)}', 0),
        ('{"odd": 5}', 2),
        ("[]", 2),
        ("{}", 2),
    ],
)
def test_exit_code_of_one_round_is_that_of_check(command: Command, services: str, code: int) -> None:
    command.declare(services)
    assert once(command).code == code
    assert command.check().code == code


def test_full_message(command: Command, receiver: WebhookReceiver) -> None:
    done = once(command.declare(MIXED), "--notify", receiver.url, "--link", "https://dashboard.example/")
    (message,) = receiver.messages
    assert done.code == 1
    assert message["title"].startswith("healthguard: bad on here is unhealthy (and 1 more)")
    for text in ("The plug is out. [plug_out, config]", "Fix: Put it in.", "since", "https://dashboard.example/"):
        assert text in message["message"]
    assert message["type"] == "failure"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--mute", "local"], "--mute and --until are used together"),
        (["--until", "2h"], "--mute and --until are used together"),
        (["--mute", "local", "--until", "2h"], "--mute needs --state"),
        (["--mute", "local", "--until", "-1", "--state", "state.json"], "--until is a time that has passed."),
        (["--mute", "local", "--until", "2020-01-01T00:00Z", "--state", "state.json"], "a time that has passed"),
        (["--mute", "local", "--until", "soon", "--state", "state.json"], "must be a time"),
        (["--mute", "local", "--until", "inf", "--state", "state.json"], "must be a time"),
        (["--mute", "local", "--until", "nan", "--state", "state.json"], "must be a time"),
        (["--mute", "local", "--until", "9" * 400, "--state", "state.json"], "must be a time"),
        (["--mute", "local", "--until", "", "--state", "state.json"], "must be a time"),
        (["--state", ""], "--state is empty"),
        (["--state", "."], "is not the path of a file"),
        (["--state", "/"], "is not the path of a file"),
        (["--state", "/tmp/"], "is a directory"),
        (["--state", "/no/such/folder/state.json"], "does not exist: /no/such/folder. Create it."),
        (["--ca-file", "ca.pem"], "--ca-file is used only with --url"),
        (["--url", "http://a.example/", "--name", "a"], "--name is used only without --url"),
        (["--url", "http://a.example/h", "--url", "http://a.example/h"], "name the same instance"),
        (["--url", "http://a.example/h", "--url", "HTTP://A.example:80/h?x=1"], "name the same instance"),
        (["--url", "http://user:hunter2@a.example/"], "--url must not contain a user"),
        (["--url", "a.example"], "--url must be an http or https URL"),
        (["--notify", "NO_SUCH_VARIABLE"], "The environment variable NO_SUCH_VARIABLE of --notify is missing."),
        (["--notify", "EMPTY"], "The environment variable EMPTY of --notify is empty."),
        (["--notify-noncritical", "EMPTY"], "of --notify-noncritical is empty"),
        (["--notify", "no variable"], "--notify must be a URL, or the name"),
        (["--notify", "WITHOUT_SCHEME"], "Channel 1 (unknown) cannot be used: the URL is not valid for Apprise."),
        (["--notify", "bogus://hunter2"], "Channel 1 (bogus) cannot be used: the URL is not valid for Apprise."),
        (["--heartbeat", "EMPTY"], "The environment variable EMPTY of --heartbeat is empty."),
        (["--heartbeat", "ftp://hunter2/"], "--heartbeat must be an http or https URL."),
        (["--heartbeat", "WITHOUT_SCHEME"], "--heartbeat must be an http or https URL."),
        (["--test-notify"], "--test-notify needs a channel"),
        (["--interval", "0"], "must be a duration"),
        (["--interval", "inf"], "must be a duration"),
        (["--after", "0"], "must be a whole number from 1 to 1000"),
        (["--format", "xml"], "invalid choice"),
        (["locl"], "Did you mean 'local'?"),
        (["--notfy", "slack://hunter2"], "unrecognized arguments: --notfy"),
        (["--heartbeat-style", "https://hunter2/"], "invalid choice: '…'"),
        (["--notfy=slack://hunter2"], "unrecognized arguments: --notfy"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_wrong_usage_ends_with_2_and_one_sentence(monitored: Command, arguments: list[str], text: str) -> None:
    done = once(monitored, *arguments, EMPTY=" ", WITHOUT_SCHEME="hunter2")
    assert done.code == 2
    assert text in done.err.splitlines()[-1]
    assert "hunter2" not in done.err + done.out


@pytest.mark.parametrize("urls", [[""], [" "], [None], "", None])
@pytest.mark.parametrize("key", ["NOTIFY", "NOTIFY_NONCRITICAL"])
def test_empty_declared_url_ends_with_2(command: Command, key: str, urls: object) -> None:
    """An empty variable would otherwise lead to a monitor that sends no messages."""
    done = once(command.declare('{"good": Passes()}', MONITOR={key: urls}))
    assert done.code == 2
    assert f"HEALTHGUARD['MONITOR']['{key}'] contains an empty URL." in done.err


def test_invalid_setting_ends_with_2_also_for_running_instances(command: Command) -> None:
    """A text in place of a list would otherwise lead to a monitor that sends no messages."""
    command.declare('{"good": Passes()}', MONITOR={"NOTIFY": "slack://hunter2"})
    done = once_at(command, "http://127.0.0.1:1/health")
    assert done.code == 2
    assert "HEALTHGUARD['MONITOR']['NOTIFY'] is not a list of URLs." in done.err


def test_declared_channel_and_state_are_used(command: Command, receiver: WebhookReceiver, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    command.declare('{"bad": Fails()}', MONITOR={"NOTIFY": [receiver.url], "STATE": str(state)})
    once(command)
    assert len(receiver.messages) == 1
    assert state.exists()


def test_variable_may_contain_several_urls(command: Command, receiver: WebhookReceiver) -> None:
    once(command.declare('{"bad": Fails()}'), "--notify", "URLS", URLS=f" {receiver.url}a\n{receiver.url}b ")
    assert len(receiver.messages) == 2


def test_noncritical_services_go_to_another_channel(command: Command, receiver: WebhookReceiver) -> None:
    other = WebhookReceiver()
    command.declare('{"bad": Fails(), "minor": Service(Fails(), critical=False)}')
    once(command, "--notify", receiver.url, "--notify-noncritical", other.url)
    other.stop()
    titles = [message["title"] for message in (*receiver.messages, *other.messages)]
    assert titles == ["healthguard: bad on here is unhealthy", "healthguard: minor on here is degraded"]


def test_degraded_dependency_is_a_warning(command: Command, receiver: WebhookReceiver) -> None:
    once(command.declare('{"loose": Warns()}'), "--notify", receiver.url)
    (message,) = receiver.messages
    assert (message["title"], message["type"]) == ("healthguard: loose on here is degraded", "warning")


def test_test_message_reports_each_channel(monitored: Command, receiver: WebhookReceiver) -> None:
    done = monitored.run("monitor", "--test-notify", "--notify", receiver.url, "--notify", "json://127.0.0.1:1/")
    assert done.code == 1
    assert done.out.splitlines() == [
        "Channel 1 (json): delivered.",
        "Channel 2 (json): not delivered: Apprise could not send it.",
    ]
    assert [message["title"] for message in receiver.messages] == ["healthguard: test message"]


def test_message_that_is_lost_without_a_state_file_ends_with_1(
    command: Command, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status_of = lambda message: 500
    monkeypatch.setattr("healthguard.management.monitor.time.sleep", lambda seconds: None)
    done = once(command.declare('{"loose": Warns()}'), "--notify", receiver.url)
    assert done.code == 1
    assert "A message was not delivered, and is lost. Set --state to keep it." in done.err


@pytest.mark.parametrize(
    ("services", "style", "paths"),
    [
        ('{"good": Passes()}', "plain", ["/beat/1?a=b"]),
        ('{"loose": Warns()}', "plain", ["/beat/1?a=b"]),
        ('{"bad": Fails()}', "plain", []),
        ('{"good": Passes()}', "healthchecks", ["/beat/1?a=b"]),
        ('{"bad": Fails()}', "healthchecks", ["/beat/1/fail?a=b"]),
    ],
)
def test_heartbeat(command: Command, receiver: WebhookReceiver, services: str, style: str, paths: list[str]) -> None:
    url = f"http://127.0.0.1:{receiver.port}/beat/1?a=b"
    once(command.declare(services), "--heartbeat", "BEAT", "--heartbeat-style", style, BEAT=url)
    assert [message["path"] for message in receiver.messages] == paths


def test_heartbeat_that_raises_does_not_end_the_monitor(monitored: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with too many open files cannot create an event loop."""

    def fail(*arguments: object, **options: object) -> NoReturn:
        raise OSError(24, "Too many open files: hunter2")

    monkeypatch.setattr("healthguard.monitor.heartbeat.call_blocking", fail)
    done = once(monitored, "--heartbeat", "http://127.0.0.1:1/hunter2")
    assert done.code == 0
    assert "The heartbeat failed, because the request could not be sent: OSError." in done.out
    assert "hunter2" not in done.out + done.err


def test_one_round_does_not_wait_for_a_message_that_the_state_keeps(
    command: Command, receiver: WebhookReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses between attempts are up to 5 minutes, in which a CronJob would run no round."""
    slept: list[float] = []
    monkeypatch.setattr("healthguard.management.monitor.time.sleep", slept.append)
    receiver.status_of = lambda message: 503
    arguments = ("--notify", receiver.url, "--state", str(tmp_path / "state.json"))
    done = once(command.declare('{"bad": Fails()}'), *arguments)
    assert (done.code, slept, receiver.attempts) == (1, [], 1)
    receiver.status_of = lambda message: 200
    later = time.time() + 10
    monkeypatch.setattr("healthguard.monitor.monitor.time.time", lambda: later)
    once(command, *arguments)
    assert [message["title"] for message in receiver.messages] == ["healthguard: bad on here is unhealthy"]


def test_round_without_channels_keeps_the_messages_of_others(
    command: Command, receiver: WebhookReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody runs the monitor by hand, without the variable of the channel."""
    state = str(tmp_path / "state.json")
    receiver.status_of = lambda message: 503
    once(command.declare('{"bad": Fails()}'), "--notify", receiver.url, "--state", state)
    receiver.status_of = lambda message: 200
    later = time.time() + 10
    monkeypatch.setattr("healthguard.monitor.monitor.time.time", lambda: later)
    once(command, "--state", state)
    assert receiver.messages == []
    once(command, "--notify", receiver.url, "--state", state)
    assert [message["title"] for message in receiver.messages] == ["healthguard: bad on here is unhealthy"]


def test_service_that_an_instance_does_not_have_is_a_failure_of_the_instance(
    monitored: Command, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/health").respond_with_json({"status": "healthy", "web": {"status": "healthy"}})
    done = once(monitored, "--url", httpserver.url_for("/health"), "webb", "--format", "json")
    assert done.code == 1
    ((key, change),) = changes(done).items()
    assert key[1] == "healthguard"
    assert change["problems"][0]["code"] == "endpoint_mismatch"
    assert "No service or group is named 'webb'. Did you mean 'web'?" in change["problems"][0]["message"]


def test_report_without_details_is_monitored_by_its_status(monitored: Command, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_json({"status": "unhealthy"}, 503)
    done = once(monitored, "--url", httpserver.url_for("/health"), "--format", "json")
    assert done.code == 1
    assert {service: change["status"] for (_, service), change in changes(done).items()} == {"status": "unhealthy"}


def test_service_that_appears_and_disappears_is_recorded(
    monitored: Command, httpserver: HTTPServer, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    """A failing service that is no longer there is reported; it may have been renamed."""
    healthy, unhealthy = {"status": "healthy"}, {"status": "unhealthy"}
    config = {"check": "C", "status": "unhealthy", "code": "x", "fault": "config", "message": "m", "hint": "h"}
    broken = {**unhealthy, "checks": [config]}
    httpserver.expect_ordered_request("/health").respond_with_json({**healthy, "web": healthy})
    httpserver.expect_ordered_request("/health").respond_with_json({**unhealthy, "web": healthy, "ai": broken}, 503)
    httpserver.expect_ordered_request("/health").respond_with_json({**healthy, "web": healthy})
    arguments = ("--url", httpserver.url_for("/health"), "--notify", receiver.url, "--format", "json")
    rounds = [once(monitored, *arguments, "--state", str(tmp_path / "state.json")) for _ in range(3)]
    found = [{key[1]: change["status"] for key, change in changes(done).items()} for done in rounds]
    assert found == [{"web": "healthy"}, {"ai": "unhealthy"}, {"ai": None}]
    assert [message["title"].split(" on ")[0] for message in receiver.messages] == ["healthguard: ai"] * 2
    assert "is no longer monitored" in receiver.messages[1]["title"]


def test_missing_extra_names_the_command_that_installs_it(monitored: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    done = once(monitored, "--notify", "json://127.0.0.1:1/hunter2")
    assert done.code == 2
    assert "pip install 'django-healthguard[notify]'" in done.err
    assert once(monitored).code == 0
