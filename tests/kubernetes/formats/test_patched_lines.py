"""Findings in a line of a patch, which is in another file than the object."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from healthguard.kubernetes.findings import Finding
from healthguard.kubernetes.formats import github, sarif, text
from healthguard.kubernetes.formats import json as json_format
from healthguard.kubernetes.reading.nodes import LineInFile
from tests.kubernetes.formats.examinations import finding, with_findings

PATCH = "overlays/prod/patch.yaml"
BASE = "base/web.yaml"


def in_patch(line: int = 27) -> Finding:
    """Return a finding in an object of the base, at a line of the patch."""
    return dataclasses.replace(finding(file=BASE), line=LineInFile(line, PATCH))


EXAMINATION = with_findings(in_patch())


def test_text_names_the_patch() -> None:
    """An editor opens the file and line at the beginning of the text."""
    shown = text.render(EXAMINATION)

    assert f"{PATCH}:27: error:" in shown
    assert BASE not in shown


def test_json_names_the_patch() -> None:
    """A program reads the file and the line together."""
    found = json.loads(json_format.render(EXAMINATION))["findings"][0]

    assert (found["file"], found["line"]) == (PATCH, 27)


def test_annotation_names_the_patch() -> None:
    """GitHub shows the annotation beside the line of the patch."""
    shown = github.render(EXAMINATION, "")

    assert f"::error file={PATCH},line=27," in shown


def test_summary_of_a_job_names_the_patch() -> None:
    """The table has the place that the text has."""
    assert f"{PATCH}:27" in github.render_summary(EXAMINATION)


def test_sarif_names_the_patch() -> None:
    """Code scanning shows the line of the patch."""
    run: Any = json.loads(sarif.render(EXAMINATION))["runs"][0]
    place = run["results"][0]["locations"][0]["physicalLocation"]

    assert place["artifactLocation"]["uri"].endswith(PATCH)
    assert place["region"] == {"startLine": 27}


def test_text_groups_findings_by_the_file_of_their_line() -> None:
    """A finding of the base does not stand between two of the patch."""
    examination = with_findings(finding(file=BASE), in_patch(27), in_patch(28))

    places = [line.partition(" ")[0] for line in text.render(examination).splitlines() if ".yaml:" in line]

    assert places == [f"{BASE}:7:", f"{PATCH}:27:", f"{PATCH}:28:"]
