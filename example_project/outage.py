"""``make outage``: the four root causes of the outage, one after the other, against the running example.

Each is played as it happened: a deploy into a broken environment. For each it is told what /api/health and /ready said
before, during and after, and what was wrong. It exits with 1 if anything is not told as it must be.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from example_project.deployment import Server, free_port, healthy_environment, manage, provider_keys
from example_project.postgres import Postgres, postgres
from example_project.provider_simulator import Simulator

PLATFORM = "rsolv_platform_prod"
LANDING = "rsolv_landing_prod"
SAVED = "rsolv_platform_prod_saved"
TABLES = ("api_keys", "customers", "analytics_events", "fun_with_flags_toggles")
SETTLE_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Cause:
    """A root cause.

    Args:
        title: what went wrong.
        told: the services that must tell it, each with the code it must be told with.
        environment: what of the environment is broken; None for a variable that is not set.
        statement: what is done to the database.
    """

    title: str
    told: dict[str, str]
    environment: dict[str, str | None] = dataclasses.field(default_factory=dict)
    statement: str = ""


def causes(server: Postgres) -> Iterator[Cause]:
    """The root causes, in the order of the post-mortem."""
    yield Cause(
        "1. The AI keys are not mounted: customers get mock keys",
        {"ai_providers.anthropic": "key_missing", "credentials": "key_placeholder"},
        {"ANTHROPIC_API_KEY": None},
    )
    yield Cause(
        "2. Four tables do not exist",
        {"database": "table_missing"},
        statement=f"DROP TABLE {', '.join(TABLES)} CASCADE",
    )
    yield Cause(
        "2. Columns of customers do not exist",
        {"database": "column_missing"},
        statement="ALTER TABLE customers DROP COLUMN metadata, DROP COLUMN admin_level",
    )
    yield Cause("3. SECRET_KEY is empty (0 bytes)", {"django_config": "secret_key_empty"}, {"SECRET_KEY": ""})
    yield Cause(
        f"4. DATABASE_URL names {LANDING}, which has the same tables",
        {"database": "wrong_database"},
        {"DATABASE_URL": server.url_of(LANDING)},
    )


class Replay:
    """The example, deployed anew for each moment.

    Args:
        server: where the databases are.
        environment: the healthy environment.
    """

    def __init__(self, server: Postgres, environment: dict[str, str]) -> None:
        self.server = server
        self.environment = environment
        self.failures = 0
        self._running: Server | None = None

    def play(self, cause: Cause) -> None:
        """Break and deploy, repair and deploy; tell what is said before, during and after."""
        print(f"\n{cause.title}\n{'-' * len(cause.title)}")
        if self._running is None:
            self._deploy(self.environment)
        self._tell("before", _is_healthy)
        broken = {**self.environment, **{name: value for name, value in cause.environment.items() if value is not None}}
        for name in [name for name, value in cause.environment.items() if value is None]:
            del broken[name]
        if cause.statement:
            self.stop()
            self.server.create(SAVED, template=PLATFORM)
            self.server.execute(cause.statement, PLATFORM)
        self._deploy(broken)
        self._tell("during", lambda answer: _tells(answer, cause))
        if cause.statement:
            self.stop()
            self.server.create(PLATFORM, template=SAVED)
            self.server.drop(SAVED)
        self._deploy(self.environment)
        self._tell("after", _is_healthy)

    def stop(self) -> None:
        """End what runs."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def _deploy(self, environment: dict[str, str]) -> None:
        self.stop()
        self._running = Server(free_port(), environment, is_quiet=True)
        self._running.wait_until_live()

    def _tell(self, when: str, is_right: Callable[[dict[str, Any]], bool]) -> None:
        server = self._running
        assert server is not None
        status, answer = _settled(server, self.environment["HEALTHGUARD_TOKEN"])
        ready = server.get("/api/health/ready")[0]
        told = is_right(answer) and status == ready == (503 if when == "during" else 200)
        self.failures += not told
        print(f"  {when:<7} /api/health {status} {answer['status']:<10} /ready {ready}   {self._vended(server)}")
        for path, check in _failing(answer):
            print(f"          {path}: {check['message']}")
            print(f"          -> {check['hint']}  [{check['code']}, {check['fault']}]")
        if not told:
            print("          !! This is not what must be said.")
        sys.stdout.flush()

    def _vended(self, server: Server) -> str:
        body = json.dumps({"providers": ["anthropic"], "ttl_minutes": 60}).encode()
        headers = {"x-api-key": self.environment["EXCHANGE_API_KEY"], "Content-Type": "application/json"}
        status, content = server.get("/api/v1/credentials/exchange", headers, body)
        if status != 200:
            return f"a customer gets: HTTP {status}"
        key = json.loads(content)["credentials"]["anthropic"]["api_key"]
        return "a customer gets: a MOCK key" if key.startswith("mock") else "a customer gets: a real key"


def _settled(server: Server, token: str) -> tuple[int, dict[str, Any]]:
    """The answer with details, once no first run is under way any more."""
    ends = time.monotonic() + SETTLE_SECONDS
    while True:
        status, content = server.get("/api/health", {"Authorization": f"Bearer {token}"})
        answer: dict[str, Any] = json.loads(content)
        pending = any(check.get("code") == "pending" for _, check in _failing(answer))
        if not pending or time.monotonic() > ends:
            return status, answer
        time.sleep(0.1)


def _failing(answer: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, section in answer.items():
        if isinstance(section, dict) and name != "services":
            here = f"{path}.{name}" if path else name
            yield from ((here, check) for check in section.get("checks", ()) if check["status"] != "healthy")
            yield from _failing(section, here)


def _is_healthy(answer: dict[str, Any]) -> bool:
    return bool(answer["status"] == "healthy")


def _tells(answer: dict[str, Any], cause: Cause) -> bool:
    told = {(path, check["code"], check["fault"]) for path, check in _failing(answer)}
    wanted = {(service, code, "config") for service, code in cause.told.items()}
    return answer["status"] == "unhealthy" and wanted <= told


def main() -> int:
    """Play them all."""
    simulator = Simulator()
    with postgres() as server:
        existing = {row[0] for row in server.execute("SELECT datname FROM pg_database")} & {PLATFORM, LANDING, SAVED}
        if existing:
            sys.exit(
                f"The server of DATABASE_URL already has {', '.join(sorted(map(str, existing)))}: not touching them. "
                "Name another server, or none."
            )
        try:
            environment = healthy_environment(simulator.base_urls, server.create(PLATFORM))
            simulator.keys = provider_keys(environment)
            simulator.start()
            print("Preparing the databases …", flush=True)
            manage(environment, "migrate", "--verbosity=0")
            environment["EXCHANGE_API_KEY"] = manage(environment, "seed_demo")
            replay = Replay(server, environment)
            server.create(LANDING, template=PLATFORM)
            try:
                for cause in causes(server):
                    replay.play(cause)
            finally:
                replay.stop()
        finally:
            for database in (PLATFORM, LANDING, SAVED):
                server.drop(database)
            simulator.stop()
    told = "All of it was told." if not replay.failures else f"{replay.failures} moments were not told as they must be."
    print(f"\n{told}")
    return 1 if replay.failures else 0


if __name__ == "__main__":
    sys.exit(main())
