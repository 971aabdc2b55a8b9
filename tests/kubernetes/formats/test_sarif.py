"""The SARIF format: valid against the schema, and what code scanning of GitHub requires."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from healthguard.kubernetes.examination import Examination
from healthguard.kubernetes.findings import Severity
from healthguard.kubernetes.formats.sarif import render
from tests.kubernetes.formats.examinations import (
    BLIND,
    BUGGY,
    EMPTY,
    FAULTY,
    NASTY,
    UNREAD,
    UNREADABLE,
    finding,
    with_findings,
)

SCHEMA = json.loads((Path(__file__).parent / "sarif-2.1.0.json").read_text())
"""The schema of OASIS, from the npm package ``@microsoft/jest-sarif``."""
ALL = {
    "empty": EMPTY,
    "faulty": FAULTY,
    "nothing chosen": BLIND,
    "unreadable": UNREADABLE,
    "unread": UNREAD,
    "failed rule": BUGGY,
    "all severities": with_findings(*map(finding, Severity)),
    "nasty": with_findings(finding(message=NASTY, file=NASTY, rule=NASTY, container=NASTY, line=0)),
    "places": with_findings(finding(file="<stdin>"), finding(file="/else/a b.yaml"), finding(file="../../../x.yaml")),
}


def run_of(examination: Examination) -> Any:
    return json.loads(render(examination))["runs"][0]


def result_of(**arguments: Any) -> Any:
    return run_of(with_findings(finding(**arguments)))["results"][0]


def location_of(**arguments: Any) -> Any:
    return result_of(**arguments)["locations"][0]["physicalLocation"]


@pytest.mark.parametrize("examination", ALL.values(), ids=ALL)
def test_log_is_valid(examination: Examination) -> None:
    """The schema forbids unknown properties, too."""
    validator = pytest.importorskip("jsonschema").Draft4Validator(SCHEMA)
    assert [error.message for error in validator.iter_errors(json.loads(render(examination)))] == []


def test_schema_rejects_an_invalid_log() -> None:
    """The test above can fail."""
    validator = pytest.importorskip("jsonschema").Draft4Validator(SCHEMA)
    log = json.loads(render(FAULTY))
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert list(validator.iter_errors(log))


def test_log_without_findings_has_a_run() -> None:
    """Without a run, GitHub does not close the alerts of the run before."""
    run = run_of(EMPTY)
    assert run["results"] == []
    assert run["automationDetails"]["id"] == "healthguard/manifests/"


@pytest.mark.parametrize("examination", ALL.values(), ids=ALL)
def test_ids_of_rules_are_unique_and_the_indexes_are_right(examination: Examination) -> None:
    """GitHub takes title and help of an alert from the rule."""
    run = run_of(examination)
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(ids)) == len(ids)
    assert [ids[result["ruleIndex"]] for result in run["results"]] == [result["ruleId"] for result in run["results"]]


def test_rule_has_the_texts_that_github_requires() -> None:
    """GitHub requires id, shortDescription, fullDescription and help."""
    rules = run_of(FAULTY)["tool"]["driver"]["rules"]
    assert rules
    for key in ("shortDescription", "fullDescription", "help"):
        assert all(rule[key]["text"] for rule in rules)


def test_path_is_relative_and_percent_encoded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command may run in a folder of the repository."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert location_of() == {
        "artifactLocation": {"uri": "sub/deploy/web%20app/%C3%A4%3Ab%2Cc.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 7},
    }


def test_path_is_relative_to_the_folder_with_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Outside GitHub Actions, the root is found by its ``.git``, which is a file in a worktree."""
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").write_text("gitdir: elsewhere")
    monkeypatch.chdir(tmp_path / "sub")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    assert location_of(file="a.yaml")["artifactLocation"]["uri"] == "sub/a.yaml"


def test_file_outside_the_repository_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A path with ``..`` would be invalid."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert location_of(file="/elsewhere/a b.yaml")["artifactLocation"] == {"uri": "file:///elsewhere/a%20b.yaml"}


def test_file_with_an_undecodable_name_is_encoded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The name of a file is bytes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert location_of(file="a\udcff.yaml")["artifactLocation"]["uri"] == "a%FF.yaml"


def test_standard_input_has_a_location() -> None:
    """GitHub rejects a result without a location."""
    assert location_of(file="<stdin>")["artifactLocation"] == {"uri": "stdin", "uriBaseId": "%SRCROOT%"}


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (Severity.ERROR, "error"),
        (Severity.WARNING, "warning"),
        (Severity.UNKNOWN, "note"),
        (Severity.ADVICE, "note"),
    ],
)
def test_level_is_the_severity(severity: Severity, level: str) -> None:
    """SARIF has other names."""
    assert run_of(with_findings(finding(severity)))["results"][0]["level"] == level


def test_fingerprint_does_not_depend_on_the_line() -> None:
    """An alert stays the same if lines are added above it."""
    assert result_of(line=7)["partialFingerprints"] == result_of(line=70)["partialFingerprints"]


@pytest.mark.parametrize("other", [{"rule": "x"}, {"container": "x"}, {"file": "x.yaml"}])
def test_fingerprint_depends_on_the_fault(other: dict[str, str]) -> None:
    """Different alerts must not be merged."""
    assert result_of()["partialFingerprints"] != result_of(**other)["partialFingerprints"]


def test_equal_findings_have_different_fingerprints() -> None:
    """Two lines of one object may have the same fault."""
    results = run_of(with_findings(finding(line=1), finding(line=2)))["results"]
    assert results[0]["partialFingerprints"] != results[1]["partialFingerprints"]


@pytest.mark.parametrize(("examination", "exit_code"), [(BLIND, 1), (UNREADABLE, 2), (BUGGY, 2)])
def test_what_was_not_checked_is_a_notification(examination: Examination, exit_code: int) -> None:
    """The execution was not successful."""
    invocation = run_of(examination)["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == exit_code
    assert len(invocation["toolExecutionNotifications"]) == 1


def test_unreadable_input_has_its_location(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the fault is stated there, too."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(Path.cwd()))
    notification = run_of(UNREADABLE)["invocations"][0]["toolExecutionNotifications"][0]
    assert notification["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "deploy/x.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 12},
    }


def test_message_contains_no_link_and_no_control_character() -> None:
    """GitHub renders ``[text](1)`` as a link to a related location."""
    text = result_of(message=NASTY)["message"]["text"]
    assert not re.search(r"(?<!\\)\[link\]\(1\)", text)
    assert "\x1b" not in text


def test_errors_remain_if_there_are_too_many_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub rejects a run with more than 25,000 results; the worst are kept, and the number of others is stated."""
    monkeypatch.setattr("healthguard.kubernetes.formats.sarif.MAX_RESULTS", 2)
    severities = (Severity.ADVICE, Severity.WARNING, Severity.ADVICE, Severity.ERROR)

    run = run_of(with_findings(*(finding(severity, line=line) for line, severity in enumerate(severities, 1))))

    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert [note["message"]["text"] for note in notes] == ["2 further findings are not in this file."]
