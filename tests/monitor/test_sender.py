"""The process that sends messages, with a real receiver."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.ports import free_port
from example_project.webhook_receiver import WebhookReceiver
from healthguard.monitor.channels import Channel
from healthguard.monitor.outbox import Message, MessageKind
from healthguard.monitor.sender import Sender
from tests.support.sites import PATIENCE


@pytest.fixture(scope="module")
def shared_sender() -> Iterator[Sender]:
    sender = Sender()
    yield sender
    sender.close()


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    yield receiver
    receiver.stop()


def message(channel: str = "1") -> Message:
    return Message("0123456789ab", channel, "title", "body", MessageKind.FAILURE, 0.0)


def test_message_is_delivered(shared_sender: Sender, receiver: WebhookReceiver) -> None:
    assert shared_sender.deliver([message()], {"1": receiver.url}) == [""]
    (received,) = receiver.messages
    assert (received["title"], received["message"], received["type"]) == ("title", "body", "failure")


def test_reason_is_the_status_of_the_receiver(shared_sender: Sender) -> None:
    receiver = WebhookReceiver(lambda message: 503)
    try:
        assert shared_sender.deliver([message()], {"1": receiver.url}) == ["the receiver answered with HTTP status 503"]
    finally:
        receiver.stop()


def test_reason_of_a_closed_port(shared_sender: Sender) -> None:
    assert shared_sender.deliver([message()], {"1": f"json://127.0.0.1:{free_port()}/"}) == [
        "Apprise could not send it"
    ]


def test_channel_that_fails_does_not_affect_another(shared_sender: Sender, receiver: WebhookReceiver) -> None:
    urls = {"1": f"json://127.0.0.1:{free_port()}/", "2": receiver.url}
    assert shared_sender.deliver([message("1"), message("2")], urls) == ["Apprise could not send it", ""]


def test_invalid_url_is_found_without_sending(shared_sender: Sender, receiver: WebhookReceiver) -> None:
    channels = [Channel("1", "nonsense://x"), Channel("2", receiver.url)]
    assert shared_sender.flaws(channels) == {"1": "the URL is not valid for Apprise"}
    assert receiver.attempts == 0


def test_receiver_that_hangs_costs_the_limit() -> None:
    sender = Sender(limit=0.5)
    silent = socket.create_server(("127.0.0.1", 0))
    try:
        assert sender.deliver([message()], {"1": f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=1000"}) == [
            "the receiver did not answer in time"
        ]
    finally:
        sender.close()
        silent.close()


def test_process_that_was_ended_is_started_again(receiver: WebhookReceiver) -> None:
    sender = Sender()
    try:
        assert sender.deliver([message()], {"1": receiver.url}) == [""]
        process = sender._process
        assert process is not None
        process.kill()
        process.wait()
        assert sender.deliver([message()], {"1": receiver.url}) == [""]
    finally:
        sender.close()


def test_process_that_ends_between_two_messages_fails_the_first_at_once(receiver: WebhookReceiver) -> None:
    """The second is sent by a new process. Without an end of the first one's process, the delivery would not end."""
    sender = Sender(limit=10_000)
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=1000"
    try:
        first = sender._write({"url": url, "title": "t", "body": "b", "kind": "failure"})
        connection, _ = silent.accept()
        process = sender._process
        assert process is not None
        process.kill()
        process.wait()
        second = sender._write({"url": receiver.url, "title": "t", "body": "b", "kind": "failure"})
        assert first.result(PATIENCE) == "the process that sends messages ended"
        assert second.result(PATIENCE) == ""
        connection.close()
    finally:
        sender.close()
        silent.close()


def test_process_has_the_python_path_of_the_command(receiver: WebhookReceiver, tmp_path: Path) -> None:
    """A healthguard that only --pythonpath names is found by the process too."""
    (tmp_path / "sitecustomize.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w').close()")
    sys.path.insert(0, str(tmp_path))
    sender = Sender()
    try:
        assert sender.deliver([message()], {"1": receiver.url}) == [""]
    finally:
        sender.close()
        sys.path.remove(str(tmp_path))
    assert (tmp_path / "imported").exists()


def test_process_ends_with_the_monitor(receiver: WebhookReceiver) -> None:
    """It ends when its standard input is closed, even if a delivery hangs."""
    sender = Sender()
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=1000"
    delivery = threading.Thread(target=sender.deliver, args=([message()], {"1": url}))
    delivery.start()
    connection, _ = silent.accept()
    process = sender._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0
    delivery.join()
    sender.close()
    connection.close()
    silent.close()
