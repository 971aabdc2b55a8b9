"""The rules for the time limits of probes and of the shutdown."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence

from healthguard.kubernetes.environment.variables import Environment
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.nodes import MapNode, Node
from healthguard.kubernetes.rules.probes.commands import ProbeCommand, program_name
from healthguard.kubernetes.rules.probes.names import GRACE
from healthguard.kubernetes.rules.probes.probe import integer, probes_of
from healthguard.kubernetes.rules.probes.requests import ProbeRequest, has_known_mounts, request_of, subpath
from healthguard.kubernetes.rules.probes.subjects import command_words, serves_http
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.kubernetes.workloads import Container

DEFAULT_GRACE = 30
"""The seconds between SIGTERM, or the begin of preStop, and SIGKILL, if the pod does not set them."""

_GUNICORN_GRACE = 30.0
_GRACE_OPTIONS = {
    "gunicorn": ("--graceful-timeout", "GUNICORN_CMD_ARGS"),
    "uvicorn": ("--timeout-graceful-shutdown", ""),
    "hypercorn": ("--graceful-timeout", ""),
}
"""The option of each server, and the variable that contains further options."""
_SLEEP = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


@container_rule("probe-timeout", Severity.WARNING, "A probe does not wait as long as a response may take.")
def find_short_timeout(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each probe of a deep path whose time limit is not above DEADLINE."""
    requirements = subject.requirements
    if not has_known_mounts(requirements.mount_paths) or not serves_http(subject):
        return
    for probe in probes_of(subject.container):
        request = request_of(probe)
        if request is None or subpath(request.path, requirements.mount_paths) in (None, "live"):
            continue
        timeout = probe.number("timeoutSeconds")
        if timeout is None or (fault := _timeout_fault(request, timeout, requirements.deadline)) is None:
            continue
        node = probe.node.at("timeoutSeconds")
        fact, remedy = fault
        yield subject.finding(
            rule,
            f"{probe.label} {fact}",
            remedy,
            node=node or probe.node,
            line=probe.line if node is None else None,
        )


def _timeout_fault(request: ProbeRequest, timeout: int, deadline: float) -> tuple[str, str] | None:
    """Return the fact and the remedy of a time limit that is too short; None if none is."""
    limit = _seconds(deadline)
    if timeout <= deadline:
        fact = f"waits {timeout} s, but a response may take {limit} s (DEADLINE), so it fails while a check is slow."
        return fact, f"Set timeoutSeconds to at least {int(deadline) + 1}, or lower DEADLINE."
    if request.timeout is not None and request.timeout <= deadline:
        fact = f"runs a program that waits {_seconds(request.timeout)} s, but a response may take {limit} s (DEADLINE)."
        return fact, f"Raise the timeout of the program above {limit} s, and timeoutSeconds above that."
    if request.is_own_program and request.timeout is not None and timeout <= request.timeout:
        own = _seconds(request.timeout)
        fact = f"ends its command after {timeout} s, but the command itself waits {own} s, without the start of Python."
        return fact, f"Set timeoutSeconds to at least {int(request.timeout) + 2}."
    return None


def _seconds(number: float) -> str:
    return f"{number:g}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Shutdown:
    """The times of a shutdown (seconds).

    Args:
        grace: the time until SIGKILL.
        sleep: the time that the preStop hook sleeps.
        server: the time for which the server finishes requests; None if it is not known.
        is_default: True if the manifest does not set the time of the server.
    """

    grace: int
    sleep: float
    server: float | None
    is_default: bool


@container_rule("grace-period", Severity.WARNING, "The pod is killed before its server has finished.")
def find_short_grace(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding if the grace period does not cover the preStop hook and the graceful shutdown of the server."""
    container = subject.container
    spec = container.workload.spec
    grace = integer(spec.at(GRACE), DEFAULT_GRACE)
    sleep, place = prestop_sleep(container)
    is_refused = integer(container.node.at("lifecycle", "preStop", "sleep", "seconds")) is not None
    if grace is None or not serves_http(subject) or (is_refused and sleep > grace):
        return
    server, is_default = server_grace(container, subject.environment)
    shutdown = _Shutdown(grace, sleep, server, is_default)
    if (fault := _grace_fault(shutdown)) is None:
        return
    node = spec.at(GRACE) or place or container.node
    severity, fact = fault
    yield subject.finding(
        rule,
        f"{container.label}: the pod is killed {grace} s after its shutdown begins. {fact}",
        f"Set {GRACE} of the pod to at least {int(sleep + (server or 0)) + 5}.",
        node=node,
        severity=severity,
    )


def _grace_fault(shutdown: _Shutdown) -> tuple[Severity, str] | None:
    if 0 < shutdown.grace <= shutdown.sleep:
        return Severity.WARNING, f"preStop alone takes {_seconds(shutdown.sleep)} s, so the server has no time to stop."
    if shutdown.server is None or shutdown.sleep + shutdown.server <= shutdown.grace:
        return None
    if shutdown.is_default and not shutdown.sleep:
        return None
    severity = Severity.ADVICE if shutdown.is_default else Severity.WARNING
    sleep, server = _seconds(shutdown.sleep), _seconds(shutdown.server)
    return severity, f"preStop takes {sleep} s, and then the server finishes requests for up to {server} s."


def prestop_sleep(container: Container) -> tuple[float, Node | None]:
    """Return the seconds that the preStop hook sleeps, as far as they are known, and the value that sets them."""
    hook = container.node.map_at("lifecycle", "preStop")
    if hook is None:
        return 0.0, None
    if (seconds := integer(hook.at("sleep", "seconds"))) is not None:
        return float(seconds), hook.at("sleep", "seconds")
    command = ProbeCommand.of(hook)
    if command is None:
        return 0.0, None
    return sum(_slept(words) for words in command.programs()), command.node


def _slept(words: Sequence[str]) -> float:
    """Return the seconds that a program sleeps, if it is ``sleep`` or ``manage.py healthguard drain``."""
    if _drains(words):
        return _option(words, "--sleep") or 0.0
    if program_name(words[0]) != "sleep":
        return 0.0
    matches = [_SLEEP.fullmatch(word) for word in words[1:]]
    return sum(float(match[1]) * _UNITS[match[2]] for match in matches if match is not None)


def _drains(words: Sequence[str]) -> bool:
    """Return True for ``manage.py healthguard drain``, however the project starts Django."""
    return ("healthguard", "drain") in itertools.pairwise(words[1:])


def server_grace(container: Container, environment: Environment) -> tuple[float | None, bool]:
    """Return the seconds for which the server finishes requests, and True if they are its default.

    None is returned if they are not known: gunicorn may read them from a file.
    """
    words = command_words(container)
    programs = [program_name(word) for word in words]
    for server, (option, variable) in _GRACE_OPTIONS.items():
        if server not in programs:
            continue
        extra = environment.variable(variable) if variable else None
        options = [*words, *((extra.value or "").split() if extra is not None else ())]
        if (seconds := _option(options, option)) is not None:
            return seconds, False
        has_file = any(word.partition("=")[0] in ("-c", "--config") for word in options)
        is_known = server == "gunicorn" and not has_file and option not in " ".join(options)
        return (_GUNICORN_GRACE, True) if is_known else (None, True)
    return None, True


def _option(words: Sequence[str], option: str) -> float | None:
    for index, word in enumerate(words):
        name, separator, value = word.partition("=")
        text = value if separator else next(iter(words[index + 1 :]), "")
        if name == option and re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
    return None


@container_rule("prestop-drain-file", Severity.WARNING, "The preStop hook does not create the declared DRAIN_FILE.")
def find_other_drain_file(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding if the hook creates another file to drain the pod. If it creates none, the finding is advice."""
    container = subject.container
    drain_file = subject.requirements.drain_file
    hook = container.node.map_at("lifecycle", "preStop")
    if drain_file is None or hook is None or not serves_http(subject):
        return
    command = ProbeCommand.of(hook)
    if command is None and hook.map_at("sleep") is None:
        return
    if command is not None and (_names_file(command, subject) or not _is_understood(command)):
        return
    is_other = command is not None and any(
        program_name(words[0]) == "touch" and any("drain" in word.lower() for word in words[1:])
        for words in command.programs()
    )
    fact = "creates another file than DRAIN_FILE" if is_other else "does not create DRAIN_FILE"
    yield subject.finding(
        rule,
        f"The preStop hook of {container.role} {container.name or '?'} {fact}, so /ready does not report that the pod "
        "is draining.",
        "Run manage.py healthguard drain with --sleep in the hook. Or create the DRAIN_FILE of the declaration with "
        "touch, and sleep afterwards.",
        node=hook,
        line=_hook_line(container, hook),
        severity=Severity.WARNING if is_other else Severity.ADVICE,
    )


def _names_file(command: ProbeCommand, subject: ContainerSubject) -> bool:
    """Return True if a command contains the path of the DRAIN_FILE, or the variable that contains it."""
    variable = subject.environment.variable("DRAIN_FILE")
    paths = {subject.requirements.drain_file, variable.value if variable is not None else None} - {None}
    text = " ".join(command.words)
    # The name of a redirection is not an argument, and a quoted path may contain blanks.
    words = {*re.split(r"[\s;&|<>()'\"]+", text), *(word for words in command.programs() for word in words)}
    return "DRAIN_FILE" in text or not paths.isdisjoint(words)


def _is_understood(command: ProbeCommand) -> bool:
    """Return True if the command does nothing but sleep and create files: a script of the image may do the rest."""
    return command.script is not None and all(
        program_name(words[0]) in ("sleep", "touch", "echo", "true", "exit", "kill", "nginx")
        for words in command.programs()
    )


def _hook_line(container: Container, hook: MapNode) -> int:
    lifecycle = container.node.map_at("lifecycle")
    return hook.line if lifecycle is None else lifecycle.line_of("preStop")
