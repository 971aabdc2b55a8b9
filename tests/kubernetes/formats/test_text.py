"""The text format: clickable, aligned, and clear about what was checked."""

from __future__ import annotations

import dataclasses

from healthguard.kubernetes.findings import Severity
from healthguard.kubernetes.formats.text import render
from healthguard.runtime.terminal import Terminal
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

SUMMARY = """\
Checked 1 container for 2 required variables, in 3 objects of 2 files.
  Containers: Deployment web, container web
  Required:   API_KEY or OLD_API_KEY, DATABASE_URL
"""


def test_green_states_what_was_checked() -> None:
    """A green result is believable only with the names."""
    assert render(EMPTY) == f"{SUMMARY}No faults found.\n"


def test_finding_has_its_place_the_fact_and_the_remedy() -> None:
    """The place is first, because terminals and editors make it a link."""
    assert render(FAULTY) == (
        "deploy/web app/ä:b,c.yaml:7: error:   API_KEY is not set. [variable-missing]\n"
        "    Deployment web, container web\n"
        "    Fix: Add it to env.\n"
        "\n"
        f"{SUMMARY}1 error.\n"
    )


def test_findings_are_grouped_by_file_and_the_worst_is_first() -> None:
    """A file with an error comes before a file with a warning."""
    text = render(
        with_findings(
            finding(Severity.WARNING, file="a.yaml", line=1),
            finding(Severity.WARNING, file="b.yaml", line=5),
            finding(Severity.ERROR, file="b.yaml", line=120),
        )
    )
    places = [line.split()[0] for line in text.splitlines() if ".yaml:" in line]
    assert places == ["b.yaml:120:", "b.yaml:5:", "a.yaml:1:"]


def test_columns_of_a_file_are_aligned() -> None:
    """The eye finds the next message in the same column."""
    text = render(with_findings(finding(line=5), finding(Severity.WARNING, line=1200)))
    columns = {line.index("API_KEY is") for line in text.splitlines() if "API_KEY is" in line}
    assert len(columns) == 1


def test_colors_are_used_only_on_a_terminal() -> None:
    """A pipe receives plain text."""
    assert "\x1b[" not in render(FAULTY)
    assert "\x1b[31m✗ error:" in render(FAULTY, Terminal(is_colored=True))


def test_text_without_colors_is_the_same_with_colors() -> None:
    """Colors take no space, so that wrapped lines are not too short."""
    message = "This is a long message. " * 10
    colored = render(with_findings(finding(message=message)), Terminal(is_colored=True, width=60))
    lines = [line for line in colored.splitlines() if "long" in line]
    assert len(lines) > 3
    assert all(len(line) <= 60 for line in lines[1:])
    assert all(line.startswith("    ") for line in lines[1:])


def test_nothing_chosen_is_said_first() -> None:
    """The reason is above everything else, and the verdict repeats the fact."""
    lines = render(BLIND).splitlines()
    assert lines[0] == "healthguard: error:   Nothing was checked. No input contains a workload."
    assert lines[-1] == "Nothing was checked."


def test_unreadable_input_has_its_line_and_remedy() -> None:
    """The verdict counts it, so that the end of the output is not green."""
    lines = render(UNREADABLE).splitlines()
    assert lines[:2] == ["deploy/x.yaml:12: error:   It is not YAML.", "    Fix: Fix it."]
    assert lines[-1] == "1 unreadable input."


def test_input_that_was_left_out_is_shown() -> None:
    """A result must not seem to cover it."""
    lines = render(UNREAD).splitlines()
    assert lines[:2] == ["chart: warning: It is a Helm chart.", "    Fix: Render it."]
    assert lines[-1] == "1 input not read."


def test_object_from_a_template_of_helm_names_the_template() -> None:
    """The line is that of the stream, in which nobody can change anything."""
    found = finding(file="<stdin>")
    rendered = dataclasses.replace(found, object=dataclasses.replace(found.object, template="shop/templates/a.yaml"))
    assert "    Deployment web, container web, from shop/templates/a.yaml" in render(with_findings(rendered))


def test_failed_rule_is_named() -> None:
    """The user must know what was not checked."""
    lines = render(BUGGY).splitlines()
    assert lines[0] == "healthguard: error:   The rule probe-path raised KeyError."
    assert lines[-1] == "1 failed rule."


def test_what_is_unknown_is_counted_although_it_is_not_listed() -> None:
    """A result must not seem to cover it."""
    counts = dataclasses.replace(EMPTY.counts, unknown=2, silenced=1)
    text = render(dataclasses.replace(EMPTY, counts=counts))
    assert "Not checked: 2 facts depend on what the inputs do not contain. List with --strict-unknown." in text
    assert "Silenced:    1 finding by healthguard.io/ignore." in text


def test_texts_from_files_cannot_control_the_terminal() -> None:
    """Names in a manifest may contain anything."""
    text = render(with_findings(finding(message=NASTY, file=f"a{NASTY}", rule=NASTY, container=NASTY)))
    assert "\x1b" not in text
    assert "\r" not in text
    assert not any(line.startswith("::") for line in text.splitlines())


def test_long_lists_are_cut() -> None:
    """A hundred containers would hide the verdict."""
    text = render(dataclasses.replace(EMPTY, containers=tuple(f"Deployment d{i}" for i in range(100))))
    assert "Deployment d7; and 92 more" in text
