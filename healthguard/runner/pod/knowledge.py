"""The outcomes, runs and logged changes that the processes of one pod share, as one process uses them.

If they cannot share anything, or a file cannot be written, each process runs all checks itself and logs that once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from healthguard.runner.changes import Change, LoggedState
from healthguard.runner.outcome import Outcome
from healthguard.runner.pod.marks import mark_of
from healthguard.runner.pod.private_folder import PrivateFolder, server_file
from healthguard.runner.pod.records import Claim
from healthguard.runner.pod.store import LogPosition, PodStore, Position, RecordTooLargeError
from healthguard.runtime import log
from healthguard.service import ServiceNode
from healthguard.status import ServiceReport, Status

_NOT_SHARED = (
    "The workers of this server cannot share the results of their checks (%s), so each of them runs all checks. "
    "Mount a writable folder at /tmp, or set TMPDIR to one."
)
_TOO_LARGE = (
    "The workers of this server cannot share the last result of the service %s, because it has more than 1 MB. "
    "Until it is smaller, each of them runs this service itself. Return less evidence from its checks, and shorter "
    "messages."
)
_READ_AGAIN_SECONDS = 1.0
"""The time after which outcomes that could not be read are read again (seconds)."""


@dataclasses.dataclass(frozen=True, slots=True)
class StatusChange:
    """A change of the status of a service, as one process has found it.

    Args:
        key: the name of the service in the store; None if the outcome is not shared.
        position: the outcome that it has changed with.
        previous: the state before it that this process has logged.
        state: the new state.
        report: the new report.
        is_own: True if only this process was in the previous state, so that no other one logs the change.
    """

    key: str | None
    position: LogPosition
    previous: LoggedState
    state: LoggedState
    report: ServiceReport
    is_own: bool = False


class PodKnowledge:
    """The store of the pod, if there is one. No method raises an error of the store.

    Args:
        keys: the names of the services in the store, by path.
        open_store: the function that opens the store. It returns None if it cannot be made.
        is_logged: False to confirm no change, so that none is logged.
    """

    def __init__(
        self,
        keys: Mapping[tuple[str, ...], str] | None = None,
        open_store: Callable[[], PodStore | None] = lambda: None,
        *,
        is_logged: bool = True,
    ) -> None:
        self._is_logged = is_logged
        self._keys = keys or {}
        self._open_store = open_store
        self._store: PodStore | None = None
        self._service_marks: bytes | None = None
        self._lock = threading.Lock()
        self._is_opened = False
        self._unread: tuple[bytes, float] | None = None
        """The known mark when outcomes could not be read, and when they are read again (``time.monotonic()``)."""

    def key_of(self, service: ServiceNode) -> str | None:
        """Return the name of a service in the store; None if its outcomes belong to this process."""
        return None if service.scope == "process" else self._keys.get(service.path)

    @property
    def mark(self) -> bytes:
        """The mark of the store, which changes with every new outcome; empty without a store.

        After outcomes could not be read, it is the known one for a while, so that not every request tries to read them.
        """
        store, unread = self._store, self._unread
        if unread is not None and time.monotonic() < unread[1]:
            return unread[0]
        try:
            return b"" if store is None else store.marks.pod
        except OSError:
            return b""

    def outcomes(self, known: Mapping[str, Position], mark: bytes) -> list[tuple[str, Outcome]] | None:
        """Return the newest outcome of each service that has one after the known position.

        Only the services are read whose mark has changed since the last call. Return None if they cannot be read now.

        Args:
            known: the position of the last known outcome of each service.
            mark: the mark at which these were read.
        """
        store = self._store
        if store is None:
            return []
        try:
            last, marks = self._service_marks, store.marks.services()
            changed = {key: known[key] for key in known if last is None or mark_of(key, marks) != mark_of(key, last)}
            outcomes = list(store.outcomes(changed))
        except Exception as error:
            self._unread = mark, time.monotonic() + _READ_AGAIN_SECONDS
            _log_fault(error)
            return None
        self._service_marks = marks
        return outcomes

    def take(self, key: str, known: Position, requested: float, timeout: float) -> Claim | Outcome | None:
        """Claim the next run of a service; see :meth:`PodStore.take`. Return None if it cannot be shared."""
        with _faults_logged():
            store = self._usable_store()
            return None if store is None else store.take(key, known, requested, timeout)
        return None

    def is_own(self, claim: Claim) -> bool:
        """Return True if this process has made the claim."""
        return self._store is not None and self._store.is_own(claim)

    def is_held(self, key: str | None, claim: Claim | None, timeout: float) -> bool:
        """Return True if the run of a claim has not ended, and its process is running and in time (seconds).

        A process may be running although it has published another outcome than the one that is waited for, or none.
        If this cannot be found out, return False, so that this process runs the service itself.
        """
        if self._store is None or key is None or claim is None:
            return False
        with _faults_logged():
            return self._store.is_held(claim, timeout) and self._store.is_open(key, claim)
        return False

    def give_up(self, key: str, claim: Claim) -> None:
        """End a claim without a run."""
        with _faults_logged():
            if self._store is not None:
                self._store.give_up(key, claim)

    def publish(self, key: str, outcome: Outcome) -> bool:
        """Store an outcome for the other processes; return True if it, or a newer one, is stored."""
        if self._store is None:
            return False
        try:
            self._store.publish(key, outcome)
        except RecordTooLargeError:
            log.once(log.WARNING, _TOO_LARGE, self._name_of(key))
            return False
        except Exception as error:
            _log_fault(error)
            return False
        return True

    def confirmed(self, changes: Iterable[StatusChange]) -> Iterator[Change]:
        """Yield the changes that this process must log: each change is logged by one process of the pod."""
        for change in changes:
            previous = self._previous_state(change)
            if previous is not None and self._is_logged:
                yield Status(previous[0]), change.report

    def _previous_state(self, change: StatusChange) -> LoggedState | None:
        if change.key is None or self._store is None:
            return change.previous
        try:
            recorded = self._store.record_change(change.key, change.position, change.state)
        except Exception:
            return change.previous
        return change.previous if change.is_own else recorded

    def _name_of(self, key: str) -> str:
        return ".".join(next(path for path, known in self._keys.items() if known == key))

    def _usable_store(self) -> PodStore | None:
        """Return the store; open it if it has not been opened, or if its folder was removed."""
        store = self._store
        if self._is_opened and (store is None or store.is_in_place):
            return store
        with self._lock:
            if not self._is_opened or (self._store is not None and not self._store.is_in_place):
                if self._store is not None:
                    self._store.close()
                self._store, self._service_marks = self._open_store(), None
                self._is_opened = True
            return self._store


def open_store(name: str, key: bytes, server: tuple[int, int] | None) -> PodStore | None:
    """Open the store of the pod in the first directory that allows it; return None if none does.

    Args:
        name: the name that the processes of the pod share.
        key: the key of the signatures.
        server: the process that starts them; see :func:`server_file`. The store is kept while it runs.
    """
    error = OSError()
    for folder in PrivateFolder.created(name):
        try:
            if server is not None:
                folder.put(server_file(server))
            return PodStore(folder, key)
        except OSError as raised:
            error = raised
    _log_fault(error)
    return None


@contextlib.contextmanager
def _faults_logged() -> Iterator[None]:
    """Suppress an error of the store, and log it once. Nothing that the store raises may reach an answer."""
    try:
        yield
    except Exception as error:
        _log_fault(error)


def _log_fault(error: Exception) -> None:
    number = error.errno if isinstance(error, OSError) else None
    name = "" if number is None else f": {errno.errorcode.get(number, number)}"
    log.once(log.WARNING, _NOT_SHARED, f"{type(error).__name__}{name}")
