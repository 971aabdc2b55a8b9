"""``make outage``: a replay of the four root causes of the outage against the running example project.

Each cause is replayed as it happened: as a deployment into a broken environment. The responses of /api/health and
/ready before, during and after it are printed, with the reported problems. A monitor watches the deployment, and its
messages are printed as a local webhook receives them. The exit code is 1 if a response or a message is not the expected
one.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from example_project.deployment import Server, healthy_environment, manage, provider_keys
from example_project.ports import free_port
from example_project.postgres import Postgres, postgres
from example_project.provider_simulator import Simulator
from example_project.watch import Alert, Watch

PLATFORM = "rsolv_platform_prod"
LANDING = "rsolv_landing_prod"
SAVED = "rsolv_platform_prod_saved"
TABLES = ("api_keys", "customers", "analytics_events", "fun_with_flags_toggles")
SETTLE_SECONDS = 10.0
"""The longest time to wait for the first runs of the checks (seconds)."""


@dataclasses.dataclass(frozen=True)
class Cause:
    """A root cause.

    Args:
        title: a description of the cause.
        codes: the expected problem code of each service that must report the cause.
        environment: the broken environment variables; None for one that is not set.
        statement: the SQL statement that breaks the database.
    """

    title: str
    codes: dict[str, str]
    environment: dict[str, str | None] = dataclasses.field(default_factory=dict)
    statement: str = ""


def causes(server: Postgres) -> Iterator[Cause]:
    """Yield the root causes, in the order of the post-mortem."""
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
    """A replay of root causes, with a new deployment of the example project for each step.

    Args:
        server: the server of the databases.
        environment: the healthy environment.
        folder: an empty folder for the state of the monitor.
    """

    def __init__(self, server: Postgres, environment: dict[str, str], folder: Path) -> None:
        self.server = server
        self.environment = environment
        self.failures = 0
        # The monitor identifies an instance by its URL, so that of all deployments is the same.
        self._port = free_port()
        self._watch = Watch(
            folder, "--url", f"http://127.0.0.1:{self._port}/api/health", "--state", str(folder / "monitor.json")
        )
        self._running: Server | None = None

    def play(self, cause: Cause) -> None:
        """Deploy with the cause, then without it, and print the responses before, during and after."""
        print(f"\n{cause.title}\n{'-' * len(cause.title)}")
        if self._running is None:
            self._deploy(self.environment)
        self._report("before", _is_healthy)
        self._report_alerts(0, _is_silent)
        broken = {**self.environment, **{name: value for name, value in cause.environment.items() if value is not None}}
        for name in [name for name, value in cause.environment.items() if value is None]:
            del broken[name]
        if cause.statement:
            self.stop()
            self.server.create(SAVED, template=PLATFORM)
            self.server.execute(cause.statement, PLATFORM)
        self._deploy(broken)
        self._report("during", lambda health: _reports(health, cause))
        self._report_alerts(1, lambda alerts: alerts_about(alerts, cause))
        if cause.statement:
            self.stop()
            self.server.create(PLATFORM, template=SAVED)
            self.server.drop(SAVED)
        self._deploy(self.environment)
        self._report("after", _is_healthy)
        self._report_alerts(0, lambda alerts: alerts_about_repair(alerts, cause))

    def close(self) -> None:
        """Stop the running server and the monitor."""
        self.stop()
        self._watch.stop()

    def stop(self) -> None:
        """Stop the running server, if there is one."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def _deploy(self, environment: dict[str, str]) -> None:
        self.stop()
        self._running = Server(self._port, environment, is_quiet=True)
        self._running.wait_until_live()

    def _report(self, when: str, is_expected: Callable[[dict[str, Any]], bool]) -> None:
        server = self._running
        assert server is not None
        status, health = _settled(server, self.environment["HEALTHGUARD_TOKEN"])
        ready = server.get("/api/health/ready")[0]
        has_passed = is_expected(health) and status == ready == (503 if when == "during" else 200)
        self.failures += not has_passed
        print(f"  {when:<7} /api/health {status} {health['status']:<10} /ready {ready}   {self._vended(server)}")
        for path, check in _failing(health):
            print(f"          {path}: {check['message']}")
            print(f"          -> {check['hint']}  [{check['code']}, {check['fault']}]")
        if not has_passed:
            print("          !! This is not the expected response.")
        sys.stdout.flush()

    def _report_alerts(self, exit_code: int, is_expected: Callable[[tuple[Alert, ...]], bool]) -> None:
        """Run one round of the monitor, and print its messages."""
        done = self._watch.round(self.environment)
        has_passed = is_expected(done.alerts) and done.exit_code == exit_code
        self.failures += not has_passed
        for alert in done.alerts:
            print(f"          The monitor sends: {alert.title}")
            print("\n".join(f"            | {line}".rstrip() for line in alert.body.splitlines()))
        if not has_passed:
            print(f"          !! This is not the expected message. The monitor ended with {done.exit_code}:")
            print(textwrap.indent(done.output, " " * 12))
        sys.stdout.flush()

    def _vended(self, server: Server) -> str:
        body = json.dumps({"providers": ["anthropic"], "ttl_minutes": 60}).encode()
        headers = {"x-api-key": self.environment["EXCHANGE_API_KEY"], "Content-Type": "application/json"}
        status, content = server.get("/api/v1/credentials/exchange", headers, body)
        if status != 200:
            return f"a customer receives: HTTP {status}"
        key = json.loads(content)["credentials"]["anthropic"]["api_key"]
        return f"a customer receives: {'a MOCK key' if key.startswith('mock') else 'a real key'}"


def _settled(server: Server, token: str) -> tuple[int, dict[str, Any]]:
    """Return the response with details, as soon as no first run is in flight."""
    ends = time.monotonic() + SETTLE_SECONDS
    while True:
        status, content = server.get("/api/health", {"Authorization": f"Bearer {token}"})
        health: dict[str, Any] = json.loads(content)
        is_pending = any(check.get("code") == "pending" for _, check in _failing(health))
        if not is_pending or time.monotonic() > ends:
            return status, health
        time.sleep(0.1)


def _failing(health: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path of the service and the result of each check that is not healthy."""
    for name, section in health.items():
        if isinstance(section, dict) and name != "services":
            here = f"{path}.{name}" if path else name
            yield from ((here, check) for check in section.get("checks", ()) if check["status"] != "healthy")
            yield from _failing(section, here)


def _is_healthy(health: dict[str, Any]) -> bool:
    return bool(health["status"] == "healthy")


def _reports(health: dict[str, Any], cause: Cause) -> bool:
    reported = {(path, check["code"], check["fault"]) for path, check in _failing(health)}
    expected = {(service, code, "config") for service, code in cause.codes.items()}
    return health["status"] == "unhealthy" and expected <= reported


def _is_silent(alerts: tuple[Alert, ...]) -> bool:
    return not alerts


def alerts_about(alerts: tuple[Alert, ...], cause: Cause) -> bool:
    """Return True if there is one message, which contains the codes of a cause."""
    return len(alerts) == 1 and {(code, "config") for code in cause.codes.values()} <= alerts[0].problems


def alerts_about_repair(alerts: tuple[Alert, ...], cause: Cause) -> bool:
    """Return True if there is one message, according to which the services of a cause are healthy again."""
    services = {service.replace(".", "/") for service in cause.codes}
    return len(alerts) == 1 and services <= alerts[0].restored


def main() -> int:
    """Replay all root causes and return the exit code."""
    simulator = Simulator()
    with postgres() as server, tempfile.TemporaryDirectory() as folder:
        existing = {row[0] for row in server.execute("SELECT datname FROM pg_database")} & {PLATFORM, LANDING, SAVED}
        if existing:
            sys.exit(
                f"The server of DATABASE_URL already has these databases: {', '.join(sorted(map(str, existing)))}. "
                "They are left unchanged. Set DATABASE_URL to another server, or unset it."
            )
        try:
            environment = healthy_environment(simulator.base_urls, server.create(PLATFORM))
            simulator.keys = provider_keys(environment)
            simulator.start()
            print("Preparing the databases …", flush=True)
            manage(environment, "migrate", "--verbosity=0")
            environment["EXCHANGE_API_KEY"] = manage(environment, "seed_demo")
            replay = Replay(server, environment, Path(folder))
            server.create(LANDING, template=PLATFORM)
            try:
                for cause in causes(server):
                    replay.play(cause)
            finally:
                replay.close()
        finally:
            for database in (PLATFORM, LANDING, SAVED):
                server.drop(database)
            simulator.stop()
    summary = "Every fault was detected, explained and sent to the webhook."
    if replay.failures:
        summary = f"{replay.failures} responses or messages were not as expected; see the lines with !! above."
    print(f"\n{summary}")
    return 1 if replay.failures else 0


if __name__ == "__main__":
    sys.exit(main())
