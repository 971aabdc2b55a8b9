"""The ASGI wrapper answers the lifespan protocol, and runs the services before the server accepts requests."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler

import healthguard.asgi
from healthguard import Service
from healthguard.runtime import log, threads
from tests.support.fixture_types import Declare
from tests.support.runner_checks import GatedCheck, wait_for, wait_for_first_run
from tests.support.sites import PATIENCE, Site
from tests.support.strange_checks import SECRET

STARTUP, SHUTDOWN = "lifespan.startup", "lifespan.shutdown"
COMPLETE = [STARTUP, f"{STARTUP}.complete", SHUTDOWN, f"{SHUTDOWN}.complete"]
"""The events of a worker that starts and ends, in order."""


class Raises(dict[str, Any]):
    """A setting that raises an exception when it is read."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def get(self, *arguments: object) -> Any:
        raise self._error

    __getitem__ = __contains__ = __iter__ = get


class Server:
    """The lifespan of one worker, as an ASGI server sees it.

    Args:
        check: the check whose ended runs are counted when the startup completes.
    """

    def __init__(self, check: GatedCheck | None = None) -> None:
        self._check = check or GatedCheck()
        self._queue = [STARTUP, SHUTDOWN]
        self.scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self.events: list[str] = []
        """The events that were received and sent, in order."""
        self.ended_runs = -1
        """The number of runs that had ended when the startup completed."""

    async def serve(self, application: Any) -> None:
        """Start and end a worker."""
        await healthguard.asgi.guard(application)(self.scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        self.events.append(self._queue.pop(0))
        return {"type": self.events[-1]}

    async def _send(self, event: dict[str, Any]) -> None:
        self.events.append(event["type"])
        if event["type"] == f"{STARTUP}.complete":
            self.ended_runs = self._check.ended


async def raises_at_once(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError(SECRET)


async def raises_after_receiving(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise ValueError(SECRET)


async def returns_at_once(scope: Any, receive: Any, send: Any) -> None: ...


async def returns_after_receiving(scope: Any, receive: Any, send: Any) -> None:
    await receive()


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """Answer as Starlette does, with a state that requests share."""
    scope["state"]["pool"] = "open"
    for _ in range(2):
        event = await receive()
        await send({"type": f"{event['type']}.complete"})


async def fails(scope: Any, receive: Any, send: Any) -> None:
    """Fail as Starlette does: it reports the failure, and raises."""
    await receive()
    await send({"type": f"{STARTUP}.failed", "message": "no pool"})
    raise RuntimeError("no pool")


async def starts_forever(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await asyncio.Event().wait()


async def breaks_later(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": f"{STARTUP}.complete"})
    raise RuntimeError("broken later")


def log_lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    assert log.flush(60)
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "healthguard"]


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    log.forget()


@pytest.fixture
def check(healthguard_settings: Declare) -> GatedCheck:
    """A declared check that counts its runs."""
    check = GatedCheck()
    healthguard_settings({"one": check})
    return check


@pytest.mark.parametrize(
    "application",
    [ASGIHandler(), raises_at_once, returns_at_once, returns_after_receiving, answers],
    ids=lambda application: getattr(application, "__name__", "Django"),
)
def test_services_run_before_startup_completes(check: GatedCheck, application: Any) -> None:
    server = Server(check)
    asyncio.run(server.serve(application))
    assert server.events == COMPLETE
    assert (server.ended_runs, check.runs) == (1, 1)


def test_application_shares_its_state_with_the_server(check: GatedCheck) -> None:
    server = Server(check)
    asyncio.run(server.serve(answers))
    assert server.scope["state"] == {"pool": "open"}


def test_failed_startup_is_forwarded_without_running_services(check: GatedCheck) -> None:
    server = Server(check)
    with pytest.raises(RuntimeError, match="no pool"):
        asyncio.run(server.serve(fails))
    assert server.events == [STARTUP, f"{STARTUP}.failed"]
    assert check.runs == 0


def test_exception_after_an_answer_is_passed_on(check: GatedCheck) -> None:
    server = Server(check)
    with pytest.raises(RuntimeError, match="broken later"):
        asyncio.run(server.serve(breaks_later))
    assert server.events == COMPLETE[:2]


def test_exception_of_a_startup_without_an_answer_is_passed_on(check: GatedCheck) -> None:
    """The server decides if it starts: uvicorn does so with ``--lifespan auto``, and ends with ``on``."""
    server = Server(check)
    with pytest.raises(ValueError, match=SECRET):
        asyncio.run(server.serve(raises_after_receiving))
    assert server.events == [STARTUP]
    assert check.runs == 1


def test_application_without_the_protocol_is_not_logged(check: GatedCheck, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "healthguard"):
        asyncio.run(Server(check).serve(ASGIHandler()))
    assert log_lines(caplog) == []


def test_event_loop_is_not_blocked_by_a_run(healthguard_settings: Declare) -> None:
    """A coroutine of the same loop opens the gate. The check fails if that does not happen before the deadline."""
    check = GatedCheck(is_open=False)
    healthguard_settings({"one": Service(check, timeout=200)}, DEADLINE=200)
    server = Server(check)

    async def open_gate() -> None:
        await wait_for_first_run(check)
        check.gate.set()

    async def start() -> None:
        await asyncio.gather(server.serve(ASGIHandler()), open_gate())

    asyncio.run(start())
    assert server.ended_runs == 1


def test_startup_waits_for_a_hung_check_until_the_deadline_and_leaves_nothing_behind(
    healthguard_settings: Declare, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on in the background, and ends after the event loop was closed."""
    check = GatedCheck(is_open=False)
    healthguard_settings({"one": Service(check, timeout=60)}, DEADLINE=0.05)
    server = Server(check)
    asyncio.run(server.serve(ASGIHandler()))
    assert server.events == COMPLETE
    assert server.ended_runs == 0
    check.gate.set()
    wait_for(lambda: check.ended == 1)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_startup_can_be_cancelled_while_services_run(healthguard_settings: Declare) -> None:
    check = GatedCheck(is_open=False)
    healthguard_settings({"one": Service(check, timeout=60)})
    server = Server(check)

    async def cancel() -> None:
        starting = asyncio.create_task(server.serve(ASGIHandler()))
        await asyncio.wait_for(wait_for_first_run(check), PATIENCE)
        starting.cancel()
        await starting

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    check.gate.set()
    assert server.events == [STARTUP]


def test_startup_can_be_cancelled_while_the_application_starts(check: GatedCheck) -> None:
    server = Server(check)

    async def cancel() -> None:
        starting = asyncio.create_task(server.serve(starts_forever))
        # The task receives the startup in its first step.
        await asyncio.sleep(0)
        starting.cancel()
        await starting

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert server.events == [STARTUP]
    assert check.runs == 0


def test_inline_checks_do_not_run_at_startup(healthguard_settings: Declare) -> None:
    """They run on the connections of their caller, which is a test."""
    check = GatedCheck()
    healthguard_settings({"one": check}, INLINE=True)
    server = Server(check)
    asyncio.run(server.serve(ASGIHandler()))
    assert server.events == COMPLETE
    assert check.runs == 0


@pytest.mark.parametrize("error", [RuntimeError(SECRET), SystemExit(SECRET)], ids=lambda error: type(error).__name__)
def test_setting_that_raises_does_not_prevent_the_startup(
    healthguard_settings: Declare, settings: Any, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    settings.HEALTHGUARD = Raises(error)
    server = Server()
    with caplog.at_level(logging.WARNING, "healthguard"):
        asyncio.run(server.serve(ASGIHandler()))
    assert server.events == COMPLETE
    assert log_lines(caplog) == [
        ("ERROR", f"The services were not run at startup, because healthguard raised {type(error).__name__}.")
    ]


class Exits:
    """A database router that ends the process when its gate is open."""

    def __init__(self, *, is_open: bool) -> None:
        self.gate = threading.Event()
        if is_open:
            self.gate.set()

    def allow_migrate(self, *arguments: object, **hints: object) -> bool:
        assert self.gate.wait(100)
        raise SystemExit(SECRET)


def test_database_router_that_exits_does_not_prevent_the_startup(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HEALTHGUARD, settings.DATABASE_ROUTERS = {}, [Exits(is_open=True)]
    server = Server()
    with caplog.at_level(logging.WARNING, "healthguard"):
        asyncio.run(server.serve(ASGIHandler()))
    assert server.events == COMPLETE
    assert log_lines(caplog) == [
        ("ERROR", "The services were not run at startup, because healthguard raised SystemExit.")
    ]


def test_database_router_that_hangs_delays_the_startup_until_the_deadline(settings: Any) -> None:
    router = Exits(is_open=False)
    settings.HEALTHGUARD, settings.DATABASE_ROUTERS = {"DEADLINE": 0.05}, [router]
    server = Server()
    asyncio.run(server.serve(ASGIHandler()))
    is_waiting = "healthguard-warm-up" in thread_names()
    router.gate.set()
    # The thread must not make a state while the next test declares its services.
    wait_for(lambda: "healthguard-warm-up" not in thread_names())
    assert server.events == COMPLETE
    assert is_waiting


def thread_names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_process_without_another_thread_starts(
    check: GatedCheck, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "start", refuse)
    server = Server(check)
    with caplog.at_level(logging.WARNING, "healthguard"):
        asyncio.run(server.serve(ASGIHandler()))
    assert server.events == COMPLETE
    assert log_lines(caplog) == [
        ("ERROR", "The services were not run at startup, because healthguard raised RuntimeError.")
    ]


def test_invalid_declaration_is_logged_at_startup(
    healthguard_settings: Declare, caplog: pytest.LogCaptureFixture
) -> None:
    healthguard_settings({"one": GatedCheck()}, DEADLNE=1)
    server = Server()
    with caplog.at_level(logging.ERROR, "healthguard"):
        asyncio.run(server.serve(ASGIHandler()))
    assert server.events == COMPLETE
    ((level, line),) = log_lines(caplog)
    assert level == "ERROR"
    assert "HEALTHGUARD has an unknown key 'DEADLNE'." in line


COUNTED = """
import pathlib
from health_check.base import HealthCheck
class Counted(HealthCheck):
    def run(self):
        with pathlib.Path(__file__).with_name("runs").open("a") as file:
            file.write("run ")
"""


@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_first_probe_of_uvicorn_reports_the_run_of_its_startup(site: Site, lifespan: str) -> None:
    site.write(
        """
        HEALTHGUARD = {"SERVICES": {"counted": Service("counted.Counted", ttl=3600, timeout=60)}, "DEADLINE": 60}
        """,
        adaptor="wrapper",
        counted=COUNTED,
    )
    # It is started when it answers at /live, which runs no check.
    server = site.serve("uvicorn", "--lifespan", lifespan)
    assert (site.folder / "runs").read_text() == "run "
    reply = server.get("/api/health")
    assert (reply.status, reply.json["services"]) == (200, {"counted": "healthy"})
    assert (site.folder / "runs").read_text() == "run "
