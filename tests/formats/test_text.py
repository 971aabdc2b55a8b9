"""The text format: readable at a glance on a terminal, and plain elsewhere."""

from __future__ import annotations

import dataclasses
import io

import pytest

from healthguard.formats.text import Style, render, style_of
from healthguard.service.selection import LeftOut
from healthguard.status import CheckResult, Code, Fault, Problem, Status
from tests.formats.reports import RAISED, report, result, service

NOT_RUN = Problem(Code.NOT_RUN, Fault.OUTAGE, "Not run, because …", "Fix the problem reported by Plug first.")
FAILING = service(result(Status.UNHEALTHY), CheckResult("Lamp", Status.UNKNOWN, NOT_RUN), path=("group", "power"))
FINE = service(result(), path=("water",))


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_text_shows_problems_first_and_each_with_its_remedy() -> None:
    assert render(report(FINE, FAILING)) == (
        "UNHEALTHY group/power  (12 ms)\n"
        "  UNHEALTHY Plug  plug_out (config)\n"
        "            The plug is out.\n"
        "            Fix: Put it in.\n"
        "  UNKNOWN   Lamp: not run, because of the problem above\n"
        "\n"
        "healthy   water  Plug  (12 ms)\n"
        "\n"
        "Unhealthy: 2 services, of which 1 unhealthy, 1 healthy.\n"
    )


def test_verbosity_0_shows_only_problems() -> None:
    assert "water" not in render(report(FINE, FAILING), Style(verbosity=0))


def test_verbosity_2_shows_the_evidence() -> None:
    passed = service(dataclasses.replace(result(), evidence={"rows": 3}), path=("water",))
    text = render(report(FAILING, passed), Style(verbosity=2))
    assert "plug: red" in text
    assert "rows: 3" in text


def test_colors_and_symbols_are_used_only_if_requested() -> None:
    plain = render(report(FINE, FAILING))
    colored = render(report(FINE, FAILING), Style(is_colored=True))
    assert plain.isascii() or "…" in plain
    assert "\x1b[" not in plain
    assert "\x1b[" in colored
    assert "✗" in colored


def test_lines_are_wrapped_at_the_width_of_the_terminal() -> None:
    long = service(result(Status.UNHEALTHY, message="word " * 100))
    lines = render(report(long), Style(width=60)).splitlines()
    assert max(map(len, lines)) <= 60


def test_service_without_details_says_why() -> None:
    bare = dataclasses.replace(service(), status=Status.UNHEALTHY, weight=Status.UNHEALTHY)
    assert "no valid token was sent" in render(report(bare))


def test_checks_that_were_left_out_are_named() -> None:
    text = render(report(FINE), left_out=(LeftOut(("database",), "AppliedMigrations"),))
    assert "Not checked: database AppliedMigrations." in text


def test_draining_is_part_of_the_summary() -> None:
    assert render(report(FINE, draining=True)).endswith("Unhealthy: 1 service, of which 1 healthy, draining.\n")


@pytest.mark.parametrize(
    ("environment", "is_colored", "expected"),
    [
        ({}, None, True),
        ({"NO_COLOR": "1"}, None, False),
        ({"TERM": "dumb"}, None, False),
        ({"NO_COLOR": "1"}, True, True),
    ],
)
def test_terminal_has_colors_unless_the_user_wants_none(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], is_colored: bool | None, expected: bool
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert style_of(Terminal(), is_colored=is_colored).is_colored is expected


def test_pipe_has_neither_colors_nor_wrapped_lines() -> None:
    assert style_of(io.StringIO()) == Style(is_colored=False, width=None)


def test_terminal_that_cannot_show_symbols_is_plain() -> None:
    terminal = Terminal()
    terminal.encoding = "ascii"
    assert not style_of(terminal).is_colored


def test_line_that_raised_an_exception_is_named() -> None:
    assert "            At: plug.py:7 in run\n" in render(
        report(service(CheckResult("Plug", Status.UNHEALTHY, RAISED)))
    )
