"""The folder that one server's workers share: it is used only if no other user can change it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from healthguard.runner.pod.private_folder import PrivateFolder, server_file, start_time

NAME = "0123456789abcdef0123456789abcdef"
FOLDER = f"healthguard-{NAME}.ready"
OTHER = "fedcba9876543210fedcba9876543210"
NOBODY = 65534

HOLDER = """
import sys
from healthguard.runner.pod import private_folder
private_folder.places = lambda: [sys.argv[1]]
folder = next(private_folder.PrivateFolder.created(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory that may contain such folders."""
    monkeypatch.setattr("healthguard.runner.pod.private_folder.places", lambda: [str(tmp_path)])
    return tmp_path


def create_folder(name: str = NAME) -> PrivateFolder:
    """Create the folder called ``name`` in the first directory that allows it."""
    return next(PrivateFolder.created(name))


def is_found() -> bool:
    """Return True if a private folder called NAME contains the file "ready"."""
    return any(folder.has("ready") for folder in PrivateFolder.existing(NAME))


def test_file_in_the_folder_is_found_by_another_object() -> None:
    assert not is_found()
    create_folder().put("ready")
    assert is_found()


def test_folder_and_file_are_private(place: Path) -> None:
    """No other user can read, list or change anything in the folder."""
    create_folder().put("ready")
    assert (place / FOLDER).stat().st_mode & 0o777 == 0o700
    assert (place / FOLDER / "ready").stat().st_mode & 0o777 == 0o600


@needs_root
def test_folder_of_another_user_is_ignored(place: Path) -> None:
    """A folder of another user is ignored with all its files, because that user can change them."""
    create_folder().put("ready")
    os.chown(place / FOLDER, NOBODY, NOBODY)
    assert not is_found()


@needs_root
def test_file_of_another_user_is_ignored(place: Path) -> None:
    create_folder().put("ready")
    os.chown(place / FOLDER / "ready", NOBODY, NOBODY)
    assert not is_found()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_folder_that_others_may_enter_is_ignored(place: Path, mode: int) -> None:
    """The mode of the folder must be 0700."""
    create_folder().put("ready")
    (place / FOLDER).chmod(mode)
    assert not is_found()


def test_folder_that_is_not_used_is_closed(place: Path) -> None:
    """A worker that looks for the folder with each probe does not run out of file descriptors."""
    create_folder()
    (place / FOLDER).chmod(0o755)
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        assert not is_found()
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def _as_folder_behind_a_link(place: Path) -> None:
    (place / "elsewhere").mkdir(0o700)
    (place / "elsewhere" / "ready").touch()
    (place / FOLDER).symlink_to(place / "elsewhere")


def _as_plain_file(place: Path) -> None:
    (place / FOLDER).touch()


def _with_hard_link(place: Path) -> None:
    (place / FOLDER).mkdir(0o700)
    (place / "file").touch()
    os.link(place / "file", place / FOLDER / "ready")


def _with_symbolic_link(place: Path) -> None:
    (place / FOLDER).mkdir(0o700)
    (place / "file").touch()
    (place / FOLDER / "ready").symlink_to(place / "file")


def _with_folder(place: Path) -> None:
    (place / FOLDER / "ready").mkdir(parents=True)
    (place / FOLDER).chmod(0o700)


def _with_content(place: Path) -> None:
    (place / FOLDER).mkdir(0o700)
    (place / FOLDER / "ready").write_text("x")


def _with_pipe(place: Path) -> None:
    (place / FOLDER).mkdir(0o700)
    os.mkfifo(place / FOLDER / "ready")


@pytest.mark.parametrize(
    "make",
    [
        _as_folder_behind_a_link,
        _as_plain_file,
        _with_hard_link,
        _with_symbolic_link,
        _with_folder,
        _with_content,
        _with_pipe,
    ],
)
def test_anything_but_an_empty_file_in_a_real_folder_is_ignored(place: Path, make: Callable[[Path], None]) -> None:
    """Files of another program at that path must not make a pod ready."""
    make(place)
    assert not is_found()


def test_file_at_the_path_of_the_folder_raises_no_exception(place: Path) -> None:
    """The folder cannot be created, so the caller gets none."""
    _as_plain_file(place)
    assert list(PrivateFolder.created(NAME)) == []


def test_next_place_is_used_if_the_first_cannot_be_written(
    place: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing or unusable directory is skipped when a folder is created, and when it is read."""
    second = tmp_path_factory.mktemp("second")
    monkeypatch.setattr("healthguard.runner.pod.private_folder.places", lambda: [str(place / "missing"), str(second)])
    create_folder().put("ready")
    assert (second / FOLDER / "ready").exists()
    assert is_found()


def test_folder_of_a_server_that_has_ended_is_removed(place: Path) -> None:
    """Creating a folder removes those that no process holds."""
    folder = create_folder()
    folder.put("ready")
    del folder
    held = create_folder(OTHER)
    assert [path.name for path in place.iterdir()] == [f"healthguard-{OTHER}.ready"]
    del held


def test_folder_in_use_is_kept(place: Path) -> None:
    """A folder that another process holds is kept until that process has ended."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLDER,
            str(place),
            OTHER,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        first = create_folder()
        assert {path.name for path in place.iterdir()} == {FOLDER, f"healthguard-{OTHER}.ready"}
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()
    again = create_folder()
    assert [path.name for path in place.iterdir()] == [FOLDER]
    del first, again


def test_unused_folder_is_removed_with_its_subfolders(place: Path) -> None:
    folder = create_folder(OTHER)
    folder.make("0123456789abcdef")
    folder.write("0123456789abcdef/1-final", b"record")
    folder.put("ready")
    del folder
    kept = create_folder()
    assert [path.name for path in place.iterdir()] == [FOLDER]
    del kept


def test_other_folders_are_kept(place: Path) -> None:
    """Only folders that have the name of a private folder are removed."""
    others = {"healthguard-pg-abcdefgh", "healthguard-", "other", "healthguard-notes"}
    for name in others:
        (place / name).mkdir()
    create_folder()
    assert {path.name for path in place.iterdir()} >= others


def test_tmpdir_is_the_first_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A TMPDIR that is a relative path is ignored."""
    monkeypatch.undo()
    from healthguard.runner.pod.private_folder import places

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert places() == [str(tmp_path), "/tmp", "/dev/shm"]
    monkeypatch.setenv("TMPDIR", "relative")
    assert places() == ["/tmp", "/dev/shm"]


def test_folder_of_a_running_server_is_kept_without_workers(place: Path) -> None:
    """If all workers were killed at once, the server starts new ones, which must find the folder."""
    parent = os.getppid()
    started = start_time(parent)
    assert started is not None
    kept = create_folder(OTHER)
    kept.put(server_file((parent, started)))
    kept.put("ready")
    del kept
    ended = create_folder("0" * 32)
    ended.put(server_file((parent, started + 1)))
    del ended
    first = create_folder()
    assert {path.name for path in place.iterdir()} == {FOLDER, f"healthguard-{OTHER}.ready"}
    del first


def test_folder_of_a_running_server_can_always_be_opened(place: Path) -> None:
    """A process that looks for unused folders may be stopped at any moment, so it must not lock this one."""
    parent = os.getppid()
    started = start_time(parent)
    assert started is not None
    folder = create_folder(OTHER)
    folder.put(server_file((parent, started)))
    del folder
    descriptor = os.open(place / f"healthguard-{OTHER}.ready", os.O_RDONLY)
    is_over = threading.Event()

    def look_for_unused_folders() -> None:
        for _ in range(500):
            create_folder()
        is_over.set()

    thread = threading.Thread(target=look_for_unused_folders)
    thread.start()
    refusals = 0
    while not is_over.is_set():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            refusals += 1
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    thread.join()
    os.close(descriptor)
    assert refusals == 0
