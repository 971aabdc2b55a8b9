"""The startup latch: workers share it by its name, and it fails no probe if it cannot be shared."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from healthguard.probes.latch import Latch
from healthguard.runtime import log

NAME = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def only_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory that may contain shared folders."""
    monkeypatch.setattr("healthguard.runner.pod.private_folder.places", lambda: [str(tmp_path)])
    log.forget()
    return tmp_path


def test_latch_is_shared_by_name() -> None:
    """A latch that one worker has set is set for the other workers, and not for another server."""
    one, other = Latch(NAME), Latch(NAME)
    assert not one.is_set
    assert not other.is_set
    one.set()
    assert other.is_set
    assert not Latch(NAME[::-1]).is_set


def test_latch_outlives_the_worker_that_set_it() -> None:
    """A worker that has read the latch keeps it for the next worker."""
    one = Latch(NAME)
    one.set()
    other = Latch(NAME)
    assert other.is_set
    del one
    Latch(NAME[::-1]).set()
    assert Latch(NAME).is_set


@pytest.mark.parametrize("place", ["missing", "a file"])
def test_latch_that_cannot_be_shared_is_the_processs_own(
    only_place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """Setting such a latch raises no exception, and is logged once."""
    (only_place / "a file").touch()
    monkeypatch.setattr("healthguard.runner.pod.private_folder.places", lambda: [str(only_place / place)])
    with caplog.at_level(logging.WARNING, "healthguard"):
        for _ in range(3):
            latch = Latch(NAME)
            assert not latch.is_set
            latch.set()
            assert latch.is_set
        assert log.flush(60)
    assert caplog.text.count("cannot share the information that the pod is ready") == 1


def test_latch_without_a_name_is_the_processs_own(only_place: Path) -> None:
    """Nothing is written to the disk."""
    latch = Latch(None)
    assert not latch.is_set
    latch.set()
    assert latch.is_set
    assert list(only_place.iterdir()) == []
