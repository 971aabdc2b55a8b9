"""The rules for the commands of exec probes."""

from __future__ import annotations

from collections.abc import Iterator

from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.nodes import Node
from healthguard.kubernetes.rules.probes.commands import ProbeCommand, program_name
from healthguard.kubernetes.rules.probes.exit_codes import can_fail
from healthguard.kubernetes.rules.probes.probe import Probe, probes_of
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule

_OPERATORS = frozenset({"||", "&&", "|", ";", ">", ">>", "2>&1", ">/dev/null", "2>/dev/null", "&>/dev/null"})
_TAKE_OPERATORS = frozenset({"[", "test", "expr", "find", "grep", "egrep", "fgrep", "sed", "awk", "echo", "printf"})
"""The programs for which a word like ``>`` or ``;`` may be a valid argument."""
_NEED_ARGUMENTS = frozenset({"curl", "wget", "test", "grep", "pgrep", "cat", "nc", "python", "python3"})


def _commands(subject: ContainerSubject) -> Iterator[tuple[Probe, ProbeCommand]]:
    for probe in probes_of(subject.container) if not subject.container.is_finite else ():
        if (command := ProbeCommand.of(probe.node)) is not None:
            yield probe, command


@container_rule("probe-cannot-fail", Severity.WARNING, "The command of a probe succeeds whatever the server responds.")
def find_useless_command(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each command whose exit code is 0 although the server responds with an error."""
    for probe, command in _commands(subject):
        if can_fail(command):
            continue
        is_client = can_fail(command, is_status_checked=True)
        fact = (
            "ends with exit code 0 for a response like 503: its HTTP client does not check the status code"
            if is_client
            else "ends with exit code 0 whatever happens"
        )
        remedy = (
            "Add --fail to curl, or use python -m healthguard.probe."
            if is_client
            else "Remove the part that hides the exit code, such as || true, ; exit 0 or | cat, or use "
            "python -m healthguard.probe."
        )
        yield _finding(rule, probe, command.node, f"The command of {_lower(probe.label)} {fact}.", remedy)


@container_rule("probe-command-not-found", Severity.ERROR, "The command of a probe is not the one that was meant.")
def find_missing_shell(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each command that needs a shell but has none, or whose shell gets only its first word."""
    for probe, command in _commands(subject):
        first, rest = command.words[0], command.words[1:]
        label = _lower(probe.label)
        if not rest and " " in first.strip():
            yield _finding(
                rule,
                probe,
                command.node,
                f"The command of {label} is one text with blanks. No program has this name, so the probe always fails.",
                "Write each argument as an item of its own, or use [sh, -c, …].",
            )
        elif not command.is_shell and _OPERATORS & set(rest) and program_name(first) not in _TAKE_OPERATORS:
            yield _finding(
                rule,
                probe,
                command.node,
                f"The command of {label} contains an operator of a shell, but no shell. The program gets the operator "
                "as an argument.",
                "Use [sh, -c, …] with the whole command as one item, or remove the operator.",
            )
        elif command.is_shell and _has_lost_arguments(command):
            yield _finding(
                rule,
                probe,
                command.node,
                f"The shell of {label} runs only the first word after -c. The other words are not arguments of it.",
                "Write the whole command after -c as one item.",
            )


def _has_lost_arguments(command: ProbeCommand) -> bool:
    """Return True for ``[sh, -c, curl, -f, …]``: everything after the script is a parameter of the script."""
    words = [word for word in command.options if word != "pipefail"]
    script = next((index for index, word in enumerate(words) if not word.startswith(("-", "+"))), None)
    return script is not None and len(words) > script + 1 and program_name(words[script]) in _NEED_ARGUMENTS


def _lower(label: str) -> str:
    return label[0].lower() + label[1:]


def _finding(rule: Rule[ContainerSubject], probe: Probe, node: Node, message: str, remedy: str) -> Finding:
    container = probe.container
    return rule.finding(message, remedy, obj=container.workload.object, node=node, container=container.name)
