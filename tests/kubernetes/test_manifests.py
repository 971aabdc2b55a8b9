"""Manifests that were written without knowledge of the checker: each fault is found where it is, and nothing else."""

from __future__ import annotations

import shutil

import pytest

from tests.kubernetes.case_folders import Case, cases

CASES = cases()
PAIRS = [case for case in CASES if case.is_pair]


def _prepared(case: Case) -> Case:
    if case.needs_kustomize and not (shutil.which("kubectl") or shutil.which("kustomize")):
        pytest.skip("neither kubectl nor kustomize is installed")
    return case


def test_there_are_at_least_80_pairs() -> None:
    assert len(PAIRS) >= 80


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_sound_manifest_has_no_finding(case: Case) -> None:
    examination = _prepared(case).examine("sound")
    assert [(finding.rule, finding.message) for finding in examination.findings] == []
    assert (examination.errors, examination.failures, examination.exit_code) == ((), (), 0)


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case.id)
def test_fault_is_found_on_its_line_with_its_severity(case: Case) -> None:
    _, severity = case.expected()
    examination = _prepared(case).examine("broken")
    found = {(case.place_of(finding), finding.severity.value) for finding in examination.findings}
    assert found & {(place, severity) for place in case.places()}, found
    assert examination.exit_code == 1
