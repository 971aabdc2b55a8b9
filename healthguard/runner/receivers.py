"""The receivers of the signal ``status_changed``. No answer and no run waits for them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

from asgiref.sync import async_to_sync
from django.db import connections

from healthguard.runtime import log
from healthguard.runtime.background_queue import BackgroundQueue
from healthguard.runtime.callables import qualified_name
from healthguard.service import Service
from healthguard.signals import status_changed
from healthguard.status import Problem, Status

_RAISED = "%s, a receiver of status_changed, raised %s for the change %s: %s -> %s."
_FULL = (
    "Too many changes of status wait for the receivers of status_changed, so further ones are dropped. Find the "
    "receiver that hangs or takes too long, and let it only start a task."
)
_DROPPED = "%s changes of status were not sent, because the receivers of status_changed take too long."
_NOT_CLOSED = "A database connection that a receiver of status_changed has opened could not be closed (%s)."


@dataclasses.dataclass(frozen=True, slots=True)
class Announcement:
    """A change of status, as receivers get it; see :data:`healthguard.signals.status_changed`."""

    service: tuple[str, ...]
    previous: Status
    status: Status
    problems: tuple[Problem, ...]
    time: datetime.datetime


def send_change(
    service: tuple[str, ...],
    previous: Status,
    status: Status,
    problems: tuple[Problem, ...],
    *,
    is_inline: bool = False,
) -> None:
    """Send a change to the receivers. Never raises, and never waits unless it is inline.

    Args:
        service: the names that lead to the service.
        previous: the status before the change.
        status: the status after it.
        problems: the problems of its checks.
        is_inline: True to call the receivers on this thread and its database connections, as tests need it.
    """
    if not status_changed.has_listeners(Service):
        return
    announcement = Announcement(service, previous, status, problems, datetime.datetime.now(datetime.UTC))
    if is_inline:
        _call_receivers(announcement)
    elif not _queue.add(announcement):
        log.once(log.WARNING, _FULL)


def wait_until_sent(seconds: float) -> bool:
    """Wait until the receivers have been called with all changes, at most ``seconds``; return True if they have."""
    return _queue.wait_until_empty(seconds)


def _handle(announcement: Announcement) -> None:
    """Call the receivers on the background thread, and close the connections that they have opened."""
    _call_receivers(announcement)
    try:
        connections.close_all()
    except Exception as error:
        log.write(log.WARNING, _NOT_CLOSED, type(error).__name__)


def _call_receivers(announcement: Announcement) -> None:
    # Signal.send_robust() logs the texts of exceptions, which may contain secrets, and does not catch SystemExit.
    receivers, async_receivers = status_changed._live_receivers(Service)  # noqa: SLF001
    for receiver in receivers:
        _call(receiver, qualified_name(receiver), announcement)
    for receiver in async_receivers:
        _call(async_to_sync(receiver), qualified_name(receiver), announcement)


def _call(receiver: Callable[..., object], name: str, announcement: Announcement) -> None:
    try:
        receiver(
            signal=status_changed,
            sender=Service,
            service=announcement.service,
            previous=announcement.previous,
            status=announcement.status,
            problems=announcement.problems,
            time=announcement.time,
        )
    except BaseException as error:
        log.write(
            log.ERROR,
            _RAISED,
            name,
            type(error).__name__,
            ".".join(announcement.service),
            announcement.previous,
            announcement.status,
        )


def _report_dropped(count: int) -> None:
    log.write(log.WARNING, _DROPPED, count)


_queue: BackgroundQueue[Announcement] = BackgroundQueue("healthguard-receivers", _handle, _report_dropped)
