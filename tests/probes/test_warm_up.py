"""The warm-up of a worker before its first request: a server ends a worker whose hook raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from healthguard import Service
from healthguard.http.handler import Request, respond
from healthguard.probes import warm_up, warm_up_async
from healthguard.runtime import log
from tests.support.fixture_types import Declare
from tests.support.runner_checks import GatedCheck


class RaisingServices(dict[str, Any]):
    """A mapping of a project that fails when it is read."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(one=GatedCheck())
        self.error = error

    def items(self) -> Any:
        raise self.error


def warm_up_on_a_loop() -> None:
    """Call ``warm_up_async()``."""
    asyncio.run(warm_up_async())


EACH_WARM_UP = pytest.mark.parametrize("warm", [warm_up, warm_up_on_a_loop])


@EACH_WARM_UP
@pytest.mark.parametrize("error", [KeyError("DATABASE_URL"), SystemExit(3)], ids=lambda error: type(error).__name__)
def test_declaration_that_raises_ends_no_worker(
    healthguard_settings: Declare, caplog: pytest.LogCaptureFixture, warm: Callable[[], None], error: BaseException
) -> None:
    """The worker starts, and its answers show the problem."""
    log.forget()
    healthguard_settings(RaisingServices(error), DEADLINE=30)
    with caplog.at_level(logging.ERROR, "healthguard"):
        warm()
        assert log.flush(60)
    line = f"The services were not run at startup, because healthguard raised {type(error).__name__}."
    assert [message for message in caplog.messages if "at startup" in message] == [line]


def test_declaration_that_raises_leaves_the_live_probe_healthy(healthguard_settings: Declare) -> None:
    healthguard_settings(RaisingServices(KeyError("DATABASE_URL")), DEADLINE=30)
    warm_up()
    assert [respond(Request("GET", path)).status for path in ("live", "")] == [200, 503]


@EACH_WARM_UP
@pytest.mark.parametrize(("is_inline", "runs"), [(False, 1), (True, 0)])
def test_services_are_run_unless_checks_run_inline(
    healthguard_settings: Declare, warm: Callable[[], None], is_inline: bool, runs: int
) -> None:
    """The results of inline runs are not kept, so they would be of no use."""
    check = GatedCheck()
    healthguard_settings({"one": Service(check, timeout=60)}, DEADLINE=30, INLINE=is_inline)
    warm()
    assert check.ended == runs
