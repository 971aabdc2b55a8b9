"""``manage.py healthguard drill``: its output, its exit codes, and what it rejects."""

from __future__ import annotations

import pytest

from tests.management.conftest import Command, Project

ALL = (
    '{"proven": Provable(), "foreign": "health_check.checks.Cache", '
    '"blind": Provable(sabotage=Passes()), "down": Provable(sabotage=Fails(code="plug_lost"))}'
)
"""One service for each proof."""


def test_text_shows_what_is_not_proven_first(command: Command) -> None:
    done = command.declare(ALL).run("drill")
    assert done.code == 1
    assert done.out == (
        "ESCAPED  blind\n"
        "  ESCAPED  Provable\n"
        "           Escaped: the plug is pulled. The sabotaged check passed, so this check does not notice such a "
        "fault.\n"
        "\n"
        "BLOCKED  down\n"
        "  BLOCKED  Provable\n"
        "           Blocked: the plug is pulled. Expected plug_out, but found plug_lost.\n"
        "           The plug is out.\n"
        "           Fix: Put it in.\n"
        "\n"
        "unproven foreign\n"
        "  unproven Cache\n"
        "           It offers no sabotages, so nothing proves that it can fail.\n"
        "\n"
        "proven   proven  Provable\n"
        "\n"
        "Escaped: 3 sabotages, of which 1 escaped, 1 blocked, 1 proven. 1 check offers none.\n"
    )


def test_json_contains_every_sabotage(command: Command) -> None:
    done = command.declare(ALL).run("drill", "--format", "json")
    assert done.code == 1
    assert done.json["status"] == "escaped"
    assert done.json["counts"] == {"proven": 1, "unproven": 1, "blocked": 1, "escaped": 1}
    assert done.json["exercises"][0] == {
        "service": "proven",
        "check": "Provable",
        "sabotage": "the plug is pulled",
        "proof": "proven",
        "expected": ["plug_out"],
        "problem": {"code": "plug_out", "fault": "config", "message": "The plug is out.", "hint": "Put it in."},
    }
    assert done.json["exercises"][1]["problem"] is None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["proven"], 0),
        (["proven", "foreign"], 0),
        (["proven", "foreign", "--strict"], 1),
        (["--exclude", "blind", "--exclude", "down"], 0),
        (["down"], 1),
        (["blind"], 1),
        (["blnd"], 2),
        (["--deadline", "nan"], 2),
        (["--deadline", "1e400"], 2),
        (["--format", "junit"], 2),
        (["--exclude", "proven", "proven"], 2),
    ],
)
def test_exit_code(arguments: list[str], code: int, command: Command) -> None:
    done = command.declare(ALL).run("drill", *arguments)
    assert done.code == code, done
    assert (done.out == "") is (code == 2)
    if arguments == ["blnd"]:
        assert "Did you mean 'blind'?" in done.err


def test_check_without_sabotages_does_not_hide_what_is_proven(command: Command) -> None:
    done = command.declare(ALL).run("drill", "proven", "foreign")
    assert done.out.endswith("Proven: 1 sabotage, of which 1 proven. 1 check offers none.\n")
    assert command.run("drill", "foreign").out.endswith("Unproven: 0 sabotages. 1 check offers none.\n")


def test_invalid_declaration_ends_with_2(command: Command) -> None:
    done = command.declare('{"one": EnvironmentVariable("NOT A NAME")}').run("drill")
    assert done.code == 2
    assert "EnvironmentVariable takes the name of a variable" in done.out


def test_exception_of_the_method_is_named_with_its_line(command: Command) -> None:
    done = command.declare('{"one": Unwilling()}').run("drill")
    assert done.code == 1
    assert "its method sabotages() raised ZeroDivisionError." in done.out
    assert "At: " in done.out
    assert "outcomes.py" in done.out


def test_verbosity_shows_each_sabotage_or_only_problems(command: Command) -> None:
    command.declare(ALL)
    assert "\n         Provable: the plug is pulled (plug_out)\n" in command.run("drill", "proven", "-v", "2").out
    assert command.run("drill", "proven", "-v", "0").out == "Proven: 1 sabotage, of which 1 proven.\n"


def test_hanging_sabotage_ends_at_the_deadline(project: Project) -> None:
    done = project.declare('{"one": Provable(sabotage=Hangs())}').run("drill", "--deadline", "0.2")
    assert done.code == 1
    assert "Expected plug_out, but found pending." in done.out
