"""Rules on URLs whose user or password contains characters that must be percent-encoded."""

from __future__ import annotations

import re
from collections.abc import Iterator

from healthguard.kubernetes.environment.variables import Part, Variable
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.kubernetes.rules.values import origin_of

_BREAKING = re.compile(r"[/?#\[\]\s\\]|%[0-9A-Fa-f]{2}")
"""Characters that end the host, or that are decoded to other ones. RFC 3986, section 3.2."""
_SCHEME = re.compile(
    r"(?:postgres(?:ql)?|postgis|pgsql|psql|cockroach(?:db)?|timescale(?:db|gis)?|mysql2?|mysqlgis|mariadb|mssql|oracle"
    r"|rediss?|valkeys?|amqps?|pyamqp|mongodb|smtps?)(?:\+[a-z0-9]+)?://",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"[\[\]\s]")
"""Characters with which Python refuses a URL, or that are never part of a user or a password."""
_PATH = re.compile(r"[/?#]")
_PORT = re.compile(r"\d{1,5}")
_REMEDY = (
    "Percent-encode the user and the password where the URL is composed, for example with urllib.parse.quote(value, "
    "safe=''), or use a password of letters and digits. References like $(NAME) encode nothing."
)


@container_rule(
    "address-not-encoded", Severity.ERROR, "A URL contains a user or a password that is not percent-encoded."
)
def find_unencoded(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the URLs in which a character of the user or password ends the host, also after ``$(NAME)`` is resolved."""
    for variable in subject.environment.variables.values():
        if any(part.name for part in variable.parts):
            yield from _of_parts(variable, subject, rule)
        elif variable.value is not None and _is_broken(variable.value):
            obj, node = subject.place_of(variable)
            yield subject.finding(
                rule,
                f"{variable.name} is a URL whose user or password contains characters that must be percent-encoded."
                f"{origin_of(variable)}",
                _REMEDY,
                obj=obj,
                node=node,
                variable=variable.name,
            )


def _of_parts(variable: Variable, subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    for part in _credentials(variable.parts):
        if part.text is None or part.is_unresolved:
            continue
        is_broken = _BREAKING.search(part.text) is not None
        if not is_broken and "@" not in part.text:
            continue
        yield subject.finding(
            rule,
            f"{variable.name} is a URL that contains {part.name}, whose value has characters that must be "
            "percent-encoded there.",
            _REMEDY,
            node=variable.value_node or variable.entry,
            variable=variable.name,
            # Python takes the last "@" as the end of the password; other parsers take the first one.
            severity=None if is_broken else Severity.WARNING,
        )


def _credentials(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Yield the references in the user and the password of a URL: between "://" and "@" in the plain texts."""
    texts = ["" if part.name else part.text or "" for part in parts]
    written = "".join(texts)
    start = written.find("://") + len("://")
    ending = _PATH.search(written, start)
    end = len(written) if ending is None else ending.start()
    at = written.find("@", start, end)
    position = 0
    for part, text in zip(parts, texts, strict=True):
        position += len(text)
        if part.name and len("://") <= start <= position <= at:
            yield part


def _is_broken(value: str) -> bool:
    """Return True if a user or a password contains a character that ends the host, or that no URL may contain."""
    scheme = _SCHEME.match(value)
    if scheme is None:
        return False
    rest = value[scheme.end() :]
    end = _PATH.search(rest)
    authority = rest[: end.start()] if end is not None else rest
    user, at, _ = authority.rpartition("@")
    if at and _REFUSED.search(user):
        return True
    if end is None or "@" in rest[: end.start()] or "@" not in rest[end.start() :]:
        return False
    _, colon, port = authority.rpartition(":")
    return bool(colon) and _PORT.fullmatch(port) is None and not port.endswith("]")
