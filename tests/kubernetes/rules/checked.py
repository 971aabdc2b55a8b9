"""The application of all rules to manifests, and pairs of a broken manifest and its sound twin."""

from __future__ import annotations

import dataclasses

from healthguard.kubernetes.catalog import load_rules
from healthguard.kubernetes.environment.resolution import resolve
from healthguard.kubernetes.environment.sources import used_sources
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.objects import KubernetesObject
from healthguard.kubernetes.rules.rule import CONTAINER_RULES, OBJECT_RULES, ContainerSubject, ObjectSubject
from healthguard.kubernetes.selection import choose
from healthguard.kubernetes.serving import ServingContainers
from healthguard.requirements.requirement import Requirements
from tests.kubernetes.environment.manifests import cluster_of
from tests.kubernetes.rules.requirement_doubles import Need

load_rules()

REQUIREMENTS = Requirements(
    (
        Need(("API_KEY", "API_TOKEN"), pattern=r"k-\w{8,}", code="key_format", declared_by="ai.demo: AIProviderKey"),
        Need(("DATABASE_URL",), pattern=r"\S+://\S+", is_for_jobs=True),
        Need(("SECRET_KEY",), pattern=r"[^\s'\"]{16,}", code="secret_key_too_short", is_for_jobs=True),
    )
)


def check(*texts: str) -> list[Finding]:
    """Return the findings of all rules in manifests that are errors or warnings."""
    return [each for each in check_all(*texts) if each.severity in (Severity.ERROR, Severity.WARNING)]


def check_all(*texts: str, requirements: Requirements = REQUIREMENTS) -> list[Finding]:
    """Return the findings of all rules in manifests."""
    cluster = cluster_of(*texts)
    chosen = [(each, resolve(each, cluster)) for each in choose(cluster, requirements, ()).containers]
    assert chosen
    findings: list[Finding] = []
    objects: dict[int, KubernetesObject] = {}
    for container, environment in chosen:
        subject = ContainerSubject(container, environment, cluster, requirements, ServingContainers(chosen))
        used = [content.object for source in used_sources(container, cluster) for content in source.contents]
        objects |= {id(obj): obj for obj in (container.workload.object, *used)}
        for rule in CONTAINER_RULES:
            findings += rule.find(subject, rule)
    for obj in objects.values():
        for object_rule in OBJECT_RULES:
            findings += object_rule.find(ObjectSubject(obj, cluster), object_rule)
    return findings


def places(findings: list[Finding]) -> set[tuple[str, str, int]]:
    """Return the rule, the file and the line of each finding."""
    return {(each.rule, each.object.file, each.line) for each in findings}


@dataclasses.dataclass(frozen=True)
class Fault:
    """A broken manifest with one fault, and its sound twin.

    Args:
        rule: the rule that finds the fault.
        severity: the severity of the finding.
        texts: the manifests. ``§`` stands for the fault.
        broken: the text with the fault. The finding is on the line that ends with ``#!``.
        sound: the text in the sound twin.
    """

    rule: str
    severity: Severity
    texts: tuple[str, ...]
    broken: str
    sound: str

    def with_fault(self) -> tuple[str, ...]:
        return tuple(text.replace("§", self.broken) for text in self.texts)

    def without_fault(self) -> tuple[str, ...]:
        return tuple(text.replace("§", self.sound) for text in self.texts)

    def expected(self) -> set[tuple[str, str, int]]:
        return {
            (self.rule, f"{file}.yaml", number)
            for file, text in enumerate(self.with_fault())
            for number, line in enumerate(text.splitlines(), 1)
            if line.endswith("#!")
        }


DATABASE = "{name: DATABASE_URL, value: 'postgres://u:p@db/shop'}"
SECRET_KEY = "{name: SECRET_KEY, value: jkh34kjhKJH34kjh2kjh}"
API_KEY = "{name: API_KEY, value: k-abcdefgh}"


def assert_found(fault: Fault) -> None:
    """Assert that the rule reports the fault, and no other rule reports anything, on the marked line."""
    findings = check(*fault.with_fault())
    assert {each.severity for each in findings} == {fault.severity}
    assert places(findings) == fault.expected()


def assert_sound_twin(fault: Fault) -> None:
    """Assert that without the fault no rule reports anything."""
    assert places(check(*fault.without_fault())) == set()


def deployment(env: str, *, more: str = "", pod: str = "", name: str = "shop", image: str = "shop:1") -> str:
    """Return a Deployment whose container has these lines in its env."""
    lines = [
        "apiVersion: apps/v1",
        "kind: Deployment",
        f"metadata: {{name: {name}}}",
        "spec:",
        "  selector: {matchLabels: {app: shop}}",
        "  template:",
        "    metadata: {labels: {app: shop}}",
        "    spec:",
        *(f"      {line}" for line in pod.splitlines()),
        "      containers:",
        "      - name: web",
        f"        image: {image}",
        *(f"        {line}" for line in more.splitlines()),
        *(["        env:"] if env else []),
        *(f"        {line}" for line in env.splitlines()),
    ]
    return "\n".join(lines) + "\n"


def job(env: str, *, command: str = "[python, manage.py, migrate]", image: str = "shop:1") -> str:
    lines = [
        "apiVersion: batch/v1",
        "kind: Job",
        "metadata: {name: migrate}",
        "spec:",
        "  template:",
        "    spec:",
        "      restartPolicy: Never",
        "      containers:",
        "      - name: migrate",
        f"        image: {image}",
        f"        command: {command}",
        *(["        env:"] if env else []),
        *(f"        {line}" for line in env.splitlines()),
    ]
    return "\n".join(lines) + "\n"


def entries(*lines: str) -> str:
    """Return a list of entries, one a line."""
    return "\n".join(f"- {line}" for line in lines)


def secret(fields: str, *, name: str = "s", kind: str = "Secret", namespace: str = "") -> str:
    stated = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}{stated}}}\n{fields}\n"


def from_secret(variable: str, key: str, *, name: str = "s", more: str = "") -> str:
    return f"{{name: {variable}, valueFrom: {{secretKeyRef: {{name: {name}, key: {key}{more}}}}}}}"
