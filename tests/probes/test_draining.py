"""The drain file: what counts as one, and how it is created and removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthguard.probes.draining import DrainFileError, create_drain_file, is_draining, remove_drain_file
from tests.support import strange_checks as strange
from tests.support.fixture_types import Declare
from tests.support.small_disks import FULL, READ_ONLY, mounted

EXISTING = ["file", "folder", "pipe", "link-to-file", "link-to-folder"]
"""The paths at which something exists, so that the pod is draining."""
ABSENT = ["new", "dangling"]
"""The paths at which nothing exists, but a file can be created."""
IMPOSSIBLE = ["missing/drain", "file/drain", "null\0"]
"""The paths at which nothing can exist."""
UNREADABLE = ["loop/drain", "x" * 300]
"""The paths that cannot be checked, so that the pod counts as not draining."""
REMAINS = "dangling-in-missing"
"""A link to a file in a missing folder: it does not exist, and cannot be created."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one path of each kind."""
    (tmp_path / "file").write_text("contents")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for link, target in {
        "link-to-file": "file",
        "link-to-folder": "folder",
        "dangling": "target",
        REMAINS: "missing/target",
        "loop": "loop",
    }.items():
        (tmp_path / link).symlink_to(target)
    return tmp_path


@pytest.fixture
def path(request: pytest.FixtureRequest, folder: Path, healthguard_settings: Declare) -> str:
    """The path of a parameter, as it is declared."""
    path = f"{folder}/{request.param}"
    healthguard_settings({"one": strange.Fine}, DRAIN_FILE=path)
    return path


@pytest.fixture(params=[FULL, READ_ONLY], ids=["full", "read-only"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system in which no file can be created."""
    with mounted(tmp_path / "disk", request.param):
        yield tmp_path / "disk"


@pytest.mark.parametrize("path", [*EXISTING, *ABSENT], indirect=True)
def test_pod_is_draining_after_the_file_is_created(path: str) -> None:
    """Something that exists already is left as it is, and a dangling link leads to the new file."""
    create_drain_file(path)
    assert is_draining()


@pytest.mark.parametrize("path", [*IMPOSSIBLE, *UNREADABLE, REMAINS], indirect=True)
def test_file_that_cannot_be_created_is_reported_without_its_path(path: str) -> None:
    with pytest.raises(DrainFileError, match=r"could not be created \(.+\), so") as raised:
        create_drain_file(path)
    assert path not in str(raised.value)
    assert not is_draining()


def test_existing_file_is_not_changed(folder: Path) -> None:
    create_drain_file(str(folder / "file"))
    assert (folder / "file").read_text() == "contents"


def test_file_on_a_disk_without_room_cannot_be_created(disk: Path) -> None:
    with pytest.raises(DrainFileError, match="No space left on device|Read-only file system"):
        create_drain_file(str(disk / "drain"))


@pytest.mark.parametrize("path", ["file", "pipe", "link-to-file", "link-to-folder", "dangling", REMAINS], indirect=True)
def test_pod_is_not_draining_after_the_file_is_removed(path: str) -> None:
    """A link is removed itself."""
    assert remove_drain_file(path)
    assert not is_draining()
    assert not os.path.lexists(path)


def test_target_of_a_link_is_not_removed(folder: Path) -> None:
    remove_drain_file(str(folder / "link-to-file"))
    assert (folder / "file").read_text() == "contents"


@pytest.mark.parametrize("path", ["new", *IMPOSSIBLE], indirect=True)
def test_missing_file_need_not_be_removed(path: str) -> None:
    assert not remove_drain_file(path)


@pytest.mark.parametrize("path", ["folder"], indirect=True)
def test_folder_is_not_removed_and_the_pod_is_still_draining(path: str) -> None:
    """It may be a volume, or contain something."""
    with pytest.raises(DrainFileError, match=r"could not be removed \(.+\)\. If it exists, the pod is still draining"):
        remove_drain_file(path)
    assert is_draining()


@pytest.mark.parametrize("path", UNREADABLE, indirect=True)
def test_file_that_cannot_be_removed_is_reported_without_its_path(path: str) -> None:
    with pytest.raises(DrainFileError) as raised:
        remove_drain_file(path)
    assert path not in str(raised.value)
