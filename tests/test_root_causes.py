"""Each root cause of the outage makes its service unhealthy with its problem code, until it is repaired."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from example_project.deployment import Server, anthropic_key, healthy_environment, manage, provider_keys
from example_project.ports import free_port
from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from tests.support.sites import PATIENCE, UNMEASURED, WITHOUT_REDIS

PATIENT = """
from example_project.settings import *
from healthguard import Service
PROVIDERS = HEALTHGUARD["SERVICES"]["ai_providers"]
HEALTHGUARD["SERVICES"]["ai_providers"] = {name: Service(check, timeout=10) for name, check in PROVIDERS.items()}
"""
"""The settings of the example project, with more time to report that a provider is silent on a busy machine.

A check waits for a response for 80% of its timeout, and a request for fresh results waits for 10 s.
"""
EXPECTED = f"healthguard_platform_{os.getpid()}"
LANDING = f"healthguard_landing_{os.getpid()}"
SERVICES = {
    "database": "healthy",
    "ai_providers": {"anthropic": "healthy", "openai": "healthy"},
    "django_config": "healthy",
    "analytics": "healthy",
    "credentials": "healthy",
}


class Deployment:
    """A deployment of the example project.

    Args:
        environment: the environment variables of a healthy deployment.
        simulator: the AI providers.
    """

    def __init__(self, environment: dict[str, str], simulator: Simulator) -> None:
        self.environment = environment
        self.simulator = simulator
        self._server: Server | None = None

    def deploy(self, workers: int = 1, **changes: str | None) -> None:
        """Start the server again with ``changes`` to its environment; None removes a variable."""
        self.stop()
        environment = {**self.environment, **{name: value for name, value in changes.items() if value is not None}}
        for name in [name for name, value in changes.items() if value is None]:
            environment.pop(name, None)
        self._server = Server(free_port(), environment, workers=workers, is_quiet=True)
        self._server.wait_until_live()

    def stop(self) -> None:
        """Stop the server if it is running."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def server(self) -> Server:
        """The running server."""
        assert self._server is not None
        return self._server

    def get_details(self, path: str = "") -> tuple[int, dict[str, Any]]:
        """Return the status and the body of a fresh response with details."""
        token = {"Authorization": f"Bearer {self.environment['HEALTHGUARD_TOKEN']}"}
        # Each of the two workers runs its own checks. After its first runs, a worker reports the current state.
        ends = time.monotonic() + PATIENCE
        while True:
            status, body = self.server.get(f"/api/health{path}?fresh=1", token)
            answer = json.loads(body)
            if '"code": "pending"' not in body.decode() or time.monotonic() > ends:
                break
            time.sleep(0.05)
        return status, answer

    def probe(self, path: str = "") -> int:
        """Return the status of the response to a probe after the first runs have finished."""
        ends = time.monotonic() + PATIENCE
        while True:
            status, body = self.server.get(f"/api/health{path}")
            if json.loads(body)["status"] != "unknown" or time.monotonic() > ends:
                break
            time.sleep(0.05)
        return status

    def wait_for_providers(self, wanted: str) -> dict[str, Any]:
        """Wait until the status of the providers is ``wanted``, and return the body. Each response must be a 200."""
        ends = time.monotonic() + PATIENCE
        while True:
            status, answer = self.get_details("/ai_providers")
            assert status == 200, "what was known before is served while the provider is asked again"
            if answer["status"] == wanted:
                return answer
            assert time.monotonic() < ends, answer
            time.sleep(0.1)

    def expect_healthy(self) -> None:
        """Assert that all services become healthy."""
        ends = time.monotonic() + PATIENCE
        # On a busy machine, a worker may have to answer before its next run has finished.
        while (response := self.get_details())[1]["status"] != "healthy" and time.monotonic() < ends:
            time.sleep(0.1)
        status, answer = response
        assert (status, answer["status"], answer["services"]) == (200, "healthy", SERVICES), answer
        assert answer["django_config"]["status"] == answer["analytics"]["status"] == "healthy"

    def expect_unhealthy(self, code: str, *services: str) -> dict[str, Any]:
        """Assert that only ``services`` are unhealthy, with ``code`` as the first problem, and return its entry."""
        status, answer = self.get_details()
        assert (status, answer["status"]) == (503, "unhealthy")
        flat = {name: state for name, state in answer["services"].items() if isinstance(state, str)}
        flat |= {f"ai_providers.{name}": state for name, state in answer["services"]["ai_providers"].items()}
        assert {name for name, state in flat.items() if state != "healthy"} == set(services), answer
        section = answer
        for name in services[0].split("."):
            section = section[name]
        problems: list[dict[str, Any]] = [check for check in section["checks"] if check["status"] != "healthy"]
        assert problems[0]["code"] == code, problems
        assert {check["fault"] for check in problems} == {"config"}
        assert all(check["hint"] for check in problems)
        return problems[0]


@pytest.fixture(scope="module")
def healthy(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The example project with a migrated database and a customer."""
    folder = tmp_path_factory.mktemp("settings")
    (folder / "patient_settings.py").write_text(PATIENT)
    simulator = Simulator().start()
    environment = healthy_environment(simulator.base_urls, postgres.create(EXPECTED))
    environment |= {
        "EXPECTED_DATABASE": EXPECTED,
        "DJANGO_SETTINGS_MODULE": "patient_settings",
        "PYTHONPATH": os.pathsep.join([str(folder), WITHOUT_REDIS]),
        **UNMEASURED,
    }
    simulator.keys = provider_keys(environment)
    manage(environment, "migrate", "--verbosity=0")
    environment["EXCHANGE_API_KEY"] = manage(environment, "seed_demo")
    yield Deployment(environment, simulator)
    simulator.stop()
    postgres.drop(EXPECTED)


@pytest.fixture
def deployment(healthy: Deployment) -> Iterator[Deployment]:
    """A deployment that the test starts."""
    healthy.simulator.mode = "ok"
    yield healthy
    healthy.stop()


@pytest.fixture(scope="module")
def running(healthy: Deployment) -> Iterator[Deployment]:
    """A deployment that keeps running while tests break and repair its database and its providers."""
    running = Deployment(healthy.environment, healthy.simulator)
    running.deploy(workers=2)
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("changes", "code", "services"),
    [
        ({"ANTHROPIC_API_KEY": None}, "key_missing", ["ai_providers.anthropic", "credentials"]),
        ({"OPENAI_API_KEY": None}, "key_missing", ["ai_providers.openai", "credentials"]),
        ({"ANTHROPIC_API_KEY": ""}, "key_empty", ["ai_providers.anthropic", "credentials"]),
        ({"ANTHROPIC_API_KEY": "mock-anthropic-key"}, "key_placeholder", ["ai_providers.anthropic", "credentials"]),
        ({"ANTHROPIC_API_KEY": anthropic_key()}, "key_rejected", ["ai_providers.anthropic"]),
        ({"ANTHROPIC_API_KEY": anthropic_key() + "\n"}, "key_corrupted", ["ai_providers.anthropic", "credentials"]),
        ({"EXCHANGE_API_KEY": None}, "endpoint_header", ["credentials"]),
        ({"EXCHANGE_API_KEY": "not-a-customers"}, "endpoint_status", ["credentials"]),
        ({"SECRET_KEY": ""}, "secret_key_empty", ["django_config"]),
        ({"SECRET_KEY": secrets.token_urlsafe(64)[:10]}, "secret_key_too_short", ["django_config"]),
        ({"SECRET_KEY": secrets.token_urlsafe(64)[:49]}, "secret_key_too_short", ["django_config"]),
    ],
)
def test_deploy_into_a_broken_environment_is_unhealthy(
    deployment: Deployment, changes: dict[str, Any], code: str, services: list[str]
) -> None:
    deployment.deploy(**changes)
    deployment.expect_unhealthy(code, *services)
    assert (deployment.probe(), deployment.probe("/ready"), deployment.probe("/live")) == (503, 503, 200)


def test_deploy_into_a_repaired_environment_is_healthy(deployment: Deployment) -> None:
    """A deployment is healthy again after several causes are repaired at once."""
    deployment.deploy(ANTHROPIC_API_KEY=None, SECRET_KEY="", EXCHANGE_API_KEY=None)
    assert (deployment.probe(), deployment.probe("/ready")) == (503, 503)
    deployment.deploy()
    deployment.expect_healthy()
    assert (deployment.probe(), deployment.probe("/ready")) == (200, 200)


def test_database_url_of_another_database_is_reported(deployment: Deployment, postgres: Postgres) -> None:
    """A database with another name is reported even if it has the same tables."""
    url = postgres.create(LANDING, template=EXPECTED)
    try:
        deployment.deploy(DATABASE_URL=url)
        found = deployment.expect_unhealthy("wrong_database", "database")
        assert found["evidence"]["expected"] == EXPECTED
        assert found["evidence"]["actual"] == LANDING
        assert deployment.probe("/ready") == 503
        deployment.deploy()
        deployment.expect_healthy()
    finally:
        deployment.stop()
        postgres.drop(LANDING)


@pytest.mark.parametrize(
    ("statements", "code", "services"),
    [
        (["ALTER TABLE api_keys RENAME TO gone"], "table_missing", ["database", "credentials"]),
        (["ALTER TABLE customers RENAME TO gone"], "table_missing", ["database", "credentials"]),
        (["ALTER TABLE analytics_events RENAME TO gone"], "table_missing", ["database", "analytics", "credentials"]),
        (["ALTER TABLE fun_with_flags_toggles RENAME TO gone"], "table_missing", ["database"]),
        (["DROP TABLE fun_with_flags_toggles"], "table_missing", ["database"]),
        (["ALTER TABLE customers DROP COLUMN metadata"], "column_missing", ["database", "credentials"]),
        (["ALTER TABLE customers ALTER COLUMN metadata TYPE json"], "column_type", ["database"]),
        (["ALTER TABLE customers ALTER COLUMN monthly_limit TYPE bigint"], "column_type", ["database"]),
        (["DELETE FROM django_migrations WHERE app = 'vending'"], "migrations_pending", ["database"]),
        (["DELETE FROM django_migrations WHERE app = 'contenttypes'"], "migrations_inconsistent", ["database"]),
    ],
)
def test_database_that_does_not_match_the_code_is_reported(
    running: Deployment, postgres: Postgres, statements: list[str], code: str, services: list[str]
) -> None:
    running.expect_healthy()
    assert running.probe("/ready") == 200
    history = postgres.execute("SELECT * FROM django_migrations", EXPECTED)
    try:
        for statement in statements:
            postgres.execute(statement, EXPECTED)
        running.expect_unhealthy(code, *services)
        assert running.probe("/ready") == 200, "the pod was ready once: the fleet stays in"
    finally:
        _repair(postgres, history)
    running.expect_healthy()


def _repair(postgres: Postgres, history: list[tuple[object, ...]]) -> None:
    """Restore the tables, the columns and the recorded migrations."""
    with psycopg.connect(postgres.url_of(EXPECTED), autocommit=True) as connection:
        tables = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
        wanted: set[str | None] = {"api_keys", "customers", "analytics_events", "fun_with_flags_toggles"}
        (missing,) = (wanted - tables) or {None}
        if "gone" in tables:
            connection.execute(f"ALTER TABLE gone RENAME TO {missing}")
        elif missing:
            connection.execute(f"CREATE TABLE {missing} (id bigserial)")
        connection.execute("ALTER TABLE customers ADD COLUMN IF NOT EXISTS metadata jsonb")
        connection.execute("ALTER TABLE customers ALTER COLUMN metadata TYPE jsonb")
        connection.execute("ALTER TABLE customers ALTER COLUMN monthly_limit TYPE integer")
        connection.execute("DELETE FROM django_migrations")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO django_migrations VALUES (%s, %s, %s, %s)", history)


@pytest.mark.parametrize("mode", ["500", "429", "garbage", "redirect", "silent"])
def test_failing_provider_is_degraded_and_still_200(running: Deployment, mode: str) -> None:
    running.expect_healthy()
    running.simulator.mode = mode
    try:
        answer = running.wait_for_providers("degraded")
        assert answer["anthropic"]["checks"][0]["fault"] == "outage"
        # The other worker may still have a result from before the last repair.
        ends = time.monotonic() + PATIENCE
        while running.probe() != 200:
            assert time.monotonic() < ends
        assert running.probe("/ready") == 200
    finally:
        running.simulator.mode = "ok"
    running.wait_for_providers("healthy")
    running.wait_for_providers("healthy")
    running.expect_healthy()


def test_exchange_vends_the_key_of_its_environment(running: Deployment) -> None:
    headers = {"x-api-key": running.environment["EXCHANGE_API_KEY"], "Content-Type": "application/json"}
    status, body = running.server.get(
        "/api/v1/credentials/exchange", headers, b'{"providers": ["anthropic"], "ttl_minutes": 60}'
    )
    assert status == 200
    assert json.loads(body)["credentials"]["anthropic"]["api_key"] == running.environment["ANTHROPIC_API_KEY"]


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("wrong", b"{}", 401),
        (None, b"not json", 400),
        (None, b"[]", 400),
        (None, b'{"providers": []}', 400),
        (None, b'{"providers": ["nobody"]}', 400),
        (None, b'{"providers": [{}]}', 400),
        (None, b'{"providers": ["openai"], "ttl_minutes": -1}', 400),
        (None, b'{"providers": ["openai"], "ttl_minutes": true}', 400),
    ],
)
def test_exchange_rejects_an_invalid_request(running: Deployment, key: str | None, body: bytes, status: int) -> None:
    headers = {"x-api-key": key or running.environment["EXCHANGE_API_KEY"], "Content-Type": "application/json"}
    assert running.server.get("/api/v1/credentials/exchange", headers, body)[0] == status
