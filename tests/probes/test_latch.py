"""The startup latch: it belongs to one server and one declaration, and it fails no probe if it cannot be shared."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from healthguard import Service
from healthguard.probes import identity
from healthguard.probes.identity import server_identity
from healthguard.probes.latch import Latch
from healthguard.runtime import log
from healthguard.service import Tree, resolve_service
from tests.support import strange_checks as strange
from tests.support.sites import REPOSITORY

NAME = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def only_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory that may contain shared folders."""
    monkeypatch.setattr("healthguard.probes.private_folder.places", lambda: [str(tmp_path)])
    log.forget()
    return tmp_path


def tree(*names: str) -> Tree:
    """Return a declaration with services of these names."""
    return Tree({name: resolve_service(Service(strange.Fine), (name,)) for name in names})


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
    monkeypatch.setattr("healthguard.probes.private_folder.places", lambda: [str(only_place / place)])
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


def test_forks_of_one_program_have_one_identity(tmp_path: Path) -> None:
    """A fork keeps the random bytes of its program."""
    found = tmp_path / "identity"
    found.touch()
    found.chmod(0o666)
    mine = server_identity(tree("one"))
    assert mine is not None
    assert len(mine) == 32
    child = os.fork()
    if child == 0:
        found.write_text(str(server_identity(tree("one"))))
        os._exit(0)
    os.waitpid(child, 0)
    assert found.read_text() == mine


WORKERS = """
import multiprocessing
def work(queue):
    from django.conf import settings
    settings.configure(DATABASES={})
    from healthguard.probes.identity import server_identity
    from healthguard.service import Tree
    queue.put(server_identity(Tree({})))
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=work, args=(queue,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        print(queue.get())
    for worker in workers:
        worker.join()
"""


def _identities_of_workers(script: Path) -> list[str]:
    """Start a server of two workers and return their identities."""
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return done.stdout.split()


def test_workers_of_multiprocessing_have_one_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such workers are separate programs of one server. The next start of the server has another identity."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    script = tmp_path / "server.py"
    script.write_text(WORKERS)
    first, second = _identities_of_workers(script), _identities_of_workers(script)
    assert first[0] == first[1] != "None"
    assert second[0] == second[1] != first[0]


def test_another_declaration_has_another_identity() -> None:
    """Two sites may have the same settings module and code, but different services."""
    assert server_identity(tree("one")) == server_identity(tree("one"))
    assert server_identity(tree("one")) != server_identity(tree("two"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ROOT_URLCONF", "other.urls"),
        ("DATABASES", {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "other"}}),
    ],
)
def test_another_project_has_another_identity(monkeypatch: pytest.MonkeyPatch, setting: str, value: object) -> None:
    """Two sites may share a process group of the web server."""
    before = server_identity(tree("one"))
    monkeypatch.setattr(settings, setting, value)
    assert server_identity(tree("one")) != before


def _fill_in(databases: dict[str, Any]) -> None:
    # Django's ConnectionHandler does this when a connection is first used.
    databases["default"] |= {"USER": "", "PASSWORD": "", "CONN_MAX_AGE": 0, "TEST": {"NAME": None}}


def _add_alias(databases: dict[str, Any]) -> None:
    databases["tenant"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "tenant"}


def _add_object(databases: dict[str, Any]) -> None:
    databases["default"]["OPTIONS"] = {"factory": object()}


@pytest.mark.parametrize("change", [_fill_in, _add_alias, _add_object])
def test_databases_that_change_at_run_time_keep_the_identity(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]
) -> None:
    """A worker that has served requests and a new worker belong to one server."""
    databases: dict[str, Any] = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path("shop.sqlite3")}}
    monkeypatch.setattr(settings, "DATABASES", databases)
    before = server_identity(tree("one"))
    change(databases)
    assert server_identity(tree("one")) == before


def test_system_without_random_bytes_has_no_shared_latch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the random bytes of the program, each process counts as a separate server."""
    monkeypatch.setattr(identity, "_random_bytes_of_program", lambda: None)
    assert server_identity(tree("one")) is None


def test_python_without_ctypes_has_no_shared_latch(tmp_path: Path) -> None:
    """healthguard can be imported in such a Python, and each process has its own latch."""
    (tmp_path / "ctypes.py").write_text("raise ImportError")
    script = "from healthguard.probes import identity; print(identity._server_key())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
