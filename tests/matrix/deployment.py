"""A healthy deployment of the example project, and what the stages find in it with and without a root cause."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from example_project.deployment import healthy_environment, manage, provider_keys
from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from tests.matrix.causes import Cause
from tests.matrix.stages import STAGES, Found, served
from tests.support.sites import UNMEASURED, WITHOUT_REDIS

SOUND = Cause("nothing", frozenset())
"""No root cause: the healthy project."""


class Deployment:
    """The example project in a healthy environment.

    Args:
        postgres: the server of its databases.
        environment: its environment variables.
        database: the name of its database.
    """

    def __init__(self, postgres: Postgres, environment: Mapping[str, str], database: str) -> None:
        self._postgres = postgres
        self._environment = environment
        self._database = database
        self._template = f"{database}_template"

    def found(self, cause: Cause) -> dict[str, Found]:
        """Return the codes that each stage finds, by the title of the stage."""
        changes = {**self._environment, **cause.environment}
        environment = {name: value for name, value in changes.items() if value is not None}
        if cause.is_elsewhere:
            environment["DATABASE_URL"] = self._postgres.url_of(self._template)
        self._postgres.create(self._database, self._template)
        if cause.statement:
            self._postgres.execute(cause.statement, self._database)
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            for stage in STAGES:
                if stage.found is not None:
                    found[stage.title] = stage.found(environment, cause.statement, Path(folder))
        with served(environment) as answered:
            found |= {stage.title: answered(stage.path) for stage in STAGES if stage.path is not None}
        return found

    def caught(self, cause: Cause) -> dict[str, Found]:
        """Return the codes by which each stage recognizes the cause."""
        return {title: codes & cause.codes for title, codes in self.found(cause).items()}


@contextlib.contextmanager
def deployed(postgres: Postgres) -> Iterator[Deployment]:
    """Provide a deployment with a migrated database and a customer, and a simulator of the AI providers."""
    database = f"healthguard_matrix_{os.getpid()}"
    template = f"{database}_template"
    simulator = Simulator()
    environment = healthy_environment(simulator.base_urls, postgres.create(template))
    environment |= {"EXPECTED_DATABASE": database, "PYTHONPATH": WITHOUT_REDIS, **UNMEASURED}
    simulator.keys = provider_keys(environment)
    simulator.start()
    try:
        manage(environment, "migrate", "--verbosity=0")
        environment["EXCHANGE_API_KEY"] = manage(environment, "seed_demo")
        environment["DATABASE_URL"] = postgres.url_of(database)
        yield Deployment(postgres, environment, database)
    finally:
        simulator.stop()
        for name in (database, template, f"test_{database}", f"test_{template}"):
            postgres.drop(name)
