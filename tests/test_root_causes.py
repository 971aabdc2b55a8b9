"""The outage, cause by cause: each turns the right service to 503 with the right reason, and back when repaired."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator

import psycopg
import pytest

from example_project.deployment import Server, anthropic_key, free_port, healthy_environment, manage, provider_keys
from example_project.provider_simulator import Simulator
from tests.sites import PATIENCE, UNMEASURED

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
    """The example project, healthy, and what a test does to it."""

    def __init__(self, environment: dict[str, str], simulator: Simulator) -> None:
        self.environment = environment
        self.simulator = simulator
        self._server: Server | None = None

    def deploy(self, **changes: str | None) -> None:
        """Start it anew with ``changes`` to its environment; None takes a variable away."""
        self.stop()
        environment = {**self.environment, **{name: value for name, value in changes.items() if value is not None}}
        for name in [name for name, value in changes.items() if value is None]:
            environment.pop(name, None)
        self._server = Server(free_port(), environment, is_quiet=True)
        self._server.wait_until_live()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def ask(self, path: str = "") -> tuple[int, dict]:
        """A fresh answer with details."""
        assert self._server is not None
        token = {"Authorization": f"Bearer {self.environment['HEALTHGUARD_TOKEN']}"}
        # Two workers: each runs for itself. With fresh=1 both tell what is true now, once no first run is under way.
        ends = time.monotonic() + PATIENCE
        while True:
            status, body = self._server.get(f"/api/health{path}?fresh=1", token)
            answer = json.loads(body)
            if '"code": "pending"' not in body.decode() or time.monotonic() > ends:
                break
        return status, answer

    def plain(self, path: str = "") -> int:
        """What a probe is answered, by a worker whose first runs are over."""
        assert self._server is not None
        ends = time.monotonic() + PATIENCE
        while True:
            status, body = self._server.get(f"/api/health{path}")
            if json.loads(body)["status"] != "unknown" or time.monotonic() > ends:
                break
        return status

    def until(self, wanted: str) -> dict:
        """Ask about the providers until their status is ``wanted``; each answer must be a 200."""
        ends = time.monotonic() + PATIENCE
        while True:
            status, answer = self.ask("/ai_providers")
            assert status == 200, "what was known before is served while the provider is asked again"
            if answer["status"] == wanted:
                return answer
            assert time.monotonic() < ends, answer
            time.sleep(0.1)

    def must_be_well(self) -> None:
        ends = time.monotonic() + PATIENCE
        # A worker that was told to run again may have to answer before it has, on a machine with much to do.
        while (told := self.ask())[1]["status"] != "healthy" and time.monotonic() < ends:
            time.sleep(0.1)
        status, answer = told
        assert (status, answer["status"], answer["services"]) == (200, "healthy", SERVICES), answer
        assert answer["django_config"]["status"] == answer["analytics"]["status"] == "healthy"

    def must_tell(self, code: str, *services: str) -> dict:
        """Exactly ``services`` are unhealthy, for ``code``, which somebody must mend; the check's entry is returned."""
        status, answer = self.ask()
        assert (status, answer["status"]) == (503, "unhealthy")
        flat = {name: state for name, state in answer["services"].items() if isinstance(state, str)}
        flat |= {f"ai_providers.{name}": state for name, state in answer["services"]["ai_providers"].items()}
        assert {name for name, state in flat.items() if state != "healthy"} == set(services), answer
        section = answer
        for name in services[0].split("."):
            section = section[name]
        told = [check for check in section["checks"] if check["status"] != "healthy"]
        assert told[0]["code"] == code, told
        assert {check["fault"] for check in told} == {"config"}
        assert all(check["hint"] for check in told)
        return told[0]


@pytest.fixture(scope="module")
def healthy(postgres) -> Iterator[Deployment]:
    simulator = Simulator().start()
    environment = healthy_environment(simulator.base_urls, postgres.create(EXPECTED))
    environment |= {"EXPECTED_DATABASE": EXPECTED, **UNMEASURED}
    simulator.keys = provider_keys(environment)
    manage(environment, "migrate", "--verbosity=0")
    environment["EXCHANGE_API_KEY"] = manage(environment, "seed_demo")
    yield Deployment(environment, simulator)
    simulator.stop()
    postgres.drop(EXPECTED)


@pytest.fixture
def deployment(healthy) -> Iterator[Deployment]:
    healthy.simulator.mode = "ok"
    yield healthy
    healthy.stop()


@pytest.fixture(scope="module")
def running(healthy) -> Iterator[Deployment]:
    """One that goes on running while its database is broken and repaired."""
    running = Deployment(healthy.environment, healthy.simulator)
    running.deploy()
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
def test_a_deploy_into_a_broken_environment(deployment, changes, code, services) -> None:
    deployment.deploy(**changes)
    deployment.must_tell(code, *services)
    assert (deployment.plain(), deployment.plain("/ready"), deployment.plain("/live")) == (503, 503, 200)


def test_deploy_into_a_repaired_environment_is_healthy(deployment) -> None:
    """All of the causes at once are repaired."""
    deployment.deploy(ANTHROPIC_API_KEY=None, SECRET_KEY="", EXCHANGE_API_KEY=None)
    assert (deployment.plain(), deployment.plain("/ready")) == (503, 503)
    deployment.deploy()
    deployment.must_be_well()
    assert (deployment.plain(), deployment.plain("/ready")) == (200, 200)


def test_a_database_url_that_names_another_database_with_the_same_tables(deployment, postgres) -> None:
    url = postgres.create(LANDING, template=EXPECTED)
    try:
        deployment.deploy(DATABASE_URL=url)
        told = deployment.must_tell("wrong_database", "database")
        assert told["evidence"]["expected"] == EXPECTED
        assert told["evidence"]["actual"] == LANDING
        assert deployment.plain("/ready") == 503
        deployment.deploy()
        deployment.must_be_well()
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
def test_a_database_that_is_not_what_the_code_needs(running, postgres, statements, code, services) -> None:
    running.must_be_well()
    assert running.plain("/ready") == 200
    history = postgres.execute("SELECT * FROM django_migrations", EXPECTED)
    try:
        for statement in statements:
            postgres.execute(statement, EXPECTED)
        running.must_tell(code, *services)
        assert running.plain("/ready") == 200, "the pod was ready once: the fleet stays in"
    finally:
        _repair(postgres, history)
    running.must_be_well()


def _repair(postgres, history) -> None:
    with psycopg.connect(postgres.url_of(EXPECTED), autocommit=True) as connection:
        tables = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
        wanted = {"api_keys", "customers", "analytics_events", "fun_with_flags_toggles"}
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
def test_a_provider_in_trouble_is_degraded_and_still_200(running, mode) -> None:
    running.must_be_well()
    running.simulator.mode = mode
    try:
        answer = running.until("degraded")
        assert answer["anthropic"]["checks"][0]["fault"] == "outage"
        # The other worker may still hold what it found before the last repair.
        ends = time.monotonic() + PATIENCE
        while running.plain() != 200:
            assert time.monotonic() < ends
        assert running.plain("/ready") == 200
    finally:
        running.simulator.mode = "ok"
    running.until("healthy")
    running.until("healthy")
    running.must_be_well()


def test_the_exchange_hands_out_what_it_was_given(running) -> None:
    headers = {"x-api-key": running.environment["EXCHANGE_API_KEY"], "Content-Type": "application/json"}
    status, body = running._server.get(
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
def test_the_exchange_tells_a_mistake(running, key, body, status) -> None:
    headers = {"x-api-key": key or running.environment["EXCHANGE_API_KEY"], "Content-Type": "application/json"}
    assert running._server.get("/api/v1/credentials/exchange", headers, body)[0] == status
