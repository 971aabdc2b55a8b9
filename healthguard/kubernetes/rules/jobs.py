"""Rules on init containers and Jobs that run the application with another database than the web container."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote, urlsplit

from healthguard.kubernetes.environment.variables import Environment
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.rules.needs import Need, is_application, needs_of
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.kubernetes.rules.values import origin_of
from healthguard.kubernetes.serving import Group
from healthguard.kubernetes.workloads import Container

_POOLER = re.compile(r"pool|bouncer|proxy|primary|replica|master|slave|reader|writer|-r[wo]\b|direct", re.IGNORECASE)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", ""})


@dataclasses.dataclass(frozen=True, slots=True)
class _Address:
    """The database that a URL names."""

    host: str
    port: int | None
    name: str


@container_rule("job-other-database", Severity.ERROR, "A Job or an init container uses another database than the web.")
def find_other_databases(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the databases of containers that end by themselves, if the containers that serve use another one."""
    if not subject.container.is_finite or not is_application(subject):
        return
    for need in needs_of(subject):
        own = _address(need.variable.value if need.variable is not None else None)
        served = _served(need, subject)
        if own is None or need.variable is None or served is None or not _is_other(own, served[1]):
            continue
        obj, node = subject.place_of(need.variable)
        yield subject.finding(
            rule,
            f"{subject.container.label} uses another database ({need.variable.name}) than {served[0].label}."
            f"{origin_of(need.variable)}",
            "Take the variable from the same Secret in both. Otherwise migrations change a database that the "
            "application does not use.",
            obj=obj,
            node=node,
            variable=need.variable.name,
        )


def _served(need: Need, subject: ContainerSubject) -> tuple[Container, _Address] | None:
    """Return a container that serves and its database; None unless all of them use the same one."""
    beside = subject.serving.beside(subject.container)
    address = _common_address(beside, need.requirement.names)
    return None if address is None else (beside.containers[0][0], address)


@functools.lru_cache(maxsize=16)
def _common_address(serving: Group, names: tuple[str, ...]) -> _Address | None:
    """Return the database that all containers use; None if one of them uses another one, or if it is not known."""
    addresses = {_address(_value(names, environment)) for _, environment in serving.containers}
    return addresses.pop() if len(addresses) == 1 else None


def _value(names: Sequence[str], environment: Environment) -> str | None:
    variables = filter(None, map(environment.variable, names))
    return next((variable.value for variable in variables), None)


def _address(value: str | None) -> _Address | None:
    """Return the database in a URL; None for any other value."""
    if value is None or "://" not in value:
        return None
    try:
        url = urlsplit(value)
        return _Address((url.hostname or "").rstrip("."), url.port, unquote(url.path).strip("/"))
    except ValueError:
        return None


def _is_other(own: _Address, served: _Address) -> bool:
    """Return True if two addresses are certainly those of two databases.

    A Job often avoids the connection pooler, and then has another host and port.
    """
    if own.name != served.name:
        return True
    hosts = (own.host, served.host)
    if _is_same_host(*hosts) or own.port != served.port:
        return False
    return not any(host in _LOCAL or _POOLER.search(host) for host in hosts)


def _is_same_host(one: str, other: str) -> bool:
    """Return True if one host is the other one with the domain of the cluster."""
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or longer.startswith(f"{shorter}.")
