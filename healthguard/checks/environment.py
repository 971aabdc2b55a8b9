"""Checks of the environment variables that the process was started with."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Collection, Iterator

from healthguard.checks.base import Check
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers import UNIQUE_PREFIXES, is_name
from healthguard.secret_values import values
from healthguard.secret_values.patterns import UnusablePatternError, is_found, is_pattern, spells_out
from healthguard.secret_values.sabotaged import cut_short
from healthguard.secret_values.showable import shown_name
from healthguard.service.sabotages import Sabotage
from healthguard.status import Code, Evidence, Fault, Problem

# Variable names contain no dash, so a declared name that begins with one of these prefixes is a key.
_DASHED = tuple(prefix for prefix in UNIQUE_PREFIXES if "-" in prefix)
_KNOWN_PREFIXES = (
    *values.COMMON_PREFIXES,
    *UNIQUE_PREFIXES,
)
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
            Degraded: the value is a well-known default password.
        """
        for problem in self.declaration_errors():
            raise Unhealthy.of(problem)
        value: str | None = self._altered(os.environ.get(self.name))
        if value is None:
            raise self._problem(
                "missing",
                "is not set",
                "Mount it into this container: check env or envFrom in the manifest, and the Secret or ConfigMap it "
                "names.",
            )
        if value in self.allow:
            return
        if not value:
            if self.min_bytes <= 0:
                return
            raise self._problem("empty", values.EMPTY.what, values.EMPTY.remedy)
        flaw = self._flaw(value)
        if flaw is not None and not flaw.is_minor:
            raise self._problem(flaw.kind, flaw.what, _remedy(flaw))
        size = len(os.fsencode(value))
        if size < self.min_bytes:
            raise self._problem(
                "too_short",
                f"has {size} bytes; it must have at least {self.min_bytes}",
                "Replace it with the real value.",
                size,
            )
        if self._pattern is not None:
            self._compare(self._pattern, value)
        if flaw is not None:
            raise Degraded.of(self._problem(flaw.kind, flaw.what, _remedy(flaw)).problem)

    def _compare(self, pattern: str, value: str) -> None:
        try:
            if is_found(pattern, value, self._flags):
                return
        except UnusablePatternError as error:
            raise self._problem(
                "mismatch",
                f"cannot be compared with the declared pattern: it {error.reason}",
                "Simplify the pattern in the declaration. Nested repetitions, like (a+)+, can take very long.",
            ) from None
        raise self._problem(
            "mismatch",
            "does not match the declared pattern",
            "Compare the value with the pattern in the declaration.",
        )

    @property
    def _pattern(self) -> str | None:
        """The pattern as a string; it may be declared as a compiled pattern."""
        return self.pattern.pattern if isinstance(self.pattern, re.Pattern) else self.pattern

    @property
    def _flags(self) -> int:
        return self.pattern.flags if isinstance(self.pattern, re.Pattern) else 0

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        if not isinstance(self.name, str) or not is_name(self.name) or self.name.startswith(_DASHED):
            # Do not show the name: it may be the value by mistake.
            yield Problem.invalid_declaration("EnvironmentVariable takes the name of a variable, not its value.")
            return
        if not isinstance(self.min_bytes, int) or isinstance(self.min_bytes, bool):
            yield Problem.invalid_declaration(f"min_bytes for {shown_name(self.name)} is not a whole number.")
        if self._pattern is not None and not is_pattern(self._pattern):
            yield Problem.invalid_declaration(f"The pattern for {shown_name(self.name)} is not a regular expression.")
        if not isinstance(self.allow, _LISTS) or not all(isinstance(value, str) for value in self.allow):
            yield Problem.invalid_declaration(f"allow for {shown_name(self.name)} is not a list of strings.")

    def _flaw(self, value: str) -> values.Flaw | None:
        flaw = self._corruption(value) or self._placeholder(value)
        if flaw is None or self._pattern is None or not spells_out(self._pattern, value, self._flags):
            return flaw
        return None

    def _corruption(self, value: str) -> values.Flaw | None:
        return values.corruption(
            value,
            names=[self.name],
            prefixes=_KNOWN_PREFIXES,
            is_secret=values.names_a_secret(self.name),
            is_address=values.names_a_connection(self.name),
        )

    def _placeholder(self, value: str) -> values.Flaw | None:
        nature = values.nature_of(self.name, value)
        if nature is None:
            is_address = values.names_a_connection(self.name) or "://" in value or "=" in value
            return values.blank(value) or (values.address_flaw(value) if is_address else None)
        return values.placeholder(value, nature=nature) or values.mock(value, nature=nature)

    def _problem(self, code: str, description: str, remedy: str, size: int | None = None) -> Unhealthy:
        name = shown_name(self.name)
        evidence: dict[str, Evidence] = {"variable": name}
        if size is not None:
            evidence |= {"bytes": size, "min_bytes": self.min_bytes}
        return Unhealthy(
            Code(f"variable_{code}"), f"{name} {description}.", fault=Fault.CONFIG, hint=remedy, evidence=evidence
        )


def _remedy(flaw: values.Flaw) -> str:
    can_be_allowed = flaw.kind is values.ValueFault.PLACEHOLDER and not flaw.is_minor
    return f"{flaw.remedy} If the value is intended, add it to allow." if can_be_allowed else flaw.remedy
