"""Checks of the environment variables that the process was started with."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Collection, Iterator

from healthguard.checks.base import Check, error_of
from healthguard.exceptions import Unhealthy
from healthguard.requirements.variable import VariableRequirement, digests_of, is_variable_name, missing_variable
from healthguard.secret_values.patterns import is_pattern
from healthguard.secret_values.sabotaged import cut_short
from healthguard.secret_values.showable import shown_name
from healthguard.service.sabotages import Sabotage
from healthguard.status import Code, Problem

_NEVER_FOUND = r"(?!)"
_NOT_THE_VALUE = (
    Code.VARIABLE_CORRUPTED,
    Code.VARIABLE_EMPTY,
    Code.VARIABLE_MISMATCH,
    Code.VARIABLE_PLACEHOLDER,
    Code.VARIABLE_TOO_SHORT,
)
_LISTS = (list, tuple, set, frozenset)


@dataclasses.dataclass(repr=False)
class EnvironmentVariable(Check):
    """A check that a variable is set and that its value is complete and unchanged. The value never appears anywhere.

    Args:
        name: the name of the variable.
        pattern: a regular expression that must be found in the value, as in Django's RegexValidator; write ``^…$`` to
            match the whole value. A value that the pattern spells out is valid, even if it looks like a placeholder.
        min_bytes: the minimum length of the value (bytes).
        allow: values that are valid, even if they look like placeholders.
    """

    name: str
    pattern: str | None = dataclasses.field(default=None, repr=False)
    min_bytes: int = 1
    allow: Collection[str] = dataclasses.field(default=(), repr=False)

    needs_deployment = True

    def offline(self) -> EnvironmentVariable:
        """Return the check itself."""
        return self

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield copies that read no value, an empty, a short or a placeholder, and one with another pattern."""
        yield Sabotage("the variable is not set", self._sabotaged(lambda _: None), [Code.VARIABLE_MISSING])
        if self.min_bytes > 0:
            check = self._sabotaged(lambda _: "", allow=())
            yield Sabotage("the value is empty", check, [Code.VARIABLE_EMPTY])
        if self.min_bytes > 1:
            check = self._sabotaged(lambda value: value and cut_short(value, self.min_bytes - 1), allow=())
            yield Sabotage("the value is cut short", check, _NOT_THE_VALUE)
        if self.pattern is not None:
            # An empty value may be valid without being compared.
            check = self._sabotaged(lambda value: "unmatched" if value == "" else value, pattern=_NEVER_FOUND, allow=())
            yield Sabotage("a pattern that no value matches", check, _NOT_THE_VALUE)
        check = self._sabotaged(lambda _: "change-me", pattern=None, allow=())
        yield Sabotage("the value is a placeholder", check, [Code.VARIABLE_PLACEHOLDER])

    def run(self) -> None:
        """Check the value.

        Raises:
            Unhealthy: the variable is not set. Or its value is empty, corrupted, a placeholder or too short, or does
                not match the pattern.
            Degraded: the value is a well-known default password, or a text with whitespace around it.
        """
        for problem in self.declaration_errors():
            raise Unhealthy.of(problem)
        value: str | None = self._altered(os.environ.get(self.name))
        if value is None:
            raise Unhealthy.of(missing_variable(self.name))
        judgement = self._requirement().judge(self.name, value)
        if judgement is not None:
            raise error_of(judgement)

    def needs(self) -> Iterator[VariableRequirement]:
        """Yield the variable, with the values that are valid."""
        yield self._requirement()

    def _requirement(self) -> VariableRequirement:
        return VariableRequirement(
            (self.name,),
            pattern=self._pattern,
            flags=self._flags,
            min_bytes=self.min_bytes,
            allowed=digests_of(self.allow),
        )

    @property
    def _pattern(self) -> str | None:
        """The pattern as a string; it may be declared as a compiled pattern."""
        return self.pattern.pattern if isinstance(self.pattern, re.Pattern) else self.pattern

    @property
    def _flags(self) -> int:
        # Each pattern of a str has the flag UNICODE.
        return self.pattern.flags & ~re.UNICODE if isinstance(self.pattern, re.Pattern) else 0

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        if not is_variable_name(self.name):
            # Do not show the name: it may be the value by mistake.
            yield Problem.invalid_declaration("EnvironmentVariable takes the name of a variable, not its value.")
            return
        if not isinstance(self.min_bytes, int) or isinstance(self.min_bytes, bool):
            yield Problem.invalid_declaration(f"min_bytes for {shown_name(self.name)} is not a whole number.")
        if self._pattern is not None and not is_pattern(self._pattern):
            yield Problem.invalid_declaration(f"The pattern for {shown_name(self.name)} is not a regular expression.")
        if not isinstance(self.allow, _LISTS) or not all(isinstance(value, str) for value in self.allow):
            yield Problem.invalid_declaration(f"allow for {shown_name(self.name)} is not a list of strings.")
