"""Workers of one server, as runners in this process that share a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from healthguard import Service
from healthguard.checks import RequiredTables
from healthguard.runner import Run
from healthguard.runner.outcome import Outcome
from healthguard.runner.pod.knowledge import PodKnowledge
from healthguard.runner.pod.private_folder import PrivateFolder
from healthguard.runner.pod.store import PodStore
from healthguard.runner.runner import Runner
from healthguard.runner.slot import Slot
from healthguard.service.tree import resolve_service
from healthguard.status import Evidence, Status
from tests.support.runner_checks import GatedCheck, wait_for

KEY = b"k" * 32
LONG_TIMEOUT = 600.0
"""A timeout that does not expire during a test (seconds). A test waits less long."""
TTL = 3600.0
"""A ttl that is longer than LONG_TIMEOUT (seconds)."""
WAIT_SECONDS = 60.0
"""The longest time that a test waits for the end of a run (seconds)."""

HUGE: dict[str, Evidence] = {f"name{number}": ["x" * 300] * 100 for number in range(60)}
"""Evidence of more than MAX_RECORD_BYTES."""

NewCheck = Callable[..., GatedCheck]
"""``new_check(is_open=True)`` returns a check whose gate is opened at the end of the test."""


class GatedTables(RequiredTables):
    """A check of a database that runs a :class:`GatedCheck` instead of queries."""

    def __init__(self, gate: GatedCheck) -> None:
        super().__init__(["a_table"], "default")
        self.gate = gate

    def run(self) -> None:  # type: ignore[override]
        self.gate.run()


def folder_in(path: Path) -> PrivateFolder:
    """Return the private folder at ``path``, as another process has opened it."""
    path.chmod(0o700)
    return PrivateFolder(os.open(path, os.O_RDONLY | os.O_DIRECTORY), str(path))


class Worker:
    """A worker of a server: a runner with a store of its own in the folder of the pod.

    Args:
        folder: the folder of the pod.
        services: the services by name. Each worker has checks of its own.
    """

    def __init__(self, folder: Path, services: Mapping[str, Service]) -> None:
        nodes = [resolve_service(service, (name,)) for name, service in services.items()]
        keys = {node.path: hashlib.sha256(node.path[0].encode()).hexdigest()[:16] for node in nodes}
        self.folder = folder
        self.pod = PodKnowledge(keys, lambda: PodStore(folder_in(folder), KEY))
        self.runner = Runner(nodes, self.pod)
        self.paths = list(keys)
        self.pod._usable_store()

    @property
    def store(self) -> PodStore:
        """The store, as this worker uses it."""
        assert self.pod._store is not None
        return self.pod._store

    def start(self, *, fresh: bool = False, deadline: float = WAIT_SECONDS) -> list[Run]:
        """Start the runs that are due, as a request does, and return the runs in flight."""
        return self.runner.start_due(self.paths, deadline, fresh=fresh)

    def start_one(self, *, fresh: bool = False) -> Run:
        """Start the run of the only service that is in flight."""
        (run,) = self.start(fresh=fresh)
        return run

    def slot(self, name: str = "one") -> Slot:
        """Return the state of a service."""
        return self.runner._slots[name,]

    def outcome(self, name: str = "one") -> Outcome:
        """Return the newest outcome that this worker uses."""
        outcome = self.slot(name).outcome
        assert outcome is not None
        return outcome

    def status(self, name: str = "one") -> Status:
        """Return the status that a response of this worker contains."""
        return self.runner.snapshot([(name,)]).reports[name,].status

    def kill(self) -> None:
        """Let the other workers find that this one has ended. Its thread still hangs."""
        self.store.close()

    def records(self, kind: str) -> list[str]:
        """Return the names of the stored records of a kind."""
        return sorted(path.name for path in self.folder.glob(f"*/*-{kind}"))


class HangsBriefly(Worker):
    """A worker whose run of the service ``one`` is in flight until the gate of its check is opened."""

    def __init__(self, folder: Path, check: GatedCheck) -> None:
        super().__init__(folder, {"one": Service(check, ttl=TTL, timeout=LONG_TIMEOUT)})
        self.check = check
        self.run = self.start_one()
        wait_for(lambda: check.runs == 1)

    def finish(self) -> None:
        """Let the run end."""
        self.check.gate.set()
        self.run.done.result(WAIT_SECONDS)


def worker_of(folder: Path, check: GatedCheck, *, timeout: float = LONG_TIMEOUT, ttl: float = TTL) -> Worker:
    """Return a worker with one service, called ``one``."""
    return Worker(folder, {"one": Service(check, ttl=ttl, timeout=timeout)})


def before_first_call(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, action: Callable[[], object]) -> None:
    """Call ``action`` once, immediately before the next call of the method ``name``."""
    original = getattr(owner, name)

    def call(*args: object, **kwargs: object) -> object:
        setattr(owner, name, original)
        action()
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)
