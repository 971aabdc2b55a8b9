"""The example project: ``pytest --healthguard`` in its folder finds the root causes of the outage."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.deployment import healthy_environment, provider_keys
from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from tests.pytest_plugin.conftest import Finished, run_pytest
from tests.support.sites import REPOSITORY, UNMEASURED, WITHOUT_REDIS

DATABASE = f"rsolv_platform_prod_{os.getpid()}"
BREAKING_CONFTEST = """
import pytest

@pytest.fixture
def healthguard_data():
    from django.db import connection
    with connection.cursor() as cursor:
        cursor.execute({statement!r})
"""
RUN_IN_TESTS = {
    "healthguard::database::RequiredTables",
    "healthguard::database::RequiredColumns",
    "healthguard::database::AppliedMigrations",
    "healthguard::analytics::RequiredTables",
}
RUN_IN_DEPLOYMENTS = {
    "healthguard::database::DatabaseName",
    "healthguard::ai_providers::anthropic::AIProviderKey",
    "healthguard::ai_providers::openai::AIProviderKey",
    "healthguard::django_config::SecretKey",
    "healthguard::django_config::EnvironmentVariable",
    "healthguard::credentials::CredentialExchange",
}
HEALTHY = dict.fromkeys(RUN_IN_TESTS | RUN_IN_DEPLOYMENTS, "passed")


@pytest.fixture(scope="module")
def environment(postgres: Postgres) -> Iterator[dict[str, str]]:
    """The environment of a healthy deployment."""
    simulator = Simulator()
    environment = {
        **healthy_environment(simulator.base_urls, postgres.url_of(DATABASE)),
        **UNMEASURED,
        "PYTHONPATH": WITHOUT_REDIS,
        "EXPECTED_DATABASE": DATABASE,
        "EXCHANGE_API_KEY": f"vend_{secrets.token_urlsafe(32)}",
    }
    simulator.keys = provider_keys(environment)
    simulator.start()
    yield environment
    simulator.stop()
    for suffix in ("", "_gw0", "_gw1"):
        postgres.drop(f"test_{DATABASE}{suffix}")


def run_example(
    *arguments: str, environment: dict[str, str], folder: Path = REPOSITORY / "example_project"
) -> Finished:
    return run_pytest(folder, "-v", "-p", "no:cacheprovider", *arguments, env=environment)


def test_healthy_project_passes_in_tests(environment: dict[str, str]) -> None:
    """Checks of the environment are skipped, as on the machine of a developer."""
    for name in ("SECRET_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "EXCHANGE_API_KEY"):
        environment = {**environment, name: ""}
    finished = run_example("--healthguard", environment=environment)
    assert finished.of_checks == {**HEALTHY, **dict.fromkeys(RUN_IN_DEPLOYMENTS, "skipped")}
    assert finished.of_sabotages == {name: finished.of_checks[name.partition("[")[0]] for name in finished.of_sabotages}
    assert finished.code == 0


@pytest.mark.parametrize(
    "arguments",
    [("--reuse-db",), ("--reuse-db", "-k", "healthguard"), ("--reuse-db", "--create-db", "-n", "2")],
    ids=["first", "reused", "created-by-workers"],
)
def test_healthy_project_passes_in_a_deployment(environment: dict[str, str], arguments: tuple[str, ...]) -> None:
    """The name of the database is that of the settings, however the test database is made."""
    finished = run_example("--healthguard=deployment", *arguments, environment=environment)
    assert finished.of_checks == HEALTHY
    assert {name.partition("[")[0] for name in finished.of_sabotages} == set(HEALTHY)
    assert set(finished.of_sabotages.values()) == {"passed"}
    assert finished.code == 0


@pytest.mark.parametrize(
    ("statement", "check", "code"),
    [
        ("DROP TABLE analytics_events", "RequiredTables", "table_missing"),
        ("ALTER TABLE customers DROP COLUMN metadata", "RequiredColumns", "column_missing"),
        ("ALTER TABLE customers ALTER monthly_limit TYPE varchar", "RequiredColumns", "column_type"),
        ("DELETE FROM django_migrations WHERE app = 'vending'", "AppliedMigrations", "migrations_pending"),
    ],
    ids=["table", "column", "type", "migration"],
)
def test_broken_database_fails(
    environment: dict[str, str], tmp_path: Path, statement: str, check: str, code: str
) -> None:
    folder = shutil.copytree(REPOSITORY / "example_project", tmp_path / "example_project")
    (folder / "conftest.py").write_text(BREAKING_CONFTEST.format(statement=statement))
    finished = run_example("--healthguard", "-k", "database and not sabotage", environment=environment, folder=folder)
    expected = {name: "passed" for name in RUN_IN_TESTS if name.startswith("healthguard::database::")}
    expected |= {"healthguard::database::DatabaseName": "skipped", f"healthguard::database::{check}": "failed"}
    assert finished.outcomes == expected
    assert f"Found by {check}: {code} (config)" in finished.failure(f"database {check}")


@pytest.fixture(scope="module")
def broken_deployment(environment: dict[str, str]) -> Finished:
    """A run with an environment like that of the outage."""
    broken = {**environment, "OPENAI_API_KEY": "mock-openai-key", "SECRET_KEY": "", "EXPECTED_DATABASE": "rsolv_other"}
    del broken["ANTHROPIC_API_KEY"]
    return run_example("--healthguard=deployment", environment=broken)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ("ai_providers anthropic AIProviderKey", "key_missing"),
        ("ai_providers openai AIProviderKey", "key_placeholder"),
        ("django_config SecretKey", "secret_key_empty"),
        ("django_config EnvironmentVariable", "variable_empty"),
        ("database DatabaseName", "wrong_database"),
        ("credentials CredentialExchange", "key_placeholder"),
    ],
)
def test_broken_environment_fails_in_a_deployment(broken_deployment: Finished, item: str, code: str) -> None:
    assert f": {code} (config)" in broken_deployment.failure(item)
    assert f"healthguard::{item.replace(' ', '::')}" in broken_deployment.outcomes


def test_other_checks_pass_in_a_broken_environment(broken_deployment: Finished) -> None:
    assert {name for name, outcome in broken_deployment.of_checks.items() if outcome == "passed"} == RUN_IN_TESTS


def test_short_secret_fails_in_a_deployment(environment: dict[str, str]) -> None:
    broken = {**environment, "SECRET_KEY": secrets.token_urlsafe(40)}
    finished = run_example("--healthguard=deployment", "-k", "SecretKey", environment=broken)
    assert finished.of_checks == {"healthguard::django_config::SecretKey": "failed"}
    assert "secret_key_too_short" in finished.failure("django_config SecretKey")
