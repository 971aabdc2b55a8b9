"""The JSON format: its shape, which programs rely on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healthguard.kubernetes.examination import Examination
from healthguard.kubernetes.formats.json import render
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


def document(examination: Examination) -> Any:
    return json.loads(render(examination))


def test_document_states_what_was_checked() -> None:
    """A program can require a number of containers."""
    assert document(EMPTY) == {
        "version": 1,
        "exit_code": 0,
        "strict": False,
        "checked": {
            "files": 2,
            "objects": 3,
            "workloads": 1,
            "containers": ["Deployment web, container web"],
            "required_variables": [["API_KEY", "OLD_API_KEY"], ["DATABASE_URL"]],
        },
        "nothing_checked": None,
        "summary": {"errors": 0, "warnings": 0, "unknown": 0, "advice": 0, "silenced": 0},
        "findings": [],
        "unreadable_inputs": [],
        "unread_inputs": [],
        "failed_rules": [],
    }


def test_finding_has_all_its_fields() -> None:
    """An empty text is null."""
    assert document(FAULTY)["findings"] == [
        {
            "rule": "variable-missing",
            "severity": "error",
            "file": "deploy/web app/ä:b,c.yaml",
            "line": 7,
            "message": "API_KEY is not set.",
            "remedy": "Add it to env.",
            "object": {"api_version": "apps/v1", "kind": "Deployment", "name": "web", "namespace": None},
            "container": "web",
            "variable": "API_KEY",
        }
    ]


@pytest.mark.parametrize(
    ("examination", "key", "exit_code"),
    [
        (BLIND, "nothing_checked", 1),
        (UNREADABLE, "unreadable_inputs", 2),
        (BUGGY, "failed_rules", 2),
        (UNREAD, "unread_inputs", 0),
    ],
)
def test_what_was_not_checked_is_stated(examination: Examination, key: str, exit_code: int) -> None:
    """A program that reads only the findings sees the exit code, too."""
    found = document(examination)
    assert found[key]
    assert found["exit_code"] == exit_code


def test_standard_input_has_no_file() -> None:
    """A program must not open a file of that name."""
    assert document(with_findings(finding(file="<stdin>")))["findings"][0]["file"] is None


def test_control_characters_are_escaped() -> None:
    """A program may print the texts."""
    shown = document(with_findings(finding(message=NASTY)))["findings"][0]["message"]
    assert "\x1b" not in shown
    assert "\n" not in shown
