"""The examination of manifests: the rules are applied, and their findings silenced, sorted and counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from healthguard.kubernetes.application import Application, RuleFailure
from healthguard.kubernetes.catalog import known_ids, load_rules
from healthguard.kubernetes.duplicates import distinct
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.ignores import Ignores
from healthguard.kubernetes.reading.errors import InputError
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.redaction import redact, redact_finding
from healthguard.kubernetes.selection import choose
from healthguard.kubernetes.workloads import Container, workloads_of
from healthguard.requirements.requirement import Requirements

SOUND, FAULTY, UNREADABLE = 0, 1, 2
"""The exit codes: nothing to report; faults, or nothing chosen; an input or a rule that could not be used."""

_NOTHING_READ = "No input could be read, so no container was checked."


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """The findings that are shown, and those that make the command fail.

    Args:
        is_strict: True to fail because of warnings, and of what is unknown if that is shown.
        is_unknown_shown: True to show what the inputs do not determine.
        is_advice_shown: True to show advice.
    """

    is_strict: bool = False
    is_unknown_shown: bool = False
    is_advice_shown: bool = False

    def shows(self, severity: Severity) -> bool:
        """Return True if findings of this severity are shown."""
        return {Severity.UNKNOWN: self.is_unknown_shown, Severity.ADVICE: self.is_advice_shown}.get(severity, True)

    def rejects(self, severity: Severity) -> bool:
        """Return True if a finding of this severity makes the command fail. Advice never does."""
        if severity is Severity.ERROR:
            return True
        return self.is_strict and self.shows(severity) and severity is not Severity.ADVICE


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """The numbers that show what was examined.

    Args:
        files: the files with at least one object.
        objects: the objects.
        workloads: the objects with a pod template.
        silenced: the findings that annotations silenced.
        unknown: the findings about what the inputs do not determine, also those that are not shown.
        advice: the findings that are advice, also those that are not shown.
    """

    files: int
    objects: int
    workloads: int
    silenced: int = 0
    unknown: int = 0
    advice: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Examination:
    """The result of an examination.

    Args:
        findings: the findings to show, sorted by file and line.
        counts: what was examined.
        containers: the chosen containers, for people.
        variables: the required variables, without repetitions; of the names in one tuple, one is needed.
        policy: the findings that make the command fail.
        nothing_chosen: the reason why no container was chosen; an empty string if one was.
        errors: the inputs that could not be read.
        failures: the rules that raised an exception.
        unread: what was left out of the inputs although it may contain manifests, such as a Helm chart in a folder.
    """

    findings: tuple[Finding, ...]
    counts: Counts
    containers: tuple[str, ...]
    variables: tuple[tuple[str, ...], ...]
    policy: Policy = Policy()
    nothing_chosen: str = ""
    errors: tuple[InputError, ...] = ()
    failures: tuple[RuleFailure, ...] = ()
    unread: tuple[InputError, ...] = ()

    @property
    def exit_code(self) -> int:
        """The exit code of the command. What was not checked is never 0."""
        if self.errors or self.failures:
            return UNREADABLE
        is_faulty = (self.unread and self.policy.is_strict) or any(
            self.policy.rejects(finding.severity) for finding in self.findings
        )
        return FAULTY if is_faulty or not self.containers else SOUND

    def count(self, severity: Severity) -> int:
        """Return the number of shown findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)


def examine(
    objects: Iterable[KubernetesObject],
    requirements: Requirements,
    *,
    containers: Sequence[str] = (),
    strict: bool = False,
    strict_unknown: bool = False,
    advice: bool = False,
    errors: Sequence[InputError] = (),
    unread: Sequence[InputError] = (),
) -> Examination:
    """Apply the rules to objects, and return what they find.

    Args:
        objects: the objects of the inputs.
        requirements: the requirements of the declaration.
        containers: the names of the containers to choose; empty to choose those that bring a required variable.
        strict: True to fail because of warnings.
        strict_unknown: True to show what the inputs do not determine.
        advice: True to show advice.
        errors: the inputs that could not be read. What the others contain is examined nevertheless.
        unread: what was left out of the inputs, although it may contain manifests. It is like a warning.
    """
    load_rules()
    policy = Policy(strict, strict_unknown, advice)
    cluster = Cluster(objects)
    selection = choose(cluster, requirements, containers)
    chosen = tuple(selection.containers)
    application = Application(cluster, requirements)
    application.apply(chosen)
    ignores = Ignores(cluster, known_ids())
    found = [*distinct(ignores.kept(application.hits)), *ignores.faults]
    if not application.failures:
        found += ignores.unmatched(application.objects, _not_chosen(application.objects, chosen))
    found.sort(key=lambda finding: (finding.file, finding.line, finding.rule))
    return Examination(
        tuple(redact_finding(finding) for finding in found if policy.shows(finding.severity)),
        _counts(cluster, found, ignores.silenced),
        tuple(container.label for container in chosen),
        tuple(dict.fromkeys(requirement.names for requirement in requirements.variables)),
        policy,
        "" if chosen else redact(selection.explanation) if cluster.objects or not errors else _NOTHING_READ,
        tuple(errors),
        application.failures,
        tuple(unread),
    )


def _counts(cluster: Cluster, found: Sequence[Finding], silenced: int) -> Counts:
    return Counts(
        files=len({obj.file for obj in cluster.objects}),
        objects=len(cluster.objects),
        workloads=sum(bool(workloads_of(obj)) for obj in cluster.objects),
        silenced=silenced,
        unknown=sum(finding.severity is Severity.UNKNOWN for finding in found),
        advice=sum(finding.severity is Severity.ADVICE for finding in found),
    )


def _not_chosen(objects: Iterable[KubernetesObject], chosen: Iterable[Container]) -> frozenset[str]:
    """Return the names of the containers in these objects that were not chosen."""
    names = {each.name for obj in objects for workload in workloads_of(obj) for each in workload.containers()}
    return frozenset(names - {container.name for container in chosen})
