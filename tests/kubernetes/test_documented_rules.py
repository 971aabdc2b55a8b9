"""Each rule has a section in docs/kubernetes-rules.md, whose examples are what the product finds."""

from __future__ import annotations

import re

import pytest

from healthguard.kubernetes.catalog import load_rules, summaries
from healthguard.kubernetes.findings import Severity
from healthguard.secret_values.values import ValueFault
from healthguard.status import Code
from tests.kubernetes.documented_rules import PAGE, Section, sections
from tests.support.sites import REPOSITORY

load_rules()
SECTIONS = sections()
EXAMPLES = pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.rule)
JUDGED = [REPOSITORY / "healthguard" / "providers" / "key_value.py"]
JUDGED += (REPOSITORY / "healthguard" / "requirements").glob("*.py")
"""The modules that judge values."""
ONLY_AT_RUN_TIME = {"variable-missing"}
"""The code of a problem that a rule of its own reports in a manifest."""


def codes_of_values() -> set[str]:
    """Return the ids that a finding about a value may have: the codes of the problems of values, with dashes."""
    source = "".join(path.read_text() for path in JUDGED)
    codes = {Code[name] for name in re.findall(r"\bCode\.([A-Z_]+)", source)}
    codes |= {Code(f"{prefix}_{kind}") for prefix in ("variable", "secret_key") for kind in ValueFault}
    return {code.replace("_", "-") for code in codes} - ONLY_AT_RUN_TIME


def ids_of(section: Section) -> set[str]:
    """Return the ids of the findings that the section describes."""
    return codes_of_values() if section.rule == "value-invalid" else {section.rule}


def test_each_rule_has_a_section_with_its_severity() -> None:
    documented = {section.rule: section.severity for section in SECTIONS}
    assert documented == {summary.id: summary.severity for summary in summaries()}
    assert len(documented) == len(SECTIONS)


def test_each_problem_of_a_value_is_documented() -> None:
    """The section of value-invalid lists the ids, because each is the code of a problem."""
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| (?:error|warning)", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(codes_of_values())


@EXAMPLES
def test_broken_example_has_a_finding_of_its_rule(section: Section) -> None:
    examination = section.examine("broken")
    assert examination.containers != ()
    found = [finding for finding in examination.findings if finding.rule in ids_of(section)]
    assert [finding.severity for finding in found[:1]] == [section.severity], examination.findings


@EXAMPLES
def test_sound_example_has_no_finding(section: Section) -> None:
    """Not even advice of its rule."""
    examination = section.examine("sound")
    assert examination.containers != ()
    shown = {Severity.ERROR, Severity.WARNING}
    found = [each for each in examination.findings if each.severity in shown or each.rule in ids_of(section)]
    assert found == []
