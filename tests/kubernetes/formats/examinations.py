"""Examinations to render."""

from __future__ import annotations

import dataclasses

from healthguard.kubernetes.application import RuleFailure
from healthguard.kubernetes.examination import Counts, Examination, Policy
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.errors import InputError
from tests.kubernetes.manifests import WEB, objects

NASTY = "100% \r\n::error::x, y: \x1b[31m<b>|` [link](1)"
"""A text from a file that tries to break out of each format."""
FILE = "deploy/web app/ä:b,c.yaml"


def finding(
    severity: Severity = Severity.ERROR,
    *,
    file: str = FILE,
    line: int = 7,
    rule: str = "variable-missing",
    message: str = "API_KEY is not set.",
    container: str = "web",
) -> Finding:
    """Return a finding in a Deployment."""
    obj = objects(WEB, file)[0]
    return Finding(rule, severity, message, "Add it to env.", obj, obj.node, line, container, "API_KEY")


EMPTY = Examination(
    findings=(),
    counts=Counts(files=2, objects=3, workloads=1),
    containers=("Deployment web, container web",),
    variables=(("API_KEY", "OLD_API_KEY"), ("DATABASE_URL",)),
)
"""An examination without findings."""
FAULTY = dataclasses.replace(EMPTY, findings=(finding(),))
BLIND = dataclasses.replace(EMPTY, containers=(), nothing_chosen="No input contains a workload.")
"""An examination in which no container was chosen."""
UNREADABLE = dataclasses.replace(EMPTY, errors=(InputError("deploy/x.yaml", 12, "It is not YAML.", "Fix it."),))
UNREAD = dataclasses.replace(EMPTY, unread=(InputError("chart", None, "It is a Helm chart.", "Render it."),))
BUGGY = dataclasses.replace(EMPTY, failures=(RuleFailure("probe-path", "The rule probe-path raised KeyError."),))


def strict(examination: Examination) -> Examination:
    """Return the examination, in which warnings make the command fail."""
    return dataclasses.replace(examination, policy=Policy(is_strict=True))


def with_findings(*findings: Finding) -> Examination:
    """Return an examination with these findings."""
    return dataclasses.replace(EMPTY, findings=findings)
