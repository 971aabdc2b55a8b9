"""The cost of an operation of the pod's store, counted in files that are listed and read."""

from __future__ import annotations

import os
from pathlib import Path

from healthguard.runner.pod.knowledge import PodKnowledge
from healthguard.runner.pod.private_folder import PrivateFolder
from healthguard.runner.pod.records import Claim
from healthguard.runner.pod.store import LogPosition, PodStore
from healthguard.status import Status
from tests.runner.test_pod_store import KEY, NO_POSITION, SERVICE, TIMEOUT, outcome_of, store_in


class CountingFolder(PrivateFolder):
    """A folder that counts its operations, and the names of the files that it lists."""

    count = 0

    def names(self, subfolder: str = ".") -> list[str]:
        names = super().names(subfolder)
        self.count += 1 + len(names)
        return names

    def read(self, file: str, limit: int) -> bytes | None:
        self.count += 1
        return super().read(file, limit)


def test_cost_of_an_operation_does_not_depend_on_the_number_of_services(tmp_path: Path) -> None:
    """Otherwise the first request of a project with 1,000 services takes ten seconds."""
    tmp_path.chmod(0o700)
    folder = CountingFolder(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY), str(tmp_path))
    store = PodStore(folder, KEY)
    counts = []
    for number in range(200):
        service, before = f"{number:016x}", folder.count
        claim = store.take(service, NO_POSITION, 0.0, TIMEOUT)
        assert isinstance(claim, Claim)
        store.publish(service, outcome_of(claim, claim.started))
        store.record_change(service, LogPosition(claim.generation, "final"), (Status.HEALTHY, ()))
        counts.append(folder.count - before)
    assert counts == [counts[0]] * 200


def test_only_services_with_new_outcomes_are_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = CountingFolder(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY), str(tmp_path))
    reader, writer = PodStore(folder, KEY), store_in(tmp_path)
    knowledge = PodKnowledge({}, lambda: reader)
    known = {f"{number:016x}": NO_POSITION for number in range(200)}
    assert isinstance(knowledge.take(SERVICE, NO_POSITION, 0.0, TIMEOUT), Claim), "it has opened the store"
    assert knowledge.outcomes(known, b"") == []
    claim = writer.take(f"{7:016x}", NO_POSITION, 0.0, TIMEOUT)
    assert isinstance(claim, Claim)
    published = outcome_of(claim, claim.started)
    writer.publish(f"{7:016x}", published)
    before = folder.count
    assert knowledge.outcomes(known, b"") == [(f"{7:016x}", published)]
    assert folder.count - before == 3, "one listing with one name, and one record"
