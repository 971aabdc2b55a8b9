"""The exit codes with which a command of a probe can end while the server responds with an error.

The result is a set with True for the exit code 0, and False for any other. It may contain a value too many, but never
one too few: a command that is not known can succeed and can fail.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from healthguard.kubernetes.rules.probes.commands import ProbeCommand, program_name, without_prefixes
from healthguard.kubernetes.rules.probes.shell import Chain, Command, Condition, Group, Pipeline, Script, Simple

Codes = frozenset[bool]
SUCCESS: Codes = frozenset({True})
FAILURE: Codes = frozenset({False})
ANY: Codes = frozenset({True, False})
NONE: Codes = frozenset()

_ALWAYS_SUCCEED = frozenset({"true", ":", "echo", "printf", "sleep", "date", "hostname", "whoami", "uptime", "pwd"})
_FILTERS = frozenset({"cat", "tee", "head", "tail", "wc", "sort", "uniq", "tr", "cut", "nl", "rev", "logger"})
"""The programs that read a pipe to its end and succeed whatever they read."""
_CURL_OPTIONS_WITH_VALUE = frozenset("AbcCdDeEFhHKmoPQrtTuUwxXyYz")
_CURL_FAIL_OPTIONS = frozenset({"--fail", "--fail-with-body"})
_CURL_LONG_OPTIONS_WITH_VALUE = frozenset(
    {"--output", "--write-out", "--max-time", "--connect-timeout", "--header", "--request", "--data", "--user-agent"}
    | {"--user", "--retry", "--retry-delay", "--retry-max-time", "--unix-socket", "--cacert", "--resolve", "--url"}
)
_PYTHON_REQUEST = re.compile(r"\b(requests|httpx)\s*\.\s*(get|head)\s*\(")
_PYTHON_JUDGEMENT = re.compile(r"raise|assert|exit|status|\.ok\b|is_success|is_error|if\b|open\(")
_SUBSTRINGS_OF_UNHEALTHY = frozenset({"healthy", "health", "status", "services"})
"""The patterns that also match the report of an unhealthy service."""


@dataclasses.dataclass(frozen=True, slots=True)
class _End:
    """The end of a part of a script.

    Args:
        codes: the exit codes if the script continues.
        exits: the exit codes with which the shell itself may have ended.
    """

    codes: Codes
    exits: Codes = NONE


def can_fail(command: ProbeCommand, *, is_status_checked: bool = False) -> bool:
    """Return False if the command ends with 0 although the server responds with an error.

    Args:
        command: the command. True is returned if its script is not known.
        is_status_checked: True to assume that each HTTP client fails for a response like 503.
    """
    if command.script is None:
        return True
    end = _Evaluation(command, is_status_checked).script(command.script, SUCCESS)
    return False in end.codes | end.exits


class _Evaluation:
    """An evaluation of a script.

    Args:
        command: the command that contains the script.
        is_status_checked: see :func:`can_fail`.
    """

    def __init__(self, command: ProbeCommand, is_status_checked: bool) -> None:
        self._is_status_checked = is_status_checked
        self._has_errexit = command.has_errexit
        self._has_pipefail = command.has_pipefail

    def script(self, script: Script, last: Codes) -> _End:
        """Return the end of a script that begins after a command with the codes ``last``."""
        end = _End(last)
        for chain in script.chains:
            following = self._chain(chain, end.codes)
            exits = following.exits | (FAILURE & following.codes if self._has_errexit else NONE)
            end = _End(following.codes, end.exits | exits)
            if not end.codes:
                break
        return end

    def _chain(self, chain: Chain, last: Codes) -> _End:
        end = self._pipeline(chain.first, last)
        for operator, pipeline in chain.rest:
            continues = operator == "&&"
            if continues not in end.codes:
                continue
            following = self._pipeline(pipeline, frozenset({continues}))
            end = _End((end.codes - {continues}) | following.codes, end.exits | following.exits)
        return _End(SUCCESS) if chain.is_background else end

    def _pipeline(self, pipeline: Pipeline, last: Codes) -> _End:
        previous: list[Command] = []
        ends = []
        for command in pipeline.commands:
            ends.append(self._command(command, last, previous))
            previous.append(command)
        end = ends[-1]
        if len(ends) > 1:
            # Each member of a pipe is a shell of its own, so that "exit" ends only this member.
            end = _End(end.codes | end.exits)
            if self._has_pipefail and any(False in each.codes | each.exits for each in ends):
                end = _End(end.codes | FAILURE)
        return _End(frozenset(not code for code in end.codes), end.exits) if pipeline.is_inverted else end

    def _command(self, command: Command, last: Codes, previous: Sequence[Command]) -> _End:
        if isinstance(command, Simple):
            return self._simple(command.words, last, previous)
        if isinstance(command, Group):
            end = self.script(command.body, last)
            return _End(end.codes | end.exits) if command.is_subshell else end
        return self._condition(command, last)

    def _condition(self, command: Condition, last: Codes) -> _End:
        # "set -e" does not end a shell in the test of an "if".
        is_enabled, self._has_errexit = self._has_errexit, False
        test = self.script(command.test, last)
        self._has_errexit = is_enabled
        codes, exits = NONE, test.exits
        for code, body in ((True, command.success), (False, command.failure)):
            if code in test.codes:
                end = self.script(body, frozenset({code})) if body is not None else _End(SUCCESS)
                codes, exits = codes | end.codes, exits | end.exits
        return _End(codes, exits)

    def _simple(self, words: Sequence[str], last: Codes, previous: Sequence[Command]) -> _End:
        rest = without_prefixes(words)
        if not rest:
            return _End(ANY)
        name = program_name(rest[0])
        if name in ("exit", "return"):
            return _End(NONE, _exit_codes(rest[1:], last))
        if name == "set":
            self._apply(rest[1:])
            return _End(SUCCESS)
        codes = self._program(name, rest[1:], previous)
        return _End(NONE, codes) if words[0] == "exec" else _End(codes)

    def _apply(self, options: Sequence[str]) -> None:
        self._has_errexit |= any(re.fullmatch(r"-[a-z]*e[a-z]*", option) is not None for option in options)
        self._has_pipefail |= "pipefail" in options

    def _program(self, name: str, arguments: Sequence[str], previous: Sequence[Command]) -> Codes:
        if name in _ALWAYS_SUCCEED:
            return SUCCESS
        if name == "false":
            return FAILURE
        if previous and (name in _FILTERS or (name == "jq" and not _has_short_option(arguments, "e", "--exit-status"))):
            return SUCCESS
        if previous and name == "grep" and _finds_itself_or_anything(arguments, previous):
            return SUCCESS
        return SUCCESS if not self._is_status_checked and ignores_status(name, arguments) else ANY


def ignores_status(name: str, arguments: Sequence[str]) -> bool:
    """Return True if a program requests a URL and succeeds for a response like 503."""
    if name == "curl":
        return _is_request(arguments) and not _fails_for_errors(arguments)
    if name == "wget":
        return "--background" in arguments or _has_short_option(arguments, "b", "--background")
    if re.fullmatch(r"python[\d.]*", name) and "-c" in arguments[:-1]:
        code = arguments[list(arguments).index("-c") + 1]
        return _PYTHON_REQUEST.search(code) is not None and _PYTHON_JUDGEMENT.search(code) is None
    return False


def _is_request(arguments: Sequence[str]) -> bool:
    """Return True if the arguments of curl contain a URL, and no file with further options."""
    has_file = _has_short_option(arguments, "K", "--config")
    return not has_file and any(not argument.startswith("-") for argument in arguments)


def _fails_for_errors(arguments: Sequence[str]) -> bool:
    is_value = False
    for argument in arguments:
        if is_value:
            is_value = False
        elif argument in _CURL_FAIL_OPTIONS:
            return True
        elif argument in _CURL_LONG_OPTIONS_WITH_VALUE:
            is_value = True
        elif argument.startswith("-") and not argument.startswith("--"):
            for position, option in enumerate(argument[1:], 2):
                if option == "f":
                    return True
                if option in _CURL_OPTIONS_WITH_VALUE:
                    is_value = position == len(argument)
                    break
    return False


def _finds_itself_or_anything(arguments: Sequence[str], previous: Sequence[Command]) -> bool:
    """Return True if ``grep`` finds its pattern in any list of processes, or in any report."""
    patterns = [argument for argument in arguments if not argument.startswith("-")]
    options = [argument for argument in arguments if argument.startswith("-")]
    if len(patterns) != 1 or any(re.search(r"[vcwx]", option) for option in options):
        return False
    programs = [_first_word(command) for command in previous]
    if programs == ["ps"]:
        # The command line of grep contains the pattern, unless the pattern is like "[g]unicorn".
        return re.fullmatch(r"[\w./ -]+", patterns[0]) is not None
    return programs in (["curl"], ["wget"]) and patterns[0] in _SUBSTRINGS_OF_UNHEALTHY


def _first_word(command: Command) -> str:
    words = without_prefixes(command.words) if isinstance(command, Simple) else ()
    return program_name(words[0]) if words else ""


def _exit_codes(arguments: Sequence[str], last: Codes) -> Codes:
    if not arguments or arguments[0] == "$?":
        return last
    if not arguments[0].isdigit():
        return ANY
    return SUCCESS if int(arguments[0]) % 256 == 0 else FAILURE


def _has_short_option(arguments: Sequence[str], letter: str, long: str) -> bool:
    return any(
        argument == long or (re.fullmatch(r"-[A-Za-z]+", argument) is not None and letter in argument)
        for argument in arguments
    )
