"""The format of GitHub Actions: annotations at the right file and line, that no text can break out of."""

from __future__ import annotations

from pathlib import Path

import pytest

from healthguard.kubernetes.examination import Examination
from healthguard.kubernetes.findings import Severity
from healthguard.kubernetes.formats.github import render, render_summary
from tests.kubernetes.formats.examinations import (
    BLIND,
    BUGGY,
    EMPTY,
    FAULTY,
    NASTY,
    UNREAD,
    UNREADABLE,
    finding,
    strict,
    with_findings,
)


def test_finding_is_an_annotation_at_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colons and commas of the path are escaped."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(Path.cwd()))
    assert render(FAULTY, "") == (
        "::error file=deploy/web app/ä%3Ab%2Cc.yaml,line=7,title=Deployment web%2C container web (variable-missing)::"
        "API_KEY is not set.%0AAdd it to env.\n"
    )


def test_path_is_relative_to_the_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command may run in a folder of the repository."""
    (tmp_path / "chart").mkdir()
    monkeypatch.chdir(tmp_path / "chart")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert "file=chart/a.yaml," in render(with_findings(finding(file="a.yaml")), "")
    assert "file=b.yaml," in render(with_findings(finding(file=str(tmp_path / "b.yaml"))), "")


@pytest.mark.parametrize(
    ("severity", "level", "strict_level"),
    [
        (Severity.ERROR, "error", "error"),
        (Severity.WARNING, "warning", "error"),
        (Severity.ADVICE, "notice", "notice"),
        (Severity.UNKNOWN, "notice", "notice"),
    ],
)
def test_level_is_error_if_the_finding_makes_the_command_fail(
    severity: Severity, level: str, strict_level: str
) -> None:
    """The red annotations are the reason of the red job."""
    examination = with_findings(finding(severity))
    assert render(examination, "").startswith(f"::{level} ")
    assert render(strict(examination), "").startswith(f"::{strict_level} ")


def test_finding_in_standard_input_has_no_file() -> None:
    """GitHub would search for a file of that name."""
    assert render(with_findings(finding(file="<stdin>")), "").startswith("::error title=")


@pytest.mark.parametrize(
    ("examination", "beginning"),
    [
        (BLIND, "::error title=Nothing was checked.::No input contains a workload.\n"),
        (
            UNREADABLE,
            "::error file=deploy/x.yaml,line=12,title=deploy/x.yaml was not read::It is not YAML.%0AFix it.",
        ),
        (BUGGY, "::error title=The rule probe-path failed::The rule probe-path raised KeyError.%0A"),
    ],
)
def test_what_was_not_checked_is_an_error(examination: Examination, beginning: str) -> None:
    """It makes the command fail."""
    assert render(examination, "").startswith(beginning)


def test_input_that_was_left_out_is_a_warning_unless_strict() -> None:
    """Strict means that everything was checked."""
    assert render(UNREAD, "").startswith("::warning file=chart,title=chart was not read::It is a Helm chart.")
    assert render(strict(UNREAD), "").startswith("::error file=chart,")


def test_no_text_begins_a_command() -> None:
    """Names in a manifest may contain anything."""
    text = render(with_findings(finding(message=NASTY, container=NASTY, file=f"a{NASTY}", rule=NASTY)), "")
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def test_text_is_not_read_as_commands() -> None:
    """The runner ignores commands until the line with the token."""
    first, second, last = render(EMPTY, "::error::no\n").splitlines()
    assert first.startswith("::stop-commands::")
    assert (second, last) == ("::error::no", f"::{first.removeprefix('::stop-commands::')}::")


def test_summary_shows_the_verdict_and_the_findings() -> None:
    """The rows are those of a table in Markdown."""
    summary = render_summary(with_findings(finding(Severity.WARNING), finding(message=NASTY)))
    assert summary.startswith("### ❌ healthguard manifests: 1 error, 1 warning.\n")
    assert "| ⚠️ | deploy/web app/ä:b,c.yaml:7 | API\\_KEY is not set. | Add it to env. | variable-missing |" in summary
    assert "<b>" not in summary.replace("\\<b\\>", "")


def test_summary_without_findings_is_green() -> None:
    """It still states what was checked."""
    summary = render_summary(EMPTY)
    assert summary.startswith("### ✅ healthguard manifests: No faults found.\n")
    assert "Checked 1 container for 2 required variables" in summary


@pytest.mark.parametrize("examination", [BLIND, UNREADABLE, BUGGY])
def test_summary_of_what_was_not_checked_is_red(examination: Examination) -> None:
    """The reason is part of it."""
    summary = render_summary(examination)
    assert summary.startswith("### ❌")
    assert summary.count("❌") == 2


def test_summary_is_bounded() -> None:
    """GitHub rejects a summary of more than 1 MiB."""
    summary = render_summary(with_findings(*[finding(message="x" * 1000)] * 5000))
    assert len(summary.encode()) < 1_000_000
    assert "and 4800 more" in summary
