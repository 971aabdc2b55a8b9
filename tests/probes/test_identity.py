"""The identity of a server's workers: it belongs to one server, one project and one declaration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.checks import AIProviderKey, RequiredTables
from healthguard.probes import identity
from healthguard.probes.identity import PodIdentity, server_identity
from healthguard.service import Tree, code_versions, resolve_service
from tests.support import strange_checks as strange
from tests.support.rich_declaration import DECLARATION, ThirdParty
from tests.support.sites import REPOSITORY

SQLITE = "django.db.backends.sqlite3"
SECRET = "hunter2-hunter2-hunter2"


def tree(**services: Any) -> Tree:
    """Return a declaration with these services by name."""
    return Tree({name: resolve_service(service, (name,)) for name, service in services.items()})


def identity_of(declared: Tree | None = None, *, is_declared: bool = True) -> PodIdentity:
    """Return the identity of this process with a declaration."""
    found = server_identity(tree(one=Service(strange.Fine)) if declared is None else declared, is_declared=is_declared)
    assert found is not None
    return found


def digest_of(service: Service) -> str:
    return identity_of(tree(one=service)).service_digests["one",]


def test_identity_has_a_name_a_key_and_a_digest_for_each_service() -> None:
    found = identity_of(tree(one=Service(strange.Fine), two=Service(strange.Fine)))
    assert len(found.name) == len(bytes.fromhex(found.name)) * 2 == 32
    assert len(found.signature_key) == 32
    assert [(path, len(digest)) for path, digest in found.service_digests.items()] == [(("one",), 16), (("two",), 16)]
    assert len(set(found.service_digests.values())) == 2


def test_identity_shows_no_secret() -> None:
    declared = tree(one=Service(ThirdParty(secret=SECRET), (ThirdParty, {"options": SECRET})))
    found = identity_of(declared)
    assert repr(found.signature_key) not in repr(found)
    assert SECRET not in repr(found)
    assert SECRET not in repr(next(declared.services()))


def test_forks_of_one_program_have_one_identity(tmp_path: Path) -> None:
    """A fork keeps the random bytes of its program."""
    found = tmp_path / "identity"
    found.touch()
    found.chmod(0o666)
    mine = identity_of()
    child = os.fork()
    if child == 0:
        found.write_text(str(identity_of() == mine))
        os._exit(0)
    os.waitpid(child, 0)
    assert found.read_text() == "True"


WORKERS = """
import multiprocessing
def work(queue):
    from django.conf import settings
    settings.configure(DATABASES={})
    from healthguard import Service
    from healthguard.probes.identity import server_identity
    from healthguard.service import Tree, resolve_service
    from tests.support.rich_declaration import DECLARATION, NAMES
    found = server_identity(Tree({"one": resolve_service(Service(DECLARATION, ttl=7), ("one",))}))
    queue.put([found.name, found.signature_key.hex(), *found.service_digests.values(), list(NAMES)])
if __name__ == "__main__":
    import json
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=work, args=(queue,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    print(json.dumps([queue.get() for worker in workers]))
    for worker in workers:
        worker.join()
"""


def _identities_of_workers(script: Path) -> list[list[Any]]:
    """Start a server of four workers and return the parts of their identities, and the order of a set."""
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return list(json.loads(done.stdout))


def test_workers_of_multiprocessing_have_one_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such workers are separate programs of one server. The next start of the server has another identity."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    script = tmp_path / "server.py"
    script.write_text(WORKERS)
    first, second = _identities_of_workers(script), _identities_of_workers(script)
    assert [worker[:3] for worker in first] == [first[0][:3]] * 4
    assert [worker[:3] for worker in second] == [second[0][:3]] * 4
    assert not {*first[0][:3]} & {*second[0][:3]}
    assert len({tuple(worker[3]) for worker in first}) > 1, "the hashes of strings differ between workers"


def _is_another(one: PodIdentity, other: PodIdentity) -> bool:
    return one.name != other.name and one.signature_key != other.signature_key


@pytest.mark.parametrize(
    "declared",
    [
        tree(two=Service(strange.Fine)),
        tree(one=Service(strange.Fine), two=Service(strange.Fine)),
        tree(one=Service(strange.Fine, strange.Fine)),
        tree(one=Service(ThirdParty)),
        tree(one=Service(strange.Fine, ready="always")),
        tree(one=Service(strange.Fine, critical=False)),
        tree(one=Service(strange.Fine, ttl=7)),
        tree(one=Service(strange.Fine, stale_for=7)),
        tree(one=Service(strange.Fine, timeout=7)),
        tree(one=Service(*DECLARATION)),
    ],
)
def test_another_declaration_has_another_identity(declared: Tree) -> None:
    """Two sites may have the same settings module and code, but different services."""
    assert identity_of() == identity_of()
    assert _is_another(identity_of(declared), identity_of())
    assert identity_of(declared).service_digests != identity_of().service_digests


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RequiredTables(["a"]), RequiredTables(["b"])),
        (ThirdParty(secret="a"), ThirdParty(secret="b")),
        ((ThirdParty, {"secret": "a"}), (ThirdParty, {"secret": "b"})),
        (("tests.support.rich_declaration.ThirdParty", {"options": 1}), "tests.support.rich_declaration.ThirdParty"),
    ],
)
def test_other_options_of_a_check_have_another_identity(one: Any, other: Any) -> None:
    assert _is_another(identity_of(tree(one=Service(one))), identity_of(tree(one=Service(other))))
    assert digest_of(Service(one)) != digest_of(Service(other))


def test_order_of_services_does_not_matter() -> None:
    one, two = Service(strange.Fine), Service(ThirdParty)
    assert identity_of(tree(one=one, two=two)) == identity_of(tree(two=two, one=one))


def test_jitter_of_a_ttl_is_not_part_of_the_identity() -> None:
    """It is random in each process."""
    ones, others = (tree(one=Service(AIProviderKey("anthropic"))) for _ in range(2))
    assert next(ones.services()).ttl != next(others.services()).ttl
    assert identity_of(ones) == identity_of(others)


def test_default_services_have_one_name_and_different_digests() -> None:
    """Workers may have different default services, because databases can be added at run time."""
    one = identity_of(tree(one=Service(RequiredTables(["a"])), two=Service(strange.Fine)), is_declared=False)
    other = identity_of(tree(one=Service(RequiredTables(["b"])), two=Service(strange.Fine)), is_declared=False)
    assert (one.name, one.signature_key) == (other.name, other.signature_key)
    assert one.service_digests["one",] != other.service_digests["one",]
    assert one.service_digests["two",] == other.service_digests["two",]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("ROOT_URLCONF", "other.urls"), ("DATABASES", {"default": {"ENGINE": SQLITE, "NAME": "other"}})],
)
def test_another_project_has_another_identity(monkeypatch: pytest.MonkeyPatch, setting: str, value: object) -> None:
    """Two sites may share a process group of the web server."""
    before = identity_of()
    monkeypatch.setattr(settings, setting, value)
    assert _is_another(identity_of(), before)


def test_another_version_of_healthguard_has_another_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may write other content into the same files."""
    before = identity_of()
    monkeypatch.setattr(identity, "__version__", "0.0.1")
    assert _is_another(identity_of(), before)


def test_another_version_of_the_settings_module_has_another_identity(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = identity_of()
    other = tmp_path / "settings.py"
    other.touch()
    monkeypatch.setattr(sys.modules[os.environ["DJANGO_SETTINGS_MODULE"]], "__file__", str(other))
    assert _is_another(identity_of(), before)


class Inherits(strange.Fine):
    """A check whose base is in another module."""


@pytest.mark.parametrize("check", [strange.Fine, strange.Fine(), Inherits, "tests.support.strange_checks.Fine"])
def test_other_code_of_a_check_has_another_digest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, check: type[HealthCheck] | HealthCheck | str
) -> None:
    before = identity_of(tree(one=Service(check), two=Service(ThirdParty)))
    other = tmp_path / "strange_checks.py"
    other.touch()
    monkeypatch.setattr(strange, "__file__", str(other))
    after = identity_of(tree(one=Service(check), two=Service(ThirdParty)))
    assert after.service_digests["one",] != before.service_digests["one",]
    assert after.service_digests["two",] == before.service_digests["two",]


def test_check_that_cannot_be_imported_has_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker may fail to import a check that the others can import."""
    path = "tests.support.strange_checks.Fine"
    before = identity_of(tree(one=Service(path)))
    monkeypatch.delattr(strange, "Fine")
    after = identity_of(tree(one=Service(path)))
    assert after.name == before.name
    assert after.service_digests != before.service_digests


def test_another_database_has_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(RequiredTables(["a"], alias="other"))
    default = {"ENGINE": SQLITE, "NAME": "default"}
    digests = []
    for name in ("one", "two"):
        monkeypatch.setattr(settings, "DATABASES", {"default": default, "other": {"ENGINE": SQLITE, "NAME": name}})
        digests.append(digest_of(service))
    assert digests[0] != digests[1]


def _fill_in(databases: dict[str, Any]) -> None:
    # Django's ConnectionHandler does this when a connection is first used.
    databases["default"] |= {"USER": "", "PASSWORD": "", "CONN_MAX_AGE": 0, "TEST": {"NAME": None}}


def _add_alias(databases: dict[str, Any]) -> None:
    databases["tenant"] = {"ENGINE": SQLITE, "NAME": "tenant"}


def _add_object(databases: dict[str, Any]) -> None:
    databases["default"]["OPTIONS"] = {"factory": object()}


def _break(databases: dict[str, Any]) -> None:
    databases["broken"] = "not a dict"


@pytest.mark.parametrize("change", [_fill_in, _add_alias, _add_object, _break])
def test_databases_that_change_at_run_time_keep_the_identity(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]
) -> None:
    """A worker that has served requests and a new worker belong to one server."""
    databases: dict[str, Any] = {"default": {"ENGINE": SQLITE, "NAME": Path("shop.sqlite3")}}
    monkeypatch.setattr(settings, "DATABASES", databases)
    declared = tree(one=Service(RequiredTables(["a"]), RequiredTables(["a"], alias="broken")))
    before = identity_of(declared)
    change(databases)
    assert identity_of(declared) == before


def test_file_that_is_replaced_later_keeps_the_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process still runs the code that it has loaded."""
    file = tmp_path / "strange_checks.py"
    file.touch()
    monkeypatch.setattr(strange, "__file__", str(file))
    before = identity_of()
    file.write_text("# new")
    assert identity_of() == before
    monkeypatch.setattr(code_versions, "_versions", {})
    assert identity_of() != before, "a new process reads the new file"


def test_system_without_random_bytes_has_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the random bytes of the program, each process counts as a separate server."""
    monkeypatch.setattr(identity, "_random_bytes_of_program", lambda: None)
    assert server_identity(tree(one=Service(strange.Fine))) is None


def test_python_without_ctypes_has_no_identity(tmp_path: Path) -> None:
    """healthguard can be imported in such a Python, and each process has its own latch."""
    (tmp_path / "ctypes.py").write_text("raise ImportError")
    script = "from healthguard.probes import identity; print(identity._server_key())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
