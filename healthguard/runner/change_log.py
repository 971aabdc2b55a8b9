"""The changes of status that this process has found, and neither logged nor sent yet."""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterable

from healthguard.runner.changes import announce
from healthguard.runner.pod.knowledge import PodKnowledge, StatusChange


class ChangeLog:
    """The changes that are neither logged nor sent yet, in their order.

    Args:
        pod: what the processes of the pod know. It confirms which changes this process must log.
    """

    def __init__(self, pod: PodKnowledge) -> None:
        self._pod = pod
        self._lock = threading.Lock()
        self._changes: collections.deque[StatusChange] = collections.deque()

    def add(self, changes: Iterable[StatusChange]) -> None:
        """Add changes, which :meth:`write` logs and sends. Never waits."""
        self._changes += changes

    def write(self, *, is_inline: bool = False) -> None:
        """Log the changes, and send them as signals.

        Args:
            is_inline: True to call the receivers of the signals on this thread.
        """
        with self._lock:
            while self._changes:
                for change in self._pod.confirmed([self._changes.popleft()]):
                    announce(change, is_inline=is_inline)
