"""The changes of status that this process has found and not logged yet."""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterable

from healthguard.runner.changes import log_changes
from healthguard.runner.pod.knowledge import PodKnowledge, StatusChange


class ChangeLog:
    """The changes that are not logged yet, in their order.

    Args:
        pod: what the processes of the pod know. It confirms which changes this process must log.
    """

    def __init__(self, pod: PodKnowledge) -> None:
        self._pod = pod
        self._lock = threading.Lock()
        self._changes: collections.deque[StatusChange] = collections.deque()

    def add(self, changes: Iterable[StatusChange]) -> None:
        """Add changes, which :meth:`write` logs. Never waits."""
        self._changes += changes

    def write(self) -> None:
        """Log the changes."""
        with self._lock:
            while self._changes:
                log_changes(self._pod.confirmed([self._changes.popleft()]))
