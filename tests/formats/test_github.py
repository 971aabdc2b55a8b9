"""The format of GitHub Actions: annotations that no message can break out of."""

from __future__ import annotations

import dataclasses

from healthguard.formats.github import render, render_summary
from healthguard.probes.tolerance import Tolerance
from healthguard.status import CheckResult, Status
from tests.formats.reports import NASTY, RAISED, report, result, service


def test_unhealthy_check_is_an_error() -> None:
    assert render(report(service(result(Status.UNHEALTHY)))) == (
        "::error title=power%3A Plug (plug_out)::The plug is out.%0APut it in.\n"
    )


def test_degraded_check_is_a_warning_unless_strict() -> None:
    degraded = report(service(result(Status.DEGRADED)))
    assert render(degraded).startswith("::warning ")
    assert render(degraded, tolerance=Tolerance(is_strict=True)).startswith("::error ")


def test_failure_of_a_service_that_is_not_critical_is_a_warning() -> None:
    assert render(report(service(result(Status.UNHEALTHY), is_critical=False))).startswith("::warning ")


def test_unknown_service_that_is_not_critical_is_a_warning() -> None:
    assert render(report(service(result(Status.UNKNOWN), is_critical=False))).startswith("::warning ")


def test_allowed_problem_is_a_warning_even_if_strict() -> None:
    tolerance = Tolerance(("plug_out",), is_strict=True)
    assert render(report(service(result(Status.DEGRADED))), tolerance=tolerance).startswith("::warning ")


def test_healthy_service_has_no_annotation() -> None:
    assert render(report(service(result()))) == ""


def test_service_without_details_is_an_error() -> None:
    bare = dataclasses.replace(service(), status=Status.UNHEALTHY, weight=Status.UNHEALTHY)
    assert render(report(bare)) == "::error title=power::The service is unhealthy.\n"


def test_message_cannot_begin_a_command() -> None:
    lines = render(report(service(result(Status.UNHEALTHY, message=NASTY)))).splitlines()
    assert len(lines) == 1
    assert "100%25 %0D%0A::error::x, y: " in lines[0]


def test_text_is_not_read_as_commands() -> None:
    """The runner ignores commands until the line with the token."""
    first, *text, last = render(report(service(result())), "  ::error::no\n::stop\n").splitlines()
    token = first.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert last == f"::{token}::"
    assert text == ["  ::error::no", "::stop"]


def test_summary_shows_services_and_problems() -> None:
    summary = render_summary(
        report(service(result(Status.UNHEALTHY, message=NASTY)), service(result(), path=("water",)))
    )
    assert "| power | ❌ unhealthy |" in summary
    assert "| water | ✅ healthy |" in summary
    assert "\\<b\\>\\|\\`" in summary
    assert "<b>" not in summary


def test_line_that_raised_an_exception_is_named() -> None:
    assert "%0AAt: plug.py:7 in run" in render(report(service(CheckResult("Plug", Status.UNHEALTHY, RAISED))))


def test_draining_is_an_error() -> None:
    assert render(report(service(result()))) == ""
    assert render(report(service(result()), draining=True)).startswith("::error title=draining::The pod is draining")
