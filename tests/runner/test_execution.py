"""The execution of one check: its value, its exception or its timeout becomes a result, and no other service fails."""

from __future__ import annotations

import gc
import json
import logging
import time
from typing import Any, cast

import pytest
from django.test import override_settings
from django.utils.translation import gettext_lazy
from health_check.base import HealthCheck

from healthguard import Degraded, Service
from healthguard.probes import Probe, ProbeEvaluation
from healthguard.status import Fault, GroupReport, Status
from tests.support import strange_checks as strange
from tests.support.fixture_types import Declare
from tests.support.runner_checks import GatedCheck, ThreadNames, get_health, wait_for


@pytest.mark.parametrize(
    "check",
    [
        strange.BlocksItsLoop,
        strange.IgnoresCancellation,
        strange.HangsInSyncToAsync,
        strange.HangsInTheDefaultExecutor,
        strange.SleepsAsync(strange.HANG),
    ],
)
def test_async_check_that_hangs_is_unhealthy_after_its_timeout(
    declare: Declare, check: HealthCheck | type[HealthCheck]
) -> None:
    declare({"hangs": Service(check, timeout=0.3), "fine": strange.Fine}, DEADLINE=0.5)
    wait_for(lambda: get_health()[1]["services"] == {"hangs": "unhealthy", "fine": "healthy"}, strange.HANG / 2)
    status, body = get_health()
    assert (status, body["hangs"]["checks"][0]["code"]) == (503, "timeout")


def test_async_check_that_is_cancelled_ends_its_thread(declare: Declare, own_threads: ThreadNames) -> None:
    declare({"hangs": Service(strange.SleepsAsync(200), timeout=0.2)})
    get_health()
    wait_for(lambda: not own_threads())


@pytest.mark.parametrize("check", [strange.HangsInSyncToAsync, strange.HangsInTheDefaultExecutor])
def test_check_that_hangs_in_an_executor_is_not_started_a_second_time(
    declare: Declare, own_threads: ThreadNames, check: type[HealthCheck]
) -> None:
    declare({"hangs": Service(check, timeout=0.2, ttl=0)}, DEADLINE=0.1)
    for _ in range(10):
        get_health()
        time.sleep(0.1)
    # Its run, and the one call that hangs.
    wait_for(lambda: len(own_threads()) <= 2, strange.HANG / 2)
    assert get_health()[1]["hangs"]["checks"][0]["code"] == "timeout"


class ReturnsEvidence(HealthCheck):
    def __init__(self, evidence: dict[str, Any]) -> None:
        self.evidence = evidence

    def run(self) -> dict[str, Any]:
        return self.evidence


class RaisesInStr:
    def __str__(self) -> str:
        raise RuntimeError(strange.SECRET)

    __repr__ = __str__


@pytest.mark.parametrize("evidence", [{("a", "b"): 1}, {"a": RaisesInStr()}, {"a": float("nan")}, {"a": {1, 2}}])
def test_evidence_that_is_not_plain_json_does_not_break_the_response(declare: Declare, evidence: Any) -> None:
    warning = Degraded("x", "y", fault="config", hint="z", evidence=evidence)  # type: ignore[arg-type]
    declare({"odd": ReturnsEvidence(evidence), "raised": strange.Raises(warning)})
    status, body = get_health()
    assert (status, body["services"]) == (200, {"odd": "healthy", "raised": "degraded"})
    for name in ("odd", "raised"):
        assert "not plain JSON" in body[name]["checks"][0]["evidence"]["evidence"]


def test_evidence_of_a_healthy_check_is_reported(declare: Declare) -> None:
    declare({"one": ReturnsEvidence({"version": 7})})
    assert get_health()[1]["one"]["checks"] == [
        {"check": "ReturnsEvidence", "status": "healthy", "evidence": {"version": 7}}
    ]


def test_texts_may_be_lazy_translations(declare: Declare) -> None:
    warning = Degraded("x", gettext_lazy("y"), fault=Fault.CONFIG, hint=gettext_lazy("z"))  # type: ignore[arg-type]
    declare({"one": strange.Raises(warning)})
    assert get_health()[1]["one"]["checks"][0]["message"] == "y"


@pytest.mark.parametrize("key", ["", "short"])
def test_warning_of_a_third_party_check_is_reported_without_a_valid_secret_key(declare: Declare, key: str) -> None:
    """The redaction of its message reads all settings, and Django raises an exception for an empty SECRET_KEY."""
    declare({"load": strange.Raises(strange.WARNING)})
    with override_settings(SECRET_KEY=key):
        assert get_health()[1]["load"]["checks"][0]["code"] == "warning"


@pytest.mark.parametrize("error", strange.EXCEPTIONS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("make", [strange.Raises, strange.RaisesAsync])
def test_any_exception_of_a_check_is_a_problem_of_its_service_alone(
    declare: Declare,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    error: BaseException,
    make: type[strange.Raises],
) -> None:
    declare({"bad": make(error), "fine": strange.Fine})
    with caplog.at_level(logging.DEBUG):
        status, body = get_health()
        wait_for(lambda: "bad: unknown -> unhealthy" in caplog.text)
    assert (status, body["services"]) == (503, {"bad": "unhealthy", "fine": "healthy"})
    (found,) = body["bad"]["checks"]
    assert found["code"] == "exception"
    assert found["evidence"]["at"]
    # asyncio logs an exception that nothing has retrieved when its task is garbage-collected.
    gc.collect()
    assert strange.SECRET not in json.dumps(body) + caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (strange.RaisesInConstructor, "exception"),
        ("tests.support.strange_checks.RaisesInConstructor", "exception"),
        (strange.Recurses, "exception"),
        (strange.RaisesUntellable, "exception"),
        (strange.ReturnsFalse, "returned_false"),
        (strange.ReturnsACoroutine, "unavailable"),
        (strange.IsAGenerator, "generator"),
        ("no.such.Check", "invalid_declaration"),
        (("tests.support.strange_checks.Sleeps", {"no_such_option": 1}), "invalid_declaration"),
        (int, "invalid_declaration"),
        (object(), "invalid_declaration"),
    ],
)
def test_broken_check_is_unhealthy(declare: Declare, check: object, code: str) -> None:
    declare({"bad": check, "fine": strange.Fine})
    status, body = get_health()
    assert status == 503
    assert (body["services"]["bad"], body["services"]["fine"]) == ("unhealthy", "healthy")
    assert body["bad"]["checks"][0]["code"] == code
    assert strange.SECRET not in json.dumps(body)


@pytest.mark.parametrize("check", [strange.RaisesInRepr, strange.RaisesInRepr(), strange.ReturnsTrue])
def test_unusual_check_that_passes_is_healthy(declare: Declare, check: HealthCheck | type[HealthCheck]) -> None:
    declare({"odd": check})
    assert get_health()[0] == 200


def test_two_checks_of_one_class_are_two_entries(declare: Declare) -> None:
    declare({"both": [strange.Fine(), strange.Fine()]})
    assert len(get_health()[1]["both"]["checks"]) == 2


def test_a_warning_is_degraded(declare: Declare) -> None:
    declare({"load": strange.Raises(strange.WARNING)})
    status, body = get_health()
    assert (status, body["status"], body["load"]["checks"][0]["code"]) == (200, "degraded", "warning")


def test_message_of_a_third_party_check_is_shown_without_secrets(declare: Declare) -> None:
    declare({"bad": strange.Raises(strange.UNAVAILABLE), "odd": strange.Raises(strange.UNEXPECTED)})
    _, body = get_health()
    (found,) = body["bad"]["checks"]
    assert (found["code"], found["fault"]) == ("unavailable", "outage")
    assert found["message"] == "no way to postgres://********@db/x"
    assert body["odd"]["checks"][0]["code"] == "unexpected_result"


def test_network_error_is_an_outage_and_other_exceptions_are_config_faults(declare: Declare) -> None:
    declare({"io": strange.Raises(ConnectionResetError("x")), "bug": strange.Raises(KeyError("x"))})
    evaluation = ProbeEvaluation(Probe.HEALTH)
    evaluation.wait()
    root = cast(GroupReport, evaluation.report().root)
    faults = {report.path: report.problems[0].fault for report in root.services()}
    assert faults == {("io",): Fault.OUTAGE, ("bug",): Fault.CONFIG}
    assert evaluation.report().status is Status.UNHEALTHY


def test_after_an_outage_the_rest_of_the_service_is_not_run(declare: Declare) -> None:
    rest = GatedCheck()
    declare({"both": [strange.Raises(strange.UNAVAILABLE), rest], "other": strange.Fine})
    _, body = get_health()
    assert [check["code"] for check in body["both"]["checks"]] == ["unavailable", "not_run"]
    assert body["both"]["status"] == "unhealthy"
    assert rest.runs == 0


def test_after_a_degraded_outage_the_rest_of_the_service_is_run(declare: Declare) -> None:
    """An outage of one provider must not make the key of another one unknown, which would be a 503."""
    rest = GatedCheck()
    declare({"both": [strange.Raises(strange.WARNING), rest]})
    assert get_health()[1]["status"] == "degraded"
    assert rest.runs == 1
