"""Annotations that silence findings, and the findings about such annotations."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.examination import Examination, examine
from tests.kubernetes.conftest import UseRules
from tests.kubernetes.manifests import (
    REQUIREMENTS,
    SECRET,
    WEB,
    WORKER,
    annotated,
    container_rule,
    object_rule,
    objects,
    value_rule,
)


def found(examination: Examination) -> list[tuple[str, int]]:
    return [(finding.rule, finding.line) for finding in examination.findings]


def test_annotation_of_the_object_silences(use_rules: UseRules) -> None:
    """A silenced finding is counted."""
    use_rules(container_rule())
    examination = examine(objects(annotated(WEB, "entry: it is a test")), REQUIREMENTS, strict=True)
    assert found(examination) == []
    assert examination.counts.silenced == 1
    assert examination.exit_code == 0


def test_annotation_of_the_pod_template_silences(use_rules: UseRules) -> None:
    """Both places are common for annotations of linters."""
    use_rules(container_rule())
    text = WEB.replace("      annotations: {}", "      annotations: {healthguard.io/ignore: 'entry: a test'}")
    assert text != WEB
    assert found(examine(objects(text), REQUIREMENTS)) == []


def test_annotation_of_a_secret_silences_what_is_found_in_it(use_rules: UseRules) -> None:
    """The finding is at a value of the Secret, although the rule was applied to a container."""
    use_rules(value_rule())
    assert found(examine(objects(annotated(SECRET, "value: a test") + WEB), REQUIREMENTS)) == []


def test_annotation_of_a_workload_silences_what_its_containers_find_elsewhere(use_rules: UseRules) -> None:
    """The finding is at a value of a Secret that the container uses."""
    use_rules(value_rule())
    assert found(examine(objects(SECRET + annotated(WEB, "value: a test")), REQUIREMENTS)) == []


def test_annotation_of_one_workload_does_not_silence_another(use_rules: UseRules) -> None:
    """The Secret has the fault for the other workload, too."""
    use_rules(value_rule())
    examination = examine(objects(SECRET + annotated(WEB, "value: a test") + WORKER), REQUIREMENTS)
    assert found(examination) == [("value", 7)]


@pytest.mark.parametrize("entry", ["object: a test; entry: a test", "object: a test\nentry: a test"])
def test_annotation_has_several_entries(use_rules: UseRules, entry: str) -> None:
    """Entries are separated by line breaks or semicolons."""
    use_rules(container_rule(), objects=(object_rule(),))
    text = annotated(WEB, "X").replace("'X'", '"' + entry.replace("\n", "\\n") + '"')
    assert found(examine(objects(text), REQUIREMENTS)) == []


def test_reason_may_contain_separators(use_rules: UseRules) -> None:
    """A part that does not begin with an id continues the reason."""
    use_rules(container_rule())
    text = annotated(WEB, "entry: see https://example.com/1; agreed on Monday; later")
    assert found(examine(objects(text), REQUIREMENTS)) == []


@pytest.mark.parametrize("name", ["web", "API_KEY"])
def test_entry_may_be_about_a_container_or_a_variable(use_rules: UseRules, name: str) -> None:
    """A new fault of the same rule elsewhere is not hidden."""
    use_rules(container_rule())
    assert found(examine(objects(annotated(WEB, f"entry@{name}: a test")), REQUIREMENTS)) == []


def test_entry_about_another_name_silences_nothing(use_rules: UseRules) -> None:
    """It is reported as unmatched."""
    use_rules(container_rule())
    examination = examine(objects(annotated(WEB, "entry@OTHER: a test")), REQUIREMENTS)
    assert found(examination) == [("ignore-unmatched", 6), ("entry", 16)]


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("entry", "ignore-invalid"),
        ("entry:", "ignore-invalid"),
        ("entry: ", "ignore-invalid"),
        (": a reason", "ignore-invalid"),
        ("the entry is fine", "ignore-invalid"),
        ("entri: a reason", "ignore-unknown-rule"),
        ("Entry: a reason", "ignore-unknown-rule"),
    ],
)
def test_invalid_entry_is_reported_and_silences_nothing(use_rules: UseRules, entry: str, rule: str) -> None:
    """The report has the line of the annotation."""
    use_rules(container_rule())
    examination = examine(objects(annotated(WEB, entry)), REQUIREMENTS)
    assert found(examination) == [(rule, 6), ("entry", 16)]


def test_annotation_that_is_not_a_text_is_reported(use_rules: UseRules) -> None:
    """The API server refuses it, too."""
    use_rules()
    text = WEB.replace("  annotations: {}", "  annotations: {healthguard.io/ignore: true}", 1)
    assert found(examine(objects(text), REQUIREMENTS)) == [("ignore-invalid", 5)]


def test_unknown_rule_is_reported_with_the_nearest_one(use_rules: UseRules) -> None:
    """A misspelled id is the usual mistake."""
    use_rules(container_rule("probe-path"))
    finding = examine(objects(annotated(WEB, "prob-path: a reason")), REQUIREMENTS).findings[0]
    assert finding.remedy == 'Write "probe-path" instead.'


def test_valid_entry_without_a_finding_is_unmatched(use_rules: UseRules) -> None:
    """The rule exists, but finds nothing here."""
    use_rules(value_rule())
    examination = examine(objects(annotated(WEB, "value: a test")), REQUIREMENTS, strict=True)
    assert found(examination) == [("ignore-unmatched", 6)]
    assert examination.exit_code == 1


def test_object_that_was_not_examined_has_no_unmatched_entry(use_rules: UseRules) -> None:
    """Another call, with other containers, may need the entry."""
    use_rules(container_rule())
    unused = annotated(SECRET, "entry: a test").replace("name: keys", "name: unused")
    examination = examine(objects(WEB + unused), REQUIREMENTS)
    assert found(examination) == [("entry", 15)]


def test_entry_about_a_container_that_was_not_chosen_is_not_unmatched(use_rules: UseRules) -> None:
    """Another call, with that container, may need the entry."""
    use_rules(value_rule())
    sidecar = "      containers:\n        - name: proxy\n          image: proxy\n"
    text = annotated(WEB, "value@proxy: a test").replace("      containers:\n", sidecar)
    assert found(examine(objects(text), REQUIREMENTS)) == []


def test_problem_code_with_dashes_is_a_known_rule(use_rules: UseRules) -> None:
    """A requirement reports its problems under such ids."""
    use_rules(value_rule())
    examination = examine(objects(annotated(WEB, "variable-too-short: a test")), REQUIREMENTS)
    assert found(examination) == [("ignore-unmatched", 6)]
