"""The store of a pod: the outcomes of its services, the runs in flight, and the changes that have been logged.

Each record is a file in the subfolder of its service, in the pod's private folder. Its name consists of the number of
the run (generation) and its kind; its content is signed. The kinds, in the order in which a run leaves them:

- ``claim``: a process runs the service. It is created only if no file has its name, so one process gets it.
- ``late``: the timeout of the run has expired, but it has not ended.
- ``final``: the run has ended.

The record with the largest generation and the last kind counts. Who stores one removes those before it.

The marks of the pod and of its services change with every outcome; see :mod:`healthguard.runner.pod.marks`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from healthguard.runner.changes import LoggedState
from healthguard.runner.outcome import Outcome
from healthguard.runner.pod import marks, records
from healthguard.runner.pod.marks import Marks
from healthguard.runner.pod.presence import Presence
from healthguard.runner.pod.private_folder import PrivateFolder
from healthguard.runner.pod.records import Claim
from healthguard.status import Status

MAX_RECORD_BYTES = 1_000_000
"""The size of the largest record. An outcome that is larger stays in its process."""

STALE_KIND = "stale"
"""The kind of a logged state that has changed because time has passed."""
_CLAIM, _LATE, _FINAL = "claim", "late", "final"
_KINDS = (_CLAIM, _LATE, _FINAL, STALE_KIND)
_NAME = re.compile(rf"(\d{{1,15}})-({'|'.join(_KINDS)})(-logged)?")
_TEMPORARY = re.compile(r"writing-([0-9a-f]{16})-\d+")
_ATTEMPTS = 100

Position: TypeAlias = tuple[int, bool]
"""The position of an outcome; see :attr:`Outcome.position`."""


class RecordTooLargeError(Exception):
    """An outcome has more than MAX_RECORD_BYTES."""


class LogPosition(NamedTuple):
    """The place of a logged state among the outcomes of a service.

    Args:
        generation: the number of the run.
        kind: ``late`` or ``final``, or ``stale`` if the state has changed because time has passed.
    """

    generation: int
    kind: str


class _Name(NamedTuple):
    """The name of a record, in the order in which records count."""

    generation: int
    rank: int

    @property
    def kind(self) -> str:
        return _KINDS[self.rank]


class PodStore:
    """The store of the pod, as one process uses it.

    Args:
        folder: the pod's private folder.
        key: the key of the signatures.
        clock: the clock, which is the same in all processes of the pod (seconds).

    Raises:
        OSError: the folder's file system cannot do what the store needs.
    """

    def __init__(self, folder: PrivateFolder, key: bytes, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._key = key
        self._clock = clock
        self._presence = Presence(folder)
        self._numbers = itertools.count()
        self.marks = Marks(folder)
        """The marks, which show that outcomes have changed."""
        self._pid = os.getpid()
        self._remove_leftovers()
        # Fails where the file system has no hard links.
        self._create(f"test-{self._presence.token}", b"")
        folder.remove(f"test-{self._presence.token}")

    def close(self) -> None:
        """End the claims of this process, as its end does."""
        self._presence.end()

    @property
    def is_in_place(self) -> bool:
        """True if neither the folder nor the files that this process uses all the time have been removed."""
        return self._folder.is_in_place and self._presence.is_in_place and self._folder.contains(marks.FILE)

    def outcomes(self, known: Mapping[str, Position]) -> Iterator[tuple[str, Outcome]]:
        """Yield the newest outcome of each service that has one after the known position.

        Args:
            known: the position of the last known outcome of each service.

        Raises:
            OSError: the folder cannot be read.
        """
        for service, position in known.items():
            after = _name(position)
            contents = self._contents(service, [name for name in self._names(service) if name > after])
            outcome = _newest_outcome(contents, after, self._clock())
            if outcome is not None:
                yield service, outcome

    def take(self, service: str, known: Position, requested: float, timeout: float) -> Claim | Outcome:
        """Claim the next run of a service.

        Args:
            service: the service's key, 16 hexadecimal digits.
            known: the position of the last known outcome.
            requested: when the run was first requested (``time.monotonic()`` seconds).
            timeout: the service's timeout (seconds). A claim that is older holds no longer.

        Returns:
            this process's own new claim; or the claim of another process that is running the service; or the outcome
            of a run that has ended and that is not known yet.

        Raises:
            OSError: the claim cannot be stored.
        """
        self._require_own_process()
        for _ in range(_ATTEMPTS):
            contents = self._contents(service, self._names(service))
            newer = _newest_outcome(contents, _name(known), self._clock())
            if newer is not None and newer.is_final:
                return newer
            current = _current_claim(contents, self._clock())
            if current is not None:
                # A claim of this process is one that it could not remove, because it has no other run of the service.
                if not self.is_own(current) and self.is_held(current, timeout):
                    return current
                requested = min(requested, current.requested)
            now = self._clock()
            newest = max([known[0], *(name.generation for name in contents)])
            claim = Claim(newest + 1, self._presence.token, now, min(requested, now))
            if self._store_claim(service, claim):
                return claim
        raise BlockingIOError("the claim could not be stored, because other processes were always faster")

    def is_own(self, claim: Claim) -> bool:
        """Return True if this process has made the claim."""
        return claim.owner == self._presence.token

    def is_held(self, claim: Claim, timeout: float) -> bool:
        """Return True if its process is running, and the timeout of the service has not expired (seconds)."""
        return self._clock() < claim.started + timeout and self._presence.is_running(claim.owner)

    def is_open(self, service: str, claim: Claim) -> bool:
        """Return True if the run of a claim has not ended."""
        return self._folder.contains(_file(service, _Name(claim.generation, _rank(_CLAIM))))

    def give_up(self, service: str, claim: Claim) -> None:
        """End a claim without a run."""
        self._remove(service, [_Name(claim.generation, _rank(_CLAIM))])

    def publish(self, service: str, outcome: Outcome) -> None:
        """Store an outcome, unless a newer one is stored. This ends the claim of a run that has ended.

        Raises:
            RecordTooLargeError: it is too large to be stored.
            OSError: it cannot be stored.

        Then the claim has ended too, so that another process may run the service.
        """
        self._require_own_process()
        name = _name(outcome.position)
        try:
            names = self._names(service)
            if not any(stored > name and stored.kind != _CLAIM for stored in names):
                self._write(_file(service, name), records.outcome_content(outcome))
            self._remove(service, [stored for stored in names if _is_settled(stored, name)])
            self.marks.renew(service)
        except BaseException:
            self._remove(service, [_Name(outcome.generation, _rank(_CLAIM))])
            raise

    def record_change(self, service: str, position: LogPosition, state: LoggedState) -> LoggedState | None:
        """Store that a change of status is logged.

        Returns:
            the state before the change; None if it must not be logged, because another process has done so, or knows a
            newer state, or because nothing has changed.

        Raises:
            OSError: it cannot be stored.
        """
        self._require_own_process()
        name = _Name(position.generation, _rank(position.kind))
        for _ in range(_ATTEMPTS):
            names = self._names(service, is_logged=True)
            contents = self._contents(service, names, is_logged=True)
            if len(contents) == len(names):
                break
            # Another process has removed a record meanwhile, because it has stored a newer one.
        previous: LoggedState = (Status.UNKNOWN, ())
        for stored, content in sorted(contents.items(), reverse=True):
            logged = records.logged_state_from(content)
            if logged is not None:
                if stored >= name or logged == state:
                    return None
                previous = logged
                break
        file = _file(service, name, is_logged=True)
        self._folder.make(service)
        if not self._create(file, records.sealed(file, records.logged_state_content(state), self._key)):
            return None
        self._remove(service, [stored for stored in names if stored < name], is_logged=True)
        return previous

    def _require_own_process(self) -> None:
        """Refuse to store anything in a child that a check has forked."""
        if os.getpid() != self._pid:
            raise ChildProcessError("the store belongs to the parent of this process")

    def _names(self, service: str, *, is_logged: bool = False) -> list[_Name]:
        """Return the names of the stored records of a service."""
        matches = map(_NAME.fullmatch, self._folder.names(service))
        return [
            _Name(int(match[1]), _rank(match[2]))
            for match in matches
            if match is not None and (match[3] is not None) is is_logged
        ]

    def _contents(
        self, service: str, names: Iterable[_Name], *, is_logged: bool = False
    ) -> dict[_Name, records.Content]:
        """Return the contents of the records with a valid signature, and remove the other ones."""
        contents: dict[_Name, records.Content] = {}
        for name in names:
            file = _file(service, name, is_logged=is_logged)
            record = self._folder.read(file, MAX_RECORD_BYTES)
            content = None if record is None else records.unsealed(file, record, self._key)
            if content is not None:
                contents[name] = content
            elif record is not None:
                self._folder.remove(file)
        return contents

    def _store_claim(self, service: str, claim: Claim) -> bool:
        """Return True if this process has got the run.

        Raises:
            OSError: the claim cannot be stored.
        """
        name = _Name(claim.generation, _rank(_CLAIM))
        file = _file(service, name)
        self._folder.make(service)
        if not self._create(file, records.sealed(file, records.claim_content(claim), self._key)):
            return False
        is_overtaken = True
        try:
            # This process may have been stopped meanwhile, for so long that the run is over and its claim was removed.
            is_overtaken = any(stored > name for stored in self._names(service))
        finally:
            # If an error is raised, nobody else will end it.
            if is_overtaken:
                self._remove(service, [name])
        return not is_overtaken

    def _write(self, file: str, content: records.Content) -> None:
        """Store a record, in place of the one that has its name."""
        record = records.sealed(file, content, self._key)
        if len(record) > MAX_RECORD_BYTES:
            raise RecordTooLargeError
        with self._temporary(record) as temporary:
            self._folder.rename(temporary, file)

    def _create(self, file: str, record: bytes) -> bool:
        """Store a record if no file has its name; return True if it was stored."""
        with self._temporary(record) as temporary:
            try:
                self._folder.link(temporary, file)
            except FileExistsError:
                return False
        return True

    @contextlib.contextmanager
    def _temporary(self, record: bytes) -> Iterator[str]:
        """Write a record to a file that no other process reads, and yield its name."""
        temporary = f"writing-{self._presence.token}-{next(self._numbers)}"
        try:
            self._folder.write(temporary, record)
            yield temporary
        finally:
            self._folder.remove(temporary)

    def _remove(self, service: str, names: Iterable[_Name], *, is_logged: bool = False) -> None:
        for name in names:
            self._folder.remove(_file(service, name, is_logged=is_logged))

    def _remove_leftovers(self) -> None:
        """Remove what processes have left behind that have ended."""
        # The names first: a process that starts meanwhile has files that are not leftovers.
        names = self._folder.names()
        running = self._presence.remove_ended()
        for file in names:
            match = _TEMPORARY.fullmatch(file)
            if match is not None and match[1] not in running:
                self._folder.remove(file)


def _newest_outcome(contents: Mapping[_Name, records.Content], after: _Name, now: float) -> Outcome | None:
    for name in sorted(contents, reverse=True):
        if name > after and name.kind != _CLAIM:
            is_final = name.kind == _FINAL
            outcome = records.outcome_from(contents[name], name.generation, now, is_final=is_final)
            if outcome is not None:
                return outcome
    return None


def _current_claim(contents: Mapping[_Name, records.Content], now: float) -> Claim | None:
    """Return the newest claim if its run has not ended; None otherwise."""
    ended = max((name.generation for name in contents if name.kind == _FINAL), default=0)
    claims = [name for name in contents if name.kind == _CLAIM and name.generation > ended]
    for name in sorted(claims, reverse=True):
        claim = records.claim_from(contents[name], name.generation, now)
        if claim is not None:
            return claim
    return None


def kind_of(outcome: Outcome) -> str:
    """Return the kind of the record of an outcome."""
    return _name(outcome.position).kind


def _rank(kind: str) -> int:
    return _KINDS.index(kind)


def _name(position: Position) -> _Name:
    generation, is_final = position
    return _Name(generation, _rank(_FINAL if is_final else _LATE))


def _file(service: str, name: _Name, *, is_logged: bool = False) -> str:
    return f"{service}/{name.generation}-{name.kind}{'-logged' if is_logged else ''}"


def _is_settled(stored: _Name, published: _Name) -> bool:
    """Return True if a record no longer counts after one was published."""
    if stored.generation == published.generation:
        return published.kind == _FINAL and stored < published
    return stored.generation < published.generation
