"""The command of an exec probe or a hook: what it runs, and with which exit codes it can end."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Self

from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.rules.probes.shell import (
    Chain,
    Pipeline,
    Script,
    Simple,
    parse,
    simple_commands,
)
from healthguard.kubernetes.rules.probes.shell_tokens import UnsupportedScriptError

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_SCRIPT_OPTION = re.compile(r"-[a-zA-Z]*c[a-zA-Z]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_PREFIXES = frozenset({"exec", "command", "env", "nice", "nohup", "time", "timeout", "tini", "dumb-init", "sudo"})
_DURATION = re.compile(r"\d+(\.\d+)?[smhd]?")


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeCommand:
    """A command of ``exec``.

    Args:
        node: its list of words.
        words: the words.
        script: the commands that it runs: those of the shell script, or only itself. None if they are not known.
        is_shell: True if the first program is a shell.
        options: the options and arguments of the shell.
    """

    node: ListNode
    words: tuple[str, ...] = dataclasses.field(repr=False)
    script: Script | None = dataclasses.field(repr=False)
    is_shell: bool
    options: tuple[str, ...] = dataclasses.field(repr=False)

    @property
    def has_errexit(self) -> bool:
        """True if the shell ends at the first error."""
        return any(re.fullmatch(r"-[a-zA-Z]*e[a-zA-Z]*", option) is not None for option in self.options)

    @property
    def has_pipefail(self) -> bool:
        """True if a pipe fails as soon as one of its commands fails."""
        return "pipefail" in self.options

    @classmethod
    def of(cls, handler: MapNode) -> Self | None:
        """Return the command of a probe or a hook; None if it has no valid ``exec``."""
        node = handler.at("exec", "command")
        if not isinstance(node, ListNode) or not node.items or not all(map(_is_text, node.items)):
            return None
        words = tuple(item.text for item in node.items if isinstance(item, ScalarNode))
        shell, options = _shell_options(words)
        if shell is None:
            script: Script | None = _script_of(words)
        else:
            script = _parsed(options)
        return cls(node, words, script, shell is not None, tuple(options))

    def programs(self) -> Iterator[tuple[str, ...]]:
        """Yield each program with its arguments, without prefixes such as ``timeout 5``."""
        for command in simple_commands(self.script) if self.script is not None else ():
            if words := without_prefixes(command.words):
                yield words


def _script_of(words: Sequence[str]) -> Script:
    return Script((Chain(Pipeline((Simple(tuple(words)),), is_inverted=False), (), is_background=False),))


def _shell_options(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """Return the shell that a command starts, and the words after it."""
    rest = list(without_prefixes(words))
    if rest and program_name(rest[0]) == "busybox":
        del rest[0]
    if rest and program_name(rest[0]) in _SHELLS:
        return rest[0], rest[1:]
    return None, ()


def _parsed(options: Sequence[str]) -> Script | None:
    """Return the script that follows ``-c`` and the other options; None if there is none, or it cannot be parsed."""
    script = next((word for word in options if not word.startswith(("-", "+")) and word != "pipefail"), None)
    before = options[: options.index(script)] if script is not None else ()
    if script is None or not any(_SCRIPT_OPTION.fullmatch(option) for option in before):
        return None
    try:
        return parse(script)
    except UnsupportedScriptError:
        return None


def _is_text(node: Node) -> bool:
    return isinstance(node, ScalarNode) and isinstance(node.value, str)


def program_name(word: str) -> str:
    """Return the name of a program without its folder."""
    return word.rpartition("/")[2]


def without_prefixes(words: Sequence[str]) -> tuple[str, ...]:
    """Return a command without assignments and without programs that only start another one."""
    rest = list(words)
    while rest:
        name = program_name(rest[0])
        if not _ASSIGNMENT.fullmatch(rest[0]) and name not in _PREFIXES:
            break
        del rest[0]
        while name in _PREFIXES and rest and rest[0].startswith("-"):
            # The value of an option of timeout is a duration or a signal, as in "-k 1" and "-s KILL".
            has_value = rest[0] in ("-k", "-s", "-u", "-n", "--kill-after", "--signal")
            del rest[: 2 if has_value else 1]
        if name == "timeout" and rest and _DURATION.fullmatch(rest[0]):
            del rest[0]
    return tuple(rest)
