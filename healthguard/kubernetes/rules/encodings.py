"""Rules on values that were encoded once too often, or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from healthguard.kubernetes.environment.encoding import decoded, decoded_text, encoded_text
from healthguard.kubernetes.environment.variables import Presence, Variable
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.rules.needs import needs_of
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.requirements.requirement import Requirement

_LONG_ENOUGH = 12
"""The length from which a printable text is hardly ever the result of decoding random bytes (characters)."""
_ENCODED_NAME = re.compile(r"(^|_)(B64|BASE64|ENCODED)(_|$)", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+(?:[-_ ]?[a-z]+)*\d{0,4}")
_LINE_BREAKS = dict.fromkeys(map(ord, "\r\n\t"))
_TEXT = re.compile(r"[\w./:@+=%-]+")


@container_rule("secret-not-encoded", Severity.ERROR, "A value under data of a Secret is plain text.")
def find_plain_text(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the required variables whose plain text the API server decodes, as it also happens to be base64."""
    for variable in _required_variables(subject, is_plain_text):
        yield _finding(
            rule,
            subject,
            variable,
            f"{variable.name} is plain text under data of a Secret. It happens to be valid base64, so the "
            "container gets other bytes.",
            "Encode the value with base64, or move it to stringData.",
        )


@container_rule("secret-encoded-twice", Severity.ERROR, "A value of a Secret is still base64 after it is decoded.")
def find_encoded_twice(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the required variables that the container gets as base64 of a text."""
    for variable in _required_variables(subject, is_encoded_twice):
        yield _finding(
            rule,
            subject,
            variable,
            f"{variable.name} is still base64-encoded when the container gets it.",
            "Encode the value once less. Values under data are base64-encoded once; values under stringData, in a "
            "ConfigMap and in env are not encoded.",
        )


@container_rule("secret-not-utf8", Severity.ERROR, "A variable comes from bytes that are not UTF-8.")
def find_not_utf8(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the variables for which the kubelet refuses to create the container, since Kubernetes 1.34."""
    required = {need.variable.name: need for need in needs_of(subject) if need.variable is not None}
    for variable in subject.environment.variables.values():
        text = encoded_text(variable)
        if text is None or variable.value is not None or variable.presence is not Presence.PRESENT:
            continue
        content, need = decoded(text), required.get(variable.name)
        if content is None or not _is_binary(content) or (need and is_plain_text(need.requirement, variable)):
            continue
        yield _finding(
            rule,
            subject,
            variable,
            f"{variable.name} comes from bytes that are not UTF-8, so the container is not created "
            "(since Kubernetes 1.34).",
            "Encode the text of the value with base64. If the key is meant to be a file, mount it as a volume and do "
            "not use envFrom for this Secret.",
        )


def is_plain_text(requirement: Requirement, variable: Variable) -> bool:
    """Return True if the base64 text of a Secret is the value itself, which was not encoded."""
    text = encoded_text(variable)
    if not text or decoded(text) is None:
        return False
    content = decoded_text(text)
    if content is not None and variable.value is None:
        return False
    if content is not None and requirement.judge(variable.name, content) is None and _TEXT.fullmatch(content):
        return False
    if content is None or not content.translate(_LINE_BREAKS).isprintable():
        return _WORD.fullmatch(text) is not None or requirement.judge(variable.name, text) is None
    return _WORD.fullmatch(text) is not None


def is_encoded_twice(requirement: Requirement, variable: Variable) -> bool:
    """Return True if a value is base64 of a printable text, and not of random bytes as a key would be."""
    value = variable.value
    if not value or _ENCODED_NAME.search(variable.name):
        return False
    inner = (decoded_text(value.strip()) or "").strip()
    if len(inner) < _LONG_ENOUGH or not inner.isascii() or not inner.isprintable() or _is_passed_encoded(inner):
        return False
    return requirement.judge(variable.name, value) is not None or requirement.judge(variable.name, inner) is None


def _required_variables(
    subject: ContainerSubject, is_faulty: Callable[[Requirement, Variable], bool]
) -> Iterator[Variable]:
    """Yield the required variables with a fault."""
    for need in needs_of(subject):
        if need.variable is not None and is_faulty(need.requirement, need.variable):
            yield need.variable


def _is_passed_encoded(text: str) -> bool:
    """Return True for texts that applications expect in base64: JSON, and the user and password of basic auth."""
    return text[0] in "{[" or (":" in text and "://" not in text)


def _is_binary(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return True
    return False


def _finding(
    rule: Rule[ContainerSubject], subject: ContainerSubject, variable: Variable, message: str, remedy: str
) -> Finding:
    obj, node = subject.place_of(variable)
    return subject.finding(rule, message, remedy, obj=obj, node=node, variable=variable.name)
