"""The commands of a shell script, as far as a script of a probe usually goes.

Loops, functions, ``case`` and here-documents are not parsed: a script with them is not judged.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from healthguard.kubernetes.rules.probes.shell_tokens import REDIRECTIONS, Token, UnsupportedScriptError, tokens_of

_MAX_CHARACTERS = 20_000
_MAX_DEPTH = 40
_SEPARATORS = frozenset({";", "\n", "&"})
_UNSUPPORTED = frozenset({"while", "until", "for", "case", "function", "select", "[[", "elif", "esac", "do", "done"})
_CLOSING = frozenset({"then", "else", "fi", "}"})


@dataclasses.dataclass(frozen=True, slots=True)
class Simple:
    """A program with its arguments, without redirections."""

    words: tuple[str, ...] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands connected by ``|``. With ``!`` in front, its exit code is inverted."""

    commands: tuple[Command, ...]
    is_inverted: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """Pipelines connected by ``&&`` and ``||``, each with the operator before it."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...]
    is_background: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """Chains that run one after the other."""

    chains: tuple[Chain, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """A script in ``{ }`` or ``( )``."""

    body: Script
    is_subshell: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """An ``if``."""

    test: Script
    success: Script
    failure: Script | None


Command: TypeAlias = "Simple | Group | Condition"


@functools.lru_cache(maxsize=256)
def parse(script: str) -> Script:
    """Return the commands of a script.

    Raises:
        UnsupportedScriptError: it cannot be parsed.
    """
    if len(script) > _MAX_CHARACTERS:
        raise UnsupportedScriptError
    parser = _Parser(list(tokens_of(script)))
    parsed = parser.script(0)
    if parser.peek() is not None:
        raise UnsupportedScriptError
    return parsed


def simple_commands(script: Script) -> Iterator[Simple]:
    """Yield every program with its arguments."""
    for chain in script.chains:
        for pipeline in (chain.first, *(pipeline for _, pipeline in chain.rest)):
            for command in pipeline.commands:
                if isinstance(command, Simple):
                    yield command
                elif isinstance(command, Group):
                    yield from simple_commands(command.body)
                else:
                    for body in (command.test, command.success, command.failure):
                        yield from simple_commands(body) if body is not None else ()


class _Parser:
    """A recursive descent over the tokens of a script."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._position = 0

    def peek(self) -> Token | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def script(self, depth: int) -> Script:
        """Parse the chains up to the end, or to a word or parenthesis that ends them."""
        if depth > _MAX_DEPTH:
            raise UnsupportedScriptError
        chains: list[Chain] = []
        while True:
            while self._takes_operator({";", "\n"}):
                pass
            token = self.peek()
            if token is None or (token.is_operator and token.text == ")") or any(map(token.is_word, _CLOSING)):
                return Script(tuple(chains))
            chains.append(self._chain(depth))

    def _chain(self, depth: int) -> Chain:
        first = self._pipeline(depth)
        rest: list[tuple[str, Pipeline]] = []
        while operator := self._takes_operator({"&&", "||"}):
            self._skip_lines()
            rest.append((operator, self._pipeline(depth)))
        following = self.peek()
        separator = self._takes_operator(_SEPARATORS)
        if separator is None and following is not None and following.text != ")":
            raise UnsupportedScriptError
        return Chain(first, tuple(rest), separator == "&")

    def _pipeline(self, depth: int) -> Pipeline:
        is_inverted = self._takes_word("!")
        commands = [self._command(depth)]
        while self._takes_operator({"|", "|&"}):
            self._skip_lines()
            commands.append(self._command(depth))
        return Pipeline(tuple(commands), is_inverted)

    def _command(self, depth: int) -> Command:
        token = self.peek()
        if token is None or any(map(token.is_word, _UNSUPPORTED | _CLOSING)):
            raise UnsupportedScriptError
        if self._takes_operator({"("}):
            body = self.script(depth + 1)
            self._expect(self._takes_operator({")"}))
            self._redirections()
            return Group(body, is_subshell=True)
        if self._takes_word("{"):
            body = self.script(depth + 1)
            self._expect(self._takes_word("}"))
            self._redirections()
            return Group(body, is_subshell=False)
        return self._condition(depth) if self._takes_word("if") else self._simple()

    def _condition(self, depth: int) -> Condition:
        test = self.script(depth + 1)
        self._expect(self._takes_word("then"))
        success = self.script(depth + 1)
        failure = self.script(depth + 1) if self._takes_word("else") else None
        self._expect(self._takes_word("fi"))
        self._redirections()
        return Condition(test, success, failure)

    def _simple(self) -> Simple:
        words = []
        while (token := self.peek()) is not None:
            if token.is_operator:
                if not self._redirections():
                    break
                continue
            words.append(token.text)
            self._position += 1
        following = self.peek()
        if not words or (following is not None and following.text == "("):
            raise UnsupportedScriptError
        return Simple(tuple(words))

    def _redirections(self) -> bool:
        is_found = False
        while self._takes_operator(REDIRECTIONS):
            target = self.peek()
            self._expect(target is not None and not target.is_operator)
            self._position += 1
            is_found = True
        return is_found

    def _skip_lines(self) -> None:
        while self._takes_operator({"\n"}):
            pass

    def _takes_operator(self, operators: set[str] | frozenset[str]) -> str | None:
        token = self.peek()
        if token is None or not token.is_operator or token.text not in operators:
            return None
        self._position += 1
        return token.text

    def _takes_word(self, word: str) -> bool:
        token = self.peek()
        if token is None or not token.is_word(word):
            return False
        self._position += 1
        return True

    @staticmethod
    def _expect(is_there: object) -> None:
        if not is_there:
            raise UnsupportedScriptError
