"""The suspension of the garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from healthguard.runtime.garbage_collection import suspended_collection


@pytest.fixture(autouse=True)
def _enabled_again() -> Iterator[None]:
    yield
    gc.enable()


def test_collection_is_suspended_and_enabled_again() -> None:
    """Within the block, cycles are not collected."""
    with suspended_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collection_is_enabled_again_after_an_exception() -> None:
    """An exception in the block changes nothing."""
    with pytest.raises(KeyError), suspended_collection():
        raise KeyError
    assert gc.isenabled()


def test_collection_that_was_disabled_stays_disabled() -> None:
    """A program that disables the collection itself keeps that."""
    gc.disable()
    with suspended_collection():
        pass
    assert not gc.isenabled()
