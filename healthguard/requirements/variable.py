"""The requirement of a variable with a complete and unchanged value."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Iterable

from healthguard.providers.catalog import UNIQUE_PREFIXES, is_name
from healthguard.requirements.requirement import NO_VALUES, Judgement, Requirement, Values
from healthguard.runtime.text import byte_size
from healthguard.secret_values import values, variable_names
from healthguard.secret_values.patterns import UnusablePatternError, is_found, spells_out
from healthguard.secret_values.showable import shown_name
from healthguard.status import Code, Evidence, Fault, Problem

_KNOWN_PREFIXES = (*values.COMMON_PREFIXES, *UNIQUE_PREFIXES)
# Variable names contain no dash, so a declared name that begins with one of these prefixes is a key.
_DASHED = tuple(prefix for prefix in UNIQUE_PREFIXES if "-" in prefix)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VariableRequirement(Requirement):
    """A variable with a complete and unchanged value.

    Args:
        pattern: a regular expression that must be found in the value; None for any value. A value that the pattern
            spells out is valid, even if it looks like a placeholder.
        flags: the flags of the pattern, as in Python's :mod:`re`.
        min_bytes: the minimum length of the value (bytes). With 0 the value may be empty.
        allowed: the digests of values that are valid, even if they look like placeholders; see :func:`digests_of`.
    """

    pattern: str | None = None
    flags: int = 0
    min_bytes: int = 1
    allowed: frozenset[str] = frozenset()

    def judge(self, name: str, value: str, others: Values = NO_VALUES) -> Judgement | None:
        """Return the problem of a value; None if it is valid."""
        if self.allowed and _digest(value) in self.allowed:
            return None
        if not value:
            return _judgement(name, values.EMPTY) if self.min_bytes > 0 else None
        flaw = self._flaw(name, value)
        if flaw is not None and not flaw.is_minor:
            return _judgement(name, flaw)
        problem = self._length_problem(name, value) or self._pattern_problem(name, value)
        if problem is not None:
            return Judgement(problem)
        return None if flaw is None else _judgement(name, flaw)

    def _flaw(self, name: str, value: str) -> values.Flaw | None:
        flaw = _corruption(name, value)
        if flaw is None or flaw.is_minor:
            flaw = _placeholder(name, value) or flaw
        if flaw is None or self.pattern is None or not spells_out(self.pattern, value, self.flags):
            return flaw
        return None

    def _length_problem(self, name: str, value: str) -> Problem | None:
        size = byte_size(value, sys.getfilesystemencoding())
        if size >= self.min_bytes:
            return None
        return _problem(
            name,
            Code.VARIABLE_TOO_SHORT,
            f"has {size} bytes; it must have at least {self.min_bytes}",
            "Replace it with the real value.",
            {"bytes": size, "min_bytes": self.min_bytes},
        )

    def _pattern_problem(self, name: str, value: str) -> Problem | None:
        if self.pattern is None:
            return None
        try:
            if is_found(self.pattern, value, self.flags):
                return None
        except UnusablePatternError as error:
            return _problem(
                name,
                Code.VARIABLE_MISMATCH,
                f"cannot be compared with the declared pattern: it {error.reason}",
                "Simplify the pattern in the declaration. Nested repetitions, like (a+)+, can take very long.",
            )
        return _problem(
            name,
            Code.VARIABLE_MISMATCH,
            "does not match the declared pattern",
            "Compare the value with the pattern in the declaration.",
        )


def digests_of(allow: Iterable[str]) -> frozenset[str]:
    """Return the digests of values that are allowed. A file of requirements contains no value itself."""
    return frozenset(map(_digest, allow))


def is_variable_name(text: object) -> bool:
    """Return True if a declared text can be the name of a variable, and is not a key that was declared by mistake."""
    return isinstance(text, str) and is_name(text) and not text.startswith(_DASHED)


def missing_variable(name: str) -> Problem:
    """Return the problem of a variable that is not set."""
    return _problem(
        name,
        Code.VARIABLE_MISSING,
        "is not set",
        "Mount it into this container: check env or envFrom in the manifest, and the Secret or ConfigMap it names.",
    )


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _corruption(name: str, value: str) -> values.Flaw | None:
    return values.corruption(
        value,
        names=[name],
        prefixes=_KNOWN_PREFIXES,
        is_secret=variable_names.names_a_secret(name),
        is_address=variable_names.names_a_connection(name),
    )


def _placeholder(name: str, value: str) -> values.Flaw | None:
    nature = variable_names.nature_of(name, value)
    if nature is None:
        is_address = variable_names.names_a_connection(name) or "://" in value or "=" in value
        blank = None if variable_names.is_format(name, value) else values.blank(value)
        return blank or (values.address_flaw(value) if is_address else None)
    return values.placeholder(value, nature=nature) or values.mock(value, nature=nature)


def _judgement(name: str, flaw: values.Flaw) -> Judgement:
    can_be_allowed = flaw.kind is values.ValueFault.PLACEHOLDER and not flaw.is_minor
    remedy = f"{flaw.remedy} If the value is intended, add it to allow." if can_be_allowed else flaw.remedy
    return Judgement(_problem(name, Code(f"variable_{flaw.kind}"), flaw.what, remedy), flaw.is_minor)


def _problem(
    name: str, code: Code, description: str, remedy: str, evidence: dict[str, Evidence] | None = None
) -> Problem:
    shown = shown_name(name)
    return Problem(code, Fault.CONFIG, f"{shown} {description}.", remedy, {"variable": shown, **(evidence or {})})
