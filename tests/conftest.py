"""What all tests share. Nothing is patched that can be run: databases, servers and providers are real."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import resource
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dj_database_url
import pytest
from django.conf import settings
from django.db import connections
from django.test import override_settings

from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from healthguard.status import CheckResult, Problem, Status
from tests import settings as test_settings
from tests.links import Link
from tests.sites import Site

MACHINE_SERVICES = {"mariadb": 3306, "redis": 6379}


OPEN_FILES = 1024
"""How many files a process may have open on most systems: the tests must not need more."""


def pytest_configure(config: pytest.Config) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
    config.addinivalue_line("markers", "mariadb: needs the MariaDB of this machine, on 127.0.0.1:3306 as root")
    config.addinivalue_line("markers", "redis: needs the Redis of this machine, on 127.0.0.1:6379")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What waits longest begins first, so that not one process is left with it at the end.
    items.sort(key=lambda item: "faults" not in item.path.parts)
    for name, port in MACHINE_SERVICES.items():
        if not _listens(port):
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(pytest.mark.skip(reason=f"no {name} on 127.0.0.1:{port}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """In CI a test that could have run must not be skipped: only a service that is not there is a reason."""
    outcome: Any = yield
    report = outcome.get_result()
    reason = str(getattr(report, "longrepr", ""))
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail") and " on 127.0.0.1:" not in reason:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many answers of providers were read: a table that has shrunk should be seen."""
    ids = [
        report.nodeid
        for report in terminalreporter.getreports("passed")
        if "::test_what_an_answer_means[" in report.nodeid
    ]
    if ids:
        terminalreporter.write_line(f"{len(set(ids))} answers of AI providers were read as they are meant.")
    corpus = {
        outcome: sum("::test_placeholder_of_the_corpus_" in one.nodeid for one in terminalreporter.getreports(outcome))
        for outcome in ("passed", "failed")
    }
    if total := sum(corpus.values()):
        terminalreporter.write_line(f"{corpus['passed']} of {total} placeholders were found.")
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in getattr(report, "user_properties", ()):
            if name == "count":
                terminalreporter.write_line(f"{value}.")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """The PostgreSQL server of the tests."""
    return test_settings.POSTGRES


@pytest.fixture
def link(postgres: Postgres) -> Iterator[Link]:
    """A way to that server which a test can close and open."""
    link = Link(postgres.url)
    yield link
    link.down()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The name of a fresh, empty database."""
    name = f"healthguard_test_{os.getpid()}"
    postgres.create(name)
    yield name
    postgres.drop(name)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A provider."""
    server = Simulator().start()
    yield server
    server.stop()


@pytest.fixture
def provider(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A provider that this process's environment points to."""
    for name, url in simulator.base_urls.items():
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return simulator


@pytest.fixture
def healthguard_settings() -> Iterator[Callable[..., None]]:
    """Declare: ``healthguard_settings({"name": check}, DEADLINE=1)``. Undone after the test."""
    overrides: list[override_settings] = []

    def declare(services: Any, **keys: Any) -> None:
        override = override_settings(HEALTHGUARD={"SERVICES": services, **keys})
        override.enable()
        overrides.append(override)

    yield declare
    for override in reversed(overrides):
        override.disable()


@pytest.fixture
def site(tmp_path: Any) -> Iterator[Site]:
    """A Django project of its own, to be served by real servers."""
    project = Site(tmp_path)
    yield project
    project.stop()


@pytest.fixture(scope="session")
def public_folder() -> Iterator[Path]:
    """A folder that other users of this machine may get into; to its own, pytest gives the rights to its user alone."""
    with tempfile.TemporaryDirectory(prefix="healthguard-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def result() -> Callable[[Any], CheckResult]:
    """Run one check as the runner does for ``?fresh=1``, on the calling thread's connections."""
    from healthguard.execution import result_of
    from healthguard.freshness import going_by
    from healthguard.service import source_of

    def run(check: Any) -> CheckResult:
        with going_by(0):
            return result_of(source_of(check), 5.0)

    return run


@pytest.fixture
def problem(result: Callable[[Any], CheckResult]) -> Callable[[Any], Problem]:
    """The problem that a check tells; it must have one."""

    def run(check: Any) -> Problem:
        told = result(check)
        assert told.problem is not None, f"{told.check} is {told.status}"
        assert told.status is not Status.HEALTHY
        return told.problem

    return run


@pytest.fixture
def untraced() -> Iterator[None]:
    """Run a test of a million calls without coverage's trace function: with it, they take five times as long."""
    trace = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(trace)


@pytest.fixture
def connect(django_db_blocker: Any) -> Iterator[Callable[..., str]]:
    """Make a database an alias: ``connect(url, alias="other", **settings)``. Closed and forgotten after the test."""
    with _connecting(django_db_blocker) as use:
        yield use


@pytest.fixture(scope="module")
def connect_for_module(django_db_blocker: Any) -> Iterator[Callable[..., str]]:
    """The same, for all tests of a module."""
    with _connecting(django_db_blocker) as use:
        yield use


@contextlib.contextmanager
def _connecting(django_db_blocker: Any) -> Iterator[Callable[..., str]]:
    added: list[str] = []

    def use(url: str, alias: str = "other", **keys: Any) -> str:
        parsed: dict[str, Any] = {**dj_database_url.parse(url), **keys}
        configured = connections.configure_settings({"default": parsed, alias: parsed})
        connections.settings[alias] = settings.DATABASES[alias] = configured[alias]
        added.append(alias)
        return alias

    with django_db_blocker.unblock():
        yield use
        for connection in connections.all(initialized_only=True):
            if connection.alias in added:
                connection.close()
                del connections[connection.alias]
        for alias in added:
            del connections.settings[alias]
            settings.DATABASES.pop(alias, None)


@pytest.fixture
def run_as_a_service() -> Callable[..., list[CheckResult]]:
    """Run checks as one service, on a thread and on database connections of the run's own: their results."""
    from healthguard.runner import Run
    from healthguard.service import Service, place

    def run(*checks: Any) -> list[CheckResult]:
        running = Run(place(Service(*checks), ("one",)))

        def execute() -> list[CheckResult]:
            with running.surroundings.connections.on_this_thread():
                return list(running.execute().results)

        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            return executor.submit(execute).result(60)

    return run


@pytest.fixture
def mysqlclient() -> None:
    """PyMySQL in the place of mysqlclient, whose version Django asks for."""
    import pymysql

    pymysql.version_info = (2, 2, 4, "final", 0)
    pymysql.install_as_MySQLdb()


@pytest.fixture
def mariadb() -> Iterator[str]:
    """The URL of a fresh, empty database on MariaDB."""
    with mariadb_database(f"healthguard_test_{os.getpid()}") as url:
        yield url


@contextlib.contextmanager
def mariadb_database(name: str) -> Iterator[str]:
    """The URL of a database of that name, which is made anew and dropped at the end."""
    import pymysql

    # Django asks for mysqlclient by its version; PyMySQL stands in for it and says so.
    pymysql.version_info = (2, 2, 4, "final", 0)
    pymysql.install_as_MySQLdb()
    connection = pymysql.connect(host="127.0.0.1", user="root")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name}")
    yield f"mysql://root@127.0.0.1:3306/{name}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")
    connection.close()
