"""The log line for each change of a service's status."""

from __future__ import annotations

import logging
import re

import pytest

from healthguard import Service
from tests.support import strange_checks as strange
from tests.support.fixture_types import Declare
from tests.support.runner_checks import GatedCheck, LeavesExecutorCall, ThreadNames, get_health, wait_for


def test_every_change_is_logged_once_with_its_reason(
    declare: Declare, own_threads: ThreadNames, caplog: pytest.LogCaptureFixture
) -> None:
    check = GatedCheck()
    declare({"logged": Service(check, ttl=0)})
    with caplog.at_level(logging.INFO, "healthguard"):
        for error in (None, strange.UNAVAILABLE, strange.UNEXPECTED, None):
            check.error = error
            for _ in range(3):
                get_health(token="")
            # A run logs its change after the requests that wait for it have their result.
            wait_for(lambda: not own_threads())
        wait_for(lambda: "logged: unhealthy -> healthy" in caplog.text)
    # Runs that an earlier test has left in flight may be logged meanwhile.
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if "logged: " in record.getMessage()]
    assert [level for level, _ in lines] == ["INFO", "ERROR", "ERROR", "INFO"]
    assert "logged: healthy -> unhealthy: GatedCheck: no way to postgres://" in lines[1][1]
    assert "[unavailable, outage]" in lines[1][1]


def test_line_that_raised_an_exception_is_logged(declare: Declare, caplog: pytest.LogCaptureFixture) -> None:
    """kubelet discards the body of a probe, so only the log can name the line."""
    declare({"raises": strange.Raises(KeyError("x")), "reports": strange.Raises(strange.UNAVAILABLE)})
    with caplog.at_level(logging.INFO, "healthguard"):
        wait_for(
            lambda: (
                get_health()[0] == 503
                and all(f"{name}: unknown -> unhealthy" in caplog.text for name in ("raises", "reports"))
            )
        )
    lines = {line.partition(":")[0]: line for line in caplog.messages if " -> unhealthy" in line}
    assert re.search(r"\[exception, config; at \S+strange_checks\.py:\d+ in run\]$", lines["raises"])
    assert lines["reports"].endswith("[unavailable, outage]")


def test_timeout_is_logged_while_the_check_hangs(declare: Declare, caplog: pytest.LogCaptureFixture) -> None:
    check = GatedCheck(is_open=False)
    declare({"hangs": Service(check, timeout=0.1)})
    with caplog.at_level(logging.INFO, "healthguard"):
        wait_for(lambda: get_health()[0] == 503 and "hangs: unknown -> unhealthy" in caplog.text)
    assert check.ended == 0
    check.gate.set()


def test_call_that_stays_in_an_executor_for_too_long_is_reported_and_logged(
    declare: Declare, caplog: pytest.LogCaptureFixture
) -> None:
    """No new run begins beside such a call, so the last result becomes stale."""
    check = LeavesExecutorCall()
    declare({"gives": Service(check, timeout=5, ttl=0.1, stale_for=8)})
    with caplog.at_level(logging.INFO, "healthguard"):
        wait_for(lambda: get_health()[1]["gives"]["status"] == "degraded")
        wait_for(lambda: get_health()[0] == 503)
        assert get_health()[1]["gives"]["checks"][0]["code"] == "background_task_stuck"
        check.released.set()
        wait_for(lambda: get_health()[1]["gives"]["status"] == "degraded")
        wait_for(lambda: "gives: degraded -> unknown" in caplog.text)


class RaisingFilter(logging.Filter):
    """A filter with which no line can be written."""

    def filter(self, record: logging.LogRecord) -> bool:
        raise RuntimeError(strange.SECRET)


def test_service_is_run_again_if_the_log_cannot_be_written(declare: Declare, capfd: pytest.CaptureFixture[str]) -> None:
    check = GatedCheck()
    declare({"one": Service(check, ttl=0)})
    broken = RaisingFilter()
    logging.getLogger("healthguard").addFilter(broken)
    try:
        check.error = strange.UNAVAILABLE
        assert get_health(query="fresh=1")[0] == 503
        check.error = None
        assert get_health(query="fresh=1")[0] == 200
    finally:
        logging.getLogger("healthguard").removeFilter(broken)
    assert strange.SECRET not in "".join(capfd.readouterr())
