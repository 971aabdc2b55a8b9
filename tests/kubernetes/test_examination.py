"""The examination: each fault is one finding, and nothing that was not checked is green."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from healthguard.kubernetes.examination import examine
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.errors import InputError
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule
from healthguard.requirements import Requirements, SecretKeyRequirement, VariableRequirement
from tests.kubernetes.conftest import UseRules
from tests.kubernetes.manifests import (
    REQUIREMENTS,
    SECRET,
    WEB,
    WORKER,
    container_rule,
    find_entry,
    find_value,
    object_rule,
    objects,
    value_rule,
)

WITH_EMPTY_SECRET_KEY = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - name: web
      env: [{name: SECRET_KEY, value: ""}]
"""
WITHOUT_SECRET_KEY = WITH_EMPTY_SECRET_KEY.replace("{name: SECRET_KEY,", "{name: PORT,").replace('""', '"80"')
WITH_UNKNOWN_SECRET = WITHOUT_SECRET_KEY.replace(
    "env:", "envFrom:\n        - secretRef: {name: s}\n        - {prefix: OLD_, secretRef: {name: s}}\n      env:"
)


def test_finding_has_the_line_of_its_node(use_rules: UseRules) -> None:
    """The lines count from the beginning of the file, and not of the document."""
    use_rules(container_rule())
    examination = examine(objects(SECRET + WEB), REQUIREMENTS)
    assert [(finding.rule, finding.line) for finding in examination.findings] == [("entry", 23)]


def test_findings_are_sorted_by_file_and_line(use_rules: UseRules) -> None:
    """The order does not depend on the order of the rules."""
    use_rules(container_rule(), value_rule(), objects=(object_rule(),))
    inputs = [*objects(WEB, "b.yaml"), *objects(SECRET, "a.yaml")]
    places = [(finding.object.file, finding.line) for finding in examine(inputs, REQUIREMENTS).findings]
    assert places == [("a.yaml", 1), ("a.yaml", 7), ("b.yaml", 1), ("b.yaml", 15)]


def test_fault_in_a_secret_of_two_containers_is_one_finding(use_rules: UseRules) -> None:
    """Both containers find the same value, with another message."""
    use_rules(value_rule())
    assert len(examine(objects(SECRET + WEB + WORKER), REQUIREMENTS).findings) == 1


def test_fault_in_two_secrets_is_two_findings(use_rules: UseRules) -> None:
    """Each Secret must be fixed."""
    use_rules(value_rule())
    secrets = SECRET + SECRET.replace("name: keys", "name: other")
    assert len(examine(objects(secrets + WEB), REQUIREMENTS).findings) == 2


def test_object_that_two_overlays_render_is_one_finding(use_rules: UseRules) -> None:
    """The file and the line are the same, although the objects are not."""
    use_rules(container_rule())
    assert len(examine([*objects(WEB), *objects(WEB)], REQUIREMENTS).findings) == 1


def test_two_faults_of_one_value_are_two_findings(use_rules: UseRules) -> None:
    """A value may have a line break and quotes, and both must be removed."""

    def find(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
        for finding in find_value(subject, rule):
            yield finding
            yield rule.finding("It has quotes.", "Fix it.", obj=finding.object, node=finding.node, variable="API_KEY")

    use_rules(Rule("value", Severity.ERROR, "A value is wrong.", find))
    assert len(examine(objects(SECRET + WEB + WORKER), REQUIREMENTS).findings) == 2


def test_object_is_examined_once_although_two_containers_use_it(use_rules: UseRules) -> None:
    """An object that no chosen container uses is not examined."""
    use_rules(objects=(object_rule(),))
    unused = SECRET.replace("name: keys", "name: unused")
    examination = examine(objects(SECRET + WEB + WORKER + unused), REQUIREMENTS)
    labels = sorted(finding.object.label for finding in examination.findings)
    assert labels == ["Deployment web", "Deployment worker", "Secret keys"]


@pytest.mark.parametrize(
    ("severity", "options", "exit_code", "shown"),
    [
        (Severity.ERROR, {}, 1, 1),
        (Severity.WARNING, {}, 0, 1),
        (Severity.WARNING, {"strict": True}, 1, 1),
        (Severity.ADVICE, {}, 0, 0),
        (Severity.ADVICE, {"advice": True}, 0, 1),
        (Severity.ADVICE, {"advice": True, "strict": True}, 0, 1),
        (Severity.UNKNOWN, {}, 0, 0),
        (Severity.UNKNOWN, {"strict": True}, 0, 0),
        (Severity.UNKNOWN, {"strict_unknown": True}, 0, 1),
        (Severity.UNKNOWN, {"strict_unknown": True, "strict": True}, 1, 1),
    ],
)
def test_severity_and_options_decide_the_exit_code(
    use_rules: UseRules, severity: Severity, options: dict[str, bool], exit_code: int, shown: int
) -> None:
    """Errors always fail, warnings only with strict, and advice never."""
    use_rules(container_rule(severity=severity))
    examination = examine(objects(WEB), REQUIREMENTS, **options)  # type: ignore[arg-type]
    assert (examination.exit_code, len(examination.findings)) == (exit_code, shown)


def test_hidden_findings_are_counted(use_rules: UseRules) -> None:
    """Facts that the inputs do not determine are visible, at least as a number."""
    use_rules(container_rule("advised", Severity.ADVICE), container_rule("unknowable", Severity.UNKNOWN))
    counts = examine(objects(WEB), REQUIREMENTS).counts
    assert (counts.advice, counts.unknown) == (1, 1)


def test_counts_state_what_was_examined(use_rules: UseRules) -> None:
    """The numbers make a green result believable."""
    use_rules()
    examination = examine([*objects(SECRET, "a.yaml"), *objects(WEB, "b.yaml")], REQUIREMENTS)
    counts = examination.counts
    assert (counts.files, counts.objects, counts.workloads) == (2, 2, 1)
    assert examination.containers == ("Deployment web, container web",)
    assert examination.exit_code == 0


@pytest.mark.parametrize("text", ["", SECRET, WEB.replace("API_KEY", "OTHER")])
def test_nothing_chosen_is_never_green(use_rules: UseRules, text: str) -> None:
    """Without a container, nothing was checked."""
    use_rules()
    examination = examine(objects(text), REQUIREMENTS)
    assert examination.exit_code == 1
    assert examination.nothing_chosen


def test_named_container_is_chosen(use_rules: UseRules) -> None:
    """It is chosen although it has no required variable."""
    use_rules()
    examination = examine(objects(WEB.replace("API_KEY", "OTHER")), REQUIREMENTS, containers=["web"])
    assert examination.containers == ("Deployment web, container web",)


def test_unreadable_input_is_never_green(use_rules: UseRules) -> None:
    """The rest is examined nevertheless."""
    use_rules(container_rule())
    error = InputError("a.yaml", 3, "It is not YAML.", "Fix it.")
    examination = examine(objects(WEB), REQUIREMENTS, errors=[error])
    assert examination.exit_code == 2
    assert len(examination.findings) == 1


@pytest.mark.parametrize(("is_strict", "exit_code"), [(False, 0), (True, 1)])
def test_input_that_was_left_out_is_like_a_warning(use_rules: UseRules, is_strict: bool, exit_code: int) -> None:
    """A Helm chart in a folder cannot be read, and may not concern the application."""
    use_rules()
    unread = [InputError("chart", None, "It is a Helm chart.", "Render it.")]
    assert examine(objects(WEB), REQUIREMENTS, unread=unread, strict=is_strict).exit_code == exit_code


def broken(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding, then fail as a rule with a bug, with a value in the text of the exception."""
    yield from find_entry(subject, rule)
    raise KeyError("s3cr3t-v4lue")


def test_rule_with_a_bug_is_named_and_loses_no_finding(use_rules: UseRules) -> None:
    """The findings before the exception, and those of the other rules, are reported."""
    use_rules(Rule("broken", Severity.ERROR, "Broken.", broken), container_rule())
    examination = examine(objects(SECRET + WEB), REQUIREMENTS)
    assert [finding.rule for finding in examination.findings] == ["broken", "entry"]
    assert [failure.rule for failure in examination.failures] == ["broken"]
    assert "The rule broken raised KeyError at test_examination.py:" in examination.failures[0].message
    assert "s3cr3t" not in repr(examination.failures)
    assert examination.exit_code == 2


def test_bug_that_occurs_for_each_container_is_reported_once(use_rules: UseRules) -> None:
    """A thousand equal failures would hide the findings."""
    use_rules(Rule("broken", Severity.ERROR, "Broken.", broken))
    assert len(examine(objects(WEB + WORKER), REQUIREMENTS).failures) == 1


def test_flaw_that_two_checks_find_is_one_finding() -> None:
    """A declaration often requires a variable twice: SecretKey states its length, EnvironmentVariable only its name."""
    requirements = Requirements((VariableRequirement(("SECRET_KEY",)), SecretKeyRequirement(("SECRET_KEY",))))
    examination = examine(objects(WITH_EMPTY_SECRET_KEY), requirements)
    assert [finding.rule for finding in examination.findings] == ["secret-key-empty"]
    assert examination.variables == (("SECRET_KEY",),)


def test_variable_that_two_checks_require_is_missing_once() -> None:
    """A fault is one finding, however many checks would report it."""
    names = ("SECRET_KEY",), ("SECRET_KEY",), ("PORT",)
    requirements = Requirements(tuple(VariableRequirement(name) for name in names))
    examination = examine(objects(WITHOUT_SECRET_KEY), requirements, strict_unknown=True)
    assert [(finding.rule, finding.variable) for finding in examination.findings] == [
        ("variable-missing", "SECRET_KEY")
    ]


def test_object_outside_the_inputs_is_listed_once_per_container() -> None:
    """A Secret with ten keys is one fact, and not ten."""
    requirements = Requirements((VariableRequirement(("PORT",)),))
    examination = examine(objects(WITH_UNKNOWN_SECRET), requirements, strict_unknown=True)
    assert [finding.rule for finding in examination.findings] == ["reference-unknown"]


def test_unreadable_inputs_are_the_reason_why_nothing_was_checked() -> None:
    """The advice to pass further manifests would distract from the error."""
    error = InputError("deploy", None, "The folder cannot be rendered.", "Install kubectl.")
    examination = examine([], REQUIREMENTS, errors=[error])
    assert examination.nothing_chosen == "No input could be read, so no container was checked."
