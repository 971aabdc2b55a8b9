"""The fixtures that all tests share. Databases, servers and providers are real, and not patched."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dj_database_url
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from example_project.ports import listens
from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from healthguard.status import CheckResult, Problem, Status
from tests import settings as test_settings
from tests.support.fixture_types import Connect, Declare, FindProblem, RunAsService, RunCheck
from tests.support.links import Link
from tests.support.machine_services import mariadb_database
from tests.support.sites import PATIENCE, Site

pytest_plugins = [
    "tests.support.ai_keys",
    "tests.support.credential_exchange",
    "tests.support.endpoints",
    "tests.support.gateways",
]

QUICK = {"checks", "database", "http_client", "kubernetes", "providers", "requirements", "secret_values", "service"}
"""The folders of the tests that do not start a server of Django."""
SLOW = (
    "database/test_postgresql_errors.py",
    "example_project/test_drill.py",
    "faults",
    "http/test_adaptors.py",
    "http_client/test_in_process.py",
    "kubernetes/reading/test_inputs.py",
    "kubernetes/reading/test_limits.py",
    "kubernetes/test_growth.py",
    "matrix",
    "oracle",
    "probes/test_new_declaration.py",
    "probes/test_pod.py",
    "probes/test_shared_outcomes.py",
    "pytest_plugin",
    "repository/test_first_steps.py",
    "repository/test_readme.py",
    "system_checks/test_deployment.py",
    "system_checks/test_distribution.py",
    "test_secrets_stay.py",
    "test_survival.py",
)
"""The folders and files that take two thirds of the time of all tests. "--quick" leaves them out."""
MACHINE_SERVICES = {"mariadb": 3306, "postgresql": 5432, "redis": 6379}
"""The ports of the services that this machine may run, by the name of the marker."""
OPEN_FILES = 1024
"""The number of files that most systems allow a process to open. The tests must not need more."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out the tests that take longest")


def pytest_configure(config: pytest.Config) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
    # The wheel of kubectl installs it beside Python. The kubectl of the machine has precedence.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), os.path.dirname(sys.executable)])
    config.addinivalue_line("markers", "mariadb: needs the MariaDB of this machine, on 127.0.0.1:3306 as root")
    config.addinivalue_line(
        "markers", "postgresql: needs the PostgreSQL of this machine, on 127.0.0.1:5432 as postgres"
    )
    config.addinivalue_line("markers", "redis: needs the Redis of this machine, on 127.0.0.1:6379")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("quick"):
        slow = [item for item in items if _is_slow(item.path)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not _is_slow(item.path)]
    # The slowest tests start first, so that no process runs them alone at the end: the faults, then the tests that
    # start servers, then the rest.
    items.sort(key=lambda item: ("faults" not in item.path.parts, not QUICK.isdisjoint(item.path.parts)))
    for name, port in MACHINE_SERVICES.items():
        if not listens(port):
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(pytest.mark.skip(reason=f"no {name} on 127.0.0.1:{port}"))


def _is_slow(path: Path) -> bool:
    here = path.relative_to(Path(__file__).parent)
    return any(here.is_relative_to(slow) for slow in SLOW)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """In CI, report a skipped test as failed, unless a service of the machine is not running."""
    outcome: Any = yield
    report = outcome.get_result()
    reason = str(getattr(report, "longrepr", ""))
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail") and " on 127.0.0.1:" not in reason:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the number of tested provider answers and placeholders, because a shrunk table must be noticed."""
    ids = [
        report.nodeid
        for report in terminalreporter.getreports("passed")
        if "::test_what_an_answer_means[" in report.nodeid
    ]
    if ids:
        terminalreporter.write_line(f"{len(set(ids))} answers of AI providers were read as they are meant.")
    corpus = {
        outcome: sum(
            "::test_placeholder_of_the_corpus_" in report.nodeid for report in terminalreporter.getreports(outcome)
        )
        for outcome in ("passed", "failed")
    }
    if total := sum(corpus.values()):
        terminalreporter.write_line(f"{corpus['passed']} of {total} placeholders were found.")
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in getattr(report, "user_properties", ()):
            if name == "count":
                terminalreporter.write_line(f"{value}.")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let new processes react to Ctrl-C, which those of a shell in the background ignore."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """The PostgreSQL server of the tests."""
    return test_settings.POSTGRES


@pytest.fixture
def link(postgres: Postgres) -> Iterator[Link]:
    """A port that forwards to that server, and that a test can close and open."""
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


@pytest.fixture(scope="session")
def migrated_template(postgres: Postgres, django_db_blocker: Any) -> Iterator[str]:
    """The name of a database in which all migrations are applied, and of which tests use copies."""
    name = f"healthguard_template_{os.getpid()}"
    with _connecting(django_db_blocker) as use:
        call_command("migrate", database=use(postgres.create(name), "template"), verbosity=0)
    yield name
    postgres.drop(name)


@pytest.fixture
def migrated_database(postgres: Postgres, migrated_template: str) -> Iterator[str]:
    """The name of a fresh database in which all migrations are applied."""
    name = f"healthguard_test_{os.getpid()}"
    postgres.create(name, migrated_template)
    yield name
    postgres.drop(name)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator of the AI providers."""
    server = Simulator().start()
    yield server
    server.stop()


@pytest.fixture
def provider(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A simulator to which the environment of this process directs the providers' clients."""
    for name, url in simulator.base_urls.items():
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return simulator


@pytest.fixture(autouse=True)
def patient_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests in this process wait for 30 s if the setting declares no DEADLINE.

    On a busy machine, even a quick check may take longer than the default.
    """
    from healthguard import conf

    default = vars(conf.Settings)["deadline"]

    def deadline(own: conf.Settings) -> float:
        seconds: float = default.__get__(own)
        return seconds if "DEADLINE" in own.declared else 30.0

    monkeypatch.setattr(conf.Settings, "deadline", property(deadline))


@pytest.fixture
def healthguard_settings() -> Iterator[Declare]:
    """Declare services until the test ends: ``healthguard_settings({"name": check}, DEADLINE=1)``."""
    overrides: list[override_settings] = []

    def declare(services: Any, **keys: Any) -> None:
        override = override_settings(HEALTHGUARD={"SERVICES": services, **keys})
        override.enable()
        overrides.append(override)

    yield declare
    for override in reversed(overrides):
        override.disable()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A Django project that real servers can serve."""
    project = Site(tmp_path)
    yield project
    project.stop()


@pytest.fixture(scope="session")
def public_folder() -> Iterator[Path]:
    """A folder that other users of this machine may enter. Only the current user may enter pytest's own folders."""
    with tempfile.TemporaryDirectory(prefix="healthguard-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def result() -> RunCheck:
    """Run one check as the runner does for ``?fresh=1``, on the connections of the calling thread."""
    from healthguard.runner.execution import result_of
    from healthguard.runtime.cache_age import max_cache_age
    from healthguard.runtime.deadline import deadline_after, time_left
    from healthguard.service import source_of

    def run(check: Any) -> CheckResult:
        # A quick response may take longer than the usual limit of a check if the machine is busy.
        limit = time_left(PATIENCE)
        with max_cache_age(0), deadline_after(limit):
            return result_of(source_of(check), limit)

    return run


@pytest.fixture
def problem(result: RunCheck) -> FindProblem:
    """Run one check, which must fail, and return its problem."""

    def run(check: Any) -> Problem:
        outcome = result(check)
        assert outcome.problem is not None, f"{outcome.check} is {outcome.status}"
        assert outcome.status is not Status.HEALTHY
        return outcome.problem

    return run


@pytest.fixture
def untraced() -> Iterator[None]:
    """Run a test without coverage's trace function, with which a million calls take five times as long."""
    trace = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(trace)


@pytest.fixture
def connect(django_db_blocker: Any) -> Iterator[Connect]:
    """Add an alias for a database until the test ends: ``connect(url, alias="other", **settings)``."""
    with _connecting(django_db_blocker) as use:
        yield use


@pytest.fixture(scope="module")
def connect_for_module(django_db_blocker: Any) -> Iterator[Connect]:
    """Add an alias for a database until the tests of the module end."""
    with _connecting(django_db_blocker) as use:
        yield use


@contextlib.contextmanager
def _connecting(django_db_blocker: Any) -> Iterator[Connect]:
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
def run_as_a_service() -> RunAsService:
    """Run checks as one service, on the thread and the database connections of a run, and return their results."""
    from healthguard.runner import Run
    from healthguard.service import Service, resolve_service

    def run(*checks: Any) -> list[CheckResult]:
        running = Run(resolve_service(Service(*checks), ("one",)))

        def execute() -> list[CheckResult]:
            with running.resources.connections.on_this_thread():
                return list(running.execute().results)

        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            return executor.submit(execute).result(60)

    return run


@pytest.fixture
def mysqlclient() -> None:
    """Install PyMySQL under the name and a version of mysqlclient, which Django requires."""
    import pymysql

    pymysql.version_info = (2, 2, 4, "final", 0)
    pymysql.install_as_MySQLdb()


@pytest.fixture
def mariadb() -> Iterator[str]:
    """The URL of a fresh, empty database on MariaDB."""
    with mariadb_database(f"healthguard_test_{os.getpid()}") as url:
        yield url
