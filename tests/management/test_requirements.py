"""``manage.py healthguard requirements``: its file, its exit codes, and what it rejects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.test import override_settings

from tests.management.conftest import Command, Project

DECLARED = (
    '{"database": DatabaseName("shop", env="DATABASE_URL"), "ai": {"anthropic": AIProviderKey("anthropic")}, '
    '"cache": "health_check.checks.Cache", "token": EnvironmentVariable("SHOP_TOKEN", allow=["Zr2mVx7Lk4Tn9"])}'
)
FILE = "healthguard-requirements.json"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_file_lists_the_needs_of_all_checks(command: Command, folder: Path) -> None:
    """A check of django-health-check needs nothing."""
    done = command.declare(DECLARED, DEADLINE=0.5, DRAIN_FILE="/tmp/drain").run("requirements")
    assert (done.code, done.out) == (0, f"Wrote {FILE}: 3 requirements.\n")
    document = json.loads((folder / FILE).read_text())
    assert [(entry["declared_by"], entry["names"][0]) for entry in document["variables"]] == [
        ("ai/anthropic: AIProviderKey", "ANTHROPIC_API_KEY"),
        ("database: DatabaseName", "DATABASE_URL"),
        ("token: EnvironmentVariable", "SHOP_TOKEN"),
    ]
    assert (document["deadline"], document["drain_file"], document["mount_paths"]) == (
        0.5,
        "/tmp/drain",
        ["api/health"],
    )
    assert "Zr2mVx7Lk4Tn9" not in (folder / FILE).read_text()


def test_standard_output_contains_only_the_json(command: Command) -> None:
    """The output can be redirected to a file."""
    done = command.declare(DECLARED).run("requirements", "--output", "-")
    assert done.json["version"] == 1


def test_check_accepts_the_current_file(command: Command) -> None:
    """Nothing is written."""
    command.declare(DECLARED).run("requirements")
    done = command.run("requirements", "--check")
    assert (done.code, done.out) == (0, f"{FILE} is up to date.\n")


def test_check_shows_the_difference_of_an_outdated_file(command: Command, folder: Path) -> None:
    """The lines of the file come first, as in a diff of Git."""
    command.declare(DECLARED).run("requirements", "--output", "needs.json")
    done = command.declare('{"token": EnvironmentVariable("SHOP_TOKEN", min_bytes=9)}').run(
        "requirements", "--check", "needs.json"
    )
    assert done.code == 1
    assert '-        "DATABASE_URL"\n' in done.out
    assert '+      "min_bytes": 9,\n' in done.out
    assert done.out.endswith(
        "needs.json is outdated. Write it with: python manage.py healthguard requirements --output needs.json\n"
    )
    assert "min_bytes" not in (folder / "needs.json").read_text()


def test_check_reports_a_missing_file(command: Command) -> None:
    """The message contains the command that writes it."""
    done = command.declare(DECLARED).run("requirements", "--check")
    assert (done.code, done.out) == (
        1,
        f"{FILE} does not exist. Write it with: python manage.py healthguard requirements.\n",
    )


@pytest.mark.parametrize(
    ("services", "arguments", "error"),
    [
        ('{"one": EnvironmentVariable("NOT A NAME")}', [], "EnvironmentVariable takes the name of a variable"),
        ('{"one": "no.such.Check"}', [], "no.such.Check"),
        ('{"one": NeedsNumber()}', [], "the method needs() of NeedsNumber must return requirements"),
        ('{"one": NeedsUnknown()}', [], "the method needs() of NeedsUnknown raised ZeroDivisionError."),
        ('{"one": EnvironmentVariable("q7xk2vbt9wzjhfd3")}', [], "returned a name that may be a secret"),
        (DECLARED, ["--output", "no/such/folder.json"], "no/such/folder.json cannot be written"),
        (DECLARED, ["--check", "."], "cannot be read"),
        (DECLARED, ["--check", "--output", "-"], "not allowed with argument"),
    ],
)
def test_invalid_declaration_or_usage_ends_with_2(
    services: str, arguments: list[str], error: str, command: Command, folder: Path
) -> None:
    """Nothing is written."""
    done = command.declare(services).run("requirements", *arguments)
    assert (done.code, done.out) == (2, "")
    assert error in done.err
    assert "q7xk2vbt9wzjhfd3" not in done.err
    assert [*folder.iterdir()] == []


def test_keys_of_this_process_are_not_needed_by_a_deployment(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without declared services, the defaults follow the environment of the developer."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
    with override_settings(HEALTHGUARD={"INLINE": False}):
        done = command.run("requirements", "--output", "-")
    assert (done.code, done.json["variables"]) == (0, [])
    assert "HEALTHGUARD['SERVICES'] is not declared." in done.err


def test_broken_urlconf_is_reported(command: Command) -> None:
    """The paths of the health endpoint are not known without it."""
    command.declare(DECLARED)
    with override_settings(ROOT_URLCONF="no_such_urls"):
        done = command.run("requirements", "--output", "-")
    assert (done.code, done.out) == (2, "")
    assert "URLconf" in done.err


def test_no_variable_needs_to_be_set(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command works in a pipeline without secrets, as far as the settings can be imported."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    done = project.declare(DECLARED).run("requirements", "--output", "-")
    assert done.code == 0
    assert len(done.json["variables"]) == 3
