"""The store of a pod, compared with a model: random interleavings of processes, crashes and clocks; damaged files."""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from healthguard.runner.outcome import Outcome
from healthguard.runner.pod.private_folder import PrivateFolder
from healthguard.runner.pod.records import Claim
from healthguard.runner.pod.store import LogPosition, PodStore
from healthguard.status import CheckResult, Fault, Problem, Status

KEY = b"k" * 32
SERVICE = "0123456789abcdef"
TIMEOUT = 5.0
NO_POSITION = (0, False)

Damage: TypeAlias = Callable[[bytes, float, bytes], bytes]
"""A function that damages a content, at a share of its length, with other bytes."""

PROBLEM = Problem(
    "table_missing", Fault.CONFIG, "Tables are missing.", "Run migrate.", {"tables": ["a"], "n": {"b": 1}}
)


def outcome_of(claim: Claim, finished: float, *, is_final: bool = True, status: Status = Status.HEALTHY) -> Outcome:
    """Return an outcome of the run that was claimed."""
    problem = None if status is Status.HEALTHY else PROBLEM
    return Outcome(
        claim.generation,
        (CheckResult("Check", status, problem, {"version": claim.generation}),),
        claim.started,
        finished,
        datetime.datetime.now(datetime.UTC),
        finished + 5,
        is_final=is_final,
    )


class InterruptibleFolder(PrivateFolder):
    """A folder whose process can be interrupted before each operation, as by the scheduler."""

    interrupt: Callable[[], None] | None = None

    def _interrupted(self) -> None:
        if self.interrupt is not None:
            self.interrupt()

    def names(self, subfolder: str = ".") -> list[str]:
        self._interrupted()
        return super().names(subfolder)

    def read(self, file: str, limit: int) -> bytes | None:
        self._interrupted()
        return super().read(file, limit)

    def link(self, file: str, new: str) -> None:
        self._interrupted()
        super().link(file, new)

    def rename(self, file: str, new: str) -> None:
        self._interrupted()
        super().rename(file, new)

    def remove(self, file: str) -> bool:
        self._interrupted()
        return super().remove(file)


class PodProcess:
    """One process of the pod, and the claim whose run it executes."""

    def __init__(self, path: str, clock: Callable[[], float]) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.folder = InterruptibleFolder(descriptor, path)
        self.store = PodStore(self.folder, KEY, clock)
        self.claim: Claim | None = None
        self.known = NO_POSITION


class PodMachine(RuleBasedStateMachine):
    """Up to three processes that claim, publish, crash and are interrupted, and a clock that goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o700)
        self.now = 1000.0
        self.published: dict[tuple[int, bool], Outcome] = {}
        self.claimed: set[int] = set()
        self.processes: list[PodProcess] = []

    def teardown(self) -> None:
        self.processes.clear()
        self.folder.cleanup()

    @initialize()
    def start_two(self) -> None:
        self.start()
        self.start()

    @precondition(lambda self: len(self.processes) < 3)
    @rule()
    def start(self) -> None:
        self.processes.append(PodProcess(self.folder.name, lambda: self.now))

    @precondition(lambda self: len(self.processes) > 1)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self.processes))
        self.processes.remove(process)
        process.store.close()

    @rule(seconds=st.sampled_from([0.1, 1.0, TIMEOUT, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        data=st.data(),
        operations=st.integers(0, 12),
        seconds=st.sampled_from([0.0, 0.0, TIMEOUT]),
        is_ended=st.booleans(),
    )
    def take(self, data: st.DataObject, operations: int, seconds: float, is_ended: bool) -> None:
        """A process claims a run. Another one may do so, and end its run, while the first is at an operation."""
        idle = [process for process in self.processes if process.claim is None]
        if not idle:
            return
        process = data.draw(st.sampled_from(idle))
        others = [other for other in self.processes if other is not process and other.claim is None]
        if others:
            other = data.draw(st.sampled_from(others))
            self._interrupt(process, operations, lambda: self._run_meanwhile(other, seconds, is_ended))
        self._take(process)
        process.folder.interrupt = None

    @rule(data=st.data(), operations=st.integers(0, 12), is_final=st.booleans())
    def publish(self, data: st.DataObject, operations: int, is_final: bool) -> None:
        """A process publishes an outcome of its run. Another one may claim the next run meanwhile."""
        running = [process for process in self.processes if process.claim is not None]
        if not running:
            return
        process = data.draw(st.sampled_from(running))
        others = [other for other in self.processes if other.claim is None]
        if others:
            other = data.draw(st.sampled_from(others))
            self._interrupt(process, operations, lambda: self._take(other))
        self._publish(process, is_final=is_final)
        process.folder.interrupt = None
        newest = max(position for position in self.published)
        for other in self.processes:
            found = dict(other.store.outcomes({SERVICE: NO_POSITION}))
            assert found[SERVICE] == self.published[newest], "all of them know the newest outcome"

    @invariant()
    def knows_nothing_that_nobody_published(self) -> None:
        for process in self.processes:
            for _, outcome in process.store.outcomes({SERVICE: NO_POSITION}):
                assert outcome == self.published[outcome.position]

    def _interrupt(self, process: PodProcess, operations: int, action: Callable[[], None]) -> None:
        """Run ``action`` once, before the operation of ``process`` with this number."""
        left = [operations]

        def interrupt() -> None:
            left[0] -= 1
            if left[0] == -1:
                action()

        process.folder.interrupt = interrupt

    def _run_meanwhile(self, process: PodProcess, seconds: float, is_ended: bool) -> None:
        self.now += seconds
        self._take(process)
        if is_ended and process.claim is not None:
            self._publish(process, is_final=True)

    def _publish(self, process: PodProcess, *, is_final: bool) -> None:
        assert process.claim is not None
        outcome = outcome_of(process.claim, self.now, is_final=is_final)
        self.published[outcome.position] = outcome
        process.store.publish(SERVICE, outcome)
        if is_final:
            process.claim = None

    def _take(self, process: PodProcess) -> None:
        taken = process.store.take(SERVICE, process.known, self.now, TIMEOUT)
        if isinstance(taken, Outcome):
            assert taken == self.published[taken.position]
            assert taken.position > process.known
            process.known = taken.position
        elif process.store.is_own(taken):
            assert taken.generation not in self.claimed, "no two processes have the same run"
            self.claimed.add(taken.generation)
            in_time = [
                other.claim
                for other in self.processes
                if other.claim is not None and self.now < other.claim.started + TIMEOUT
            ]
            assert in_time == [], "no other run is in flight"
            process.claim = taken
        else:
            owners = [other for other in self.processes if other.store.is_own(taken)]
            assert len(owners) == 1, "a claim is respected only while its process is running"


TestPodStore: Any = PodMachine.TestCase
TestPodStore.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


@pytest.fixture
def store(tmp_path: Path) -> PodStore:
    """Return a store of a process of its own."""
    return store_in(tmp_path)


def store_in(path: Path) -> PodStore:
    """Return a new store in this folder, as another process has it."""
    path.chmod(0o700)
    return PodStore(PrivateFolder(os.open(path, os.O_RDONLY | os.O_DIRECTORY), str(path)), KEY)


def claim_in(store: PodStore) -> Claim:
    """Claim the next run with ``store``, and return the claim."""
    claim = store.take(SERVICE, NO_POSITION, 0.0, TIMEOUT)
    assert isinstance(claim, Claim)
    assert store.is_own(claim)
    return claim


def test_outcome_that_another_process_reads_is_the_one_that_was_published(store: PodStore, tmp_path: Path) -> None:
    claim = claim_in(store)
    published = outcome_of(claim, claim.started + 0.001, status=Status.UNHEALTHY)
    store.publish(SERVICE, published)
    ((_, read),) = store_in(tmp_path).outcomes({SERVICE: NO_POSITION})
    assert read == published


def _cut(content: bytes, at: float, _: bytes) -> bytes:
    return content[: int(len(content) * at)]


def _changed(content: bytes, at: float, other: bytes) -> bytes:
    start = int(len(content) * at)
    return content[:start] + other + content[start + len(other) :]


def _replaced(_: bytes, __: float, other: bytes) -> bytes:
    return other


@settings(max_examples=300, deadline=None)
@given(
    number=st.integers(0, 100),
    damage=st.sampled_from([_cut, _changed, _replaced]),
    at=st.floats(0, 1),
    other=st.binary(max_size=200),
)
def test_damaged_file_is_ignored(number: int, damage: Damage, at: float, other: bytes) -> None:
    """It causes no exception, and never an outcome that was not published."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        store = store_in(folder)
        claim = claim_in(store)
        outcome = outcome_of(claim, claim.started)
        store.publish(SERVICE, outcome)
        store.record_change(SERVICE, LogPosition(claim.generation, "final"), (Status.HEALTHY, ()))
        next_claim = store.take(SERVICE, outcome.position, 0.0, TIMEOUT)
        assert isinstance(next_claim, Claim)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        file = files[number % len(files)]
        file.write_bytes(damage(file.read_bytes(), at, other))
        second = store_in(folder)
        assert [found for _, found in second.outcomes({SERVICE: NO_POSITION})] in ([], [outcome])
        taken = second.take(SERVICE, outcome.position, 0.0, TIMEOUT)
        assert isinstance(taken, Claim)
        second.record_change(SERVICE, LogPosition(taken.generation, "final"), (Status.UNHEALTHY, ("stale",)))
        later = outcome_of(taken, taken.started)
        second.publish(SERVICE, later)
        assert [found for _, found in store.outcomes({SERVICE: NO_POSITION})] == [later]


@pytest.mark.parametrize("name", [f"{10**15 - 1}-claim", "7-final", "7-late-logged"])
def test_foreign_file_with_the_name_of_a_record_is_ignored(store: PodStore, tmp_path: Path, name: str) -> None:
    (tmp_path / SERVICE).mkdir()
    (tmp_path / SERVICE / name).write_bytes(b"0" * 100)
    assert claim_in(store).generation == 1


@pytest.mark.parametrize("is_link", [True, False])
def test_what_is_in_place_of_a_subfolder_is_removed(store: PodStore, tmp_path: Path, is_link: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "7-final").write_bytes(b"0")
    if is_link:
        (tmp_path / SERVICE).symlink_to(elsewhere)
    else:
        (tmp_path / SERVICE).write_bytes(b"0")
    assert claim_in(store).generation == 1
    assert (elsewhere / "7-final").exists()


def test_link_in_place_of_a_record_is_not_followed(store: PodStore, tmp_path: Path) -> None:
    claim = claim_in(store)
    store.publish(SERVICE, outcome_of(claim, claim.started))
    (record,) = tmp_path.glob("*/*-final")
    elsewhere = tmp_path / "elsewhere"
    record.rename(elsewhere)
    record.symlink_to(elsewhere)
    assert list(store_in(tmp_path).outcomes({SERVICE: NO_POSITION})) == []


def test_record_under_the_name_of_another_service_is_ignored(store: PodStore, tmp_path: Path) -> None:
    """The signature covers the name, so that an old or foreign result cannot be put in place of a new one."""
    claim = claim_in(store)
    store.publish(SERVICE, outcome_of(claim, claim.started))
    (record,) = tmp_path.glob("*/*-final")
    other = "f" * 16
    (tmp_path / other).mkdir()
    record.rename(tmp_path / other / "1-final")
    assert list(store.outcomes({SERVICE: NO_POSITION, other: NO_POSITION})) == []


def test_moment_in_the_future_does_not_count(tmp_path: Path) -> None:
    """It is of a clock that this process does not have, as in another time namespace."""
    store = store_in(tmp_path)
    claim = claim_in(store)
    store.publish(SERVICE, outcome_of(claim, claim.started + 3600))
    assert list(store_in(tmp_path).outcomes({SERVICE: NO_POSITION})) == []


def test_change_is_logged_by_one_process(store: PodStore, tmp_path: Path) -> None:
    other = store_in(tmp_path)
    state = (Status.UNHEALTHY, ("table_missing",))
    assert store.record_change(SERVICE, LogPosition(1, "final"), state) == (Status.UNKNOWN, ())
    assert other.record_change(SERVICE, LogPosition(1, "final"), state) is None
    assert other.record_change(SERVICE, LogPosition(2, "final"), (Status.HEALTHY, ())) == state
    assert store.record_change(SERVICE, LogPosition(1, "stale"), (Status.UNKNOWN, ("stale",))) is None, "an old state"
    assert store.record_change(SERVICE, LogPosition(3, "final"), (Status.HEALTHY, ())) is None, "no change"


def test_number_of_files_does_not_grow(store: PodStore, tmp_path: Path) -> None:
    known = NO_POSITION
    for _ in range(20):
        claim = store.take(SERVICE, known, 0.0, TIMEOUT)
        assert isinstance(claim, Claim)
        outcome = outcome_of(claim, claim.started)
        store.publish(SERVICE, outcome)
        known = outcome.position
        store.record_change(SERVICE, LogPosition(claim.generation, "final"), (Status.HEALTHY, (str(claim.generation),)))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 4, "the process, the mark, one outcome, one logged state"


def test_folder_is_listed_completely_by_several_threads_at_once(tmp_path: Path) -> None:
    """If they shared a descriptor, they would share its position, and each would miss some of the files."""
    tmp_path.chmod(0o700)
    folder = PrivateFolder(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY), str(tmp_path))
    names = sorted(f"{number:04}" for number in range(1000))
    for name in names:
        folder.put(name)
    with ThreadPoolExecutor(4) as pool:
        listings = list(pool.map(lambda _: sorted(folder.names()), range(200)))
    assert all(listing == names for listing in listings)
