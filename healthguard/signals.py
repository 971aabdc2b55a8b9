"""The signals of Django that healthguard sends. Importing this module reads no setting."""

from __future__ import annotations

import os
import threading

from django.dispatch import Signal

status_changed = Signal()
"""The status of a service has changed, or the codes of its problems.

It is sent by one process of the pod, together with the log line of the change. Receivers are called on a background
thread, one change after the other, so no answer waits for them. Their exceptions are logged.

Args:
    sender: the class :class:`healthguard.Service`.
    service: the names that lead to the service, outermost group first, like ``("ai_providers", "openai")``.
    previous: the :class:`healthguard.Status` before the change.
    status: the status after it. It is the same as before if only the codes have changed.
    problems: a tuple of the :class:`healthguard.Problem` of its checks, without those of checks that were not run.
    time: the moment at which the change was found, in UTC.
"""


def _replace_lock() -> None:
    status_changed.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    # Another thread of the parent may have held the lock, which each change takes.
    os.register_at_fork(after_in_child=_replace_lock)
