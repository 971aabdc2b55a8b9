"""The log lines and signals of the health state: problems outside all services, and draining."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from healthguard.http.handler import Request, respond
from healthguard.probes import HealthState
from healthguard.runner.receivers import wait_until_sent
from healthguard.runtime import log
from healthguard.signals import status_changed
from healthguard.status import Code, Fault, Problem, Status
from tests.support import strange_checks as strange
from tests.support.fixture_types import Declare

BROKEN = Problem(Code.URLCONF_BROKEN, Fault.CONFIG, "The URLconf cannot be imported.", "Fix the import.")

OTHER = Problem(Code.INVALID_DECLARATION, Fault.CONFIG, "HEALTHGUARD is not a dict.", "Declare it as a dict.")


def lines_of(caplog: pytest.LogCaptureFixture, part: str) -> list[tuple[str, str]]:
    """Return the level and the text of each line that contains ``part``."""
    assert log.flush(60)
    return [(record.levelname, record.getMessage()) for record in caplog.records if part in record.getMessage()]


def test_problem_outside_all_services_is_logged_when_it_begins_and_when_it_ends(
    healthguard_settings: Declare, caplog: pytest.LogCaptureFixture
) -> None:
    healthguard_settings({"one": strange.Fine})
    state = HealthState()
    with caplog.at_level(logging.INFO, "healthguard"):
        for problem in (None, BROKEN, BROKEN, None, None):
            state.log_problem(problem)
        assert lines_of(caplog, "healthguard: ") == [
            ("ERROR", f"healthguard: unhealthy: {BROKEN.summary}"),
            ("INFO", "healthguard: unhealthy -> healthy"),
        ]


def test_problem_outside_all_services_is_sent_as_a_signal(healthguard_settings: Declare) -> None:
    """The status is unknown before the first problem."""
    healthguard_settings({"one": strange.Fine})
    sent: list[tuple[object, ...]] = []

    def remember(
        service: tuple[str, ...], previous: Status, status: Status, problems: tuple[Problem, ...], **arguments: object
    ) -> None:
        if service == ("healthguard",):
            sent.append((previous, status, problems))

    status_changed.connect(remember)
    state = HealthState()
    for problem in (None, BROKEN, BROKEN, OTHER, None, None, BROKEN):
        state.log_problem(problem)
    HealthState(is_logged=False).log_problem(BROKEN)
    assert wait_until_sent(60)
    assert sent == [
        ("unknown", "unhealthy", (BROKEN,)),
        ("unhealthy", "unhealthy", (OTHER,)),
        ("unhealthy", "healthy", ()),
        ("healthy", "unhealthy", (BROKEN,)),
    ]


def test_draining_is_logged_when_it_begins_and_when_it_ends(
    healthguard_settings: Declare, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    drain_file = tmp_path / "drain"
    healthguard_settings({"one": strange.Fine}, DRAIN_FILE=str(drain_file), DEADLINE=30)
    with caplog.at_level(logging.INFO, "healthguard"):
        for is_draining in (False, True, True, False, False):
            if is_draining:
                drain_file.touch()
            else:
                drain_file.unlink(missing_ok=True)
            assert respond(Request("GET", "ready")).status == (503 if is_draining else 200)
        assert [text for _, text in lines_of(caplog, "draining")] == [
            "The pod is draining: DRAIN_FILE exists, and the ready probe answers 503.",
            "The pod is no longer draining.",
        ]
