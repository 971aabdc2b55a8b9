"""The compatibility of column types."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import NamedTuple

UNBOUNDED = float("inf")


class Compatibility(enum.IntEnum):
    """The compatibility of a column's type with the expected type. Better ones are greater."""

    OTHER = 0
    """A different kind of value."""
    NARROWER = 1
    """A narrower type of the same kind: some values do not fit."""
    RESCALED = 2
    """A type that holds every value, but returns numbers with more decimal places."""
    FITS = 3
    """A type that holds every value: equal or wider."""


class Shape(NamedTuple):
    """The values that a type accepts.

    Args:
        kind: the kind of value. Values of one kind cannot replace those of another.
        bounds: the limits, such as a size. A larger number accepts more values.
        restriction: any other restriction; None if there is none.
        values: the accepted values of a type that lists them, such as an enum.
        scale: the number of decimal places of the numbers that are read; None if it is that of each stored number, or
            for any other kind of value.
    """

    kind: str
    bounds: tuple[float, ...] = ()
    restriction: str | None = None
    values: frozenset[str] = frozenset()
    scale: float | None = None

    def fits(self, expected: Shape) -> Compatibility:
        """Return the compatibility of a column of this shape with values of the shape ``expected``."""
        if self.kind != expected.kind:
            return Compatibility.OTHER
        if self.restriction not in (None, expected.restriction):
            return Compatibility.OTHER if expected.restriction is not None else Compatibility.NARROWER
        if not expected.values <= self.values:
            return Compatibility.NARROWER
        if not all(map(float.__ge__, map(float, self.bounds), expected.bounds)):
            return Compatibility.NARROWER
        is_rescaled = None not in (self.scale, expected.scale) and self.scale != expected.scale
        return Compatibility.RESCALED if is_rescaled else Compatibility.FITS


def best_compatibility(shapes: Iterable[Shape], expected: Shape) -> Compatibility:
    """Return the best compatibility with ``expected`` of a column that can be used as any of ``shapes``."""
    return max((shape.fits(expected) for shape in shapes), default=Compatibility.OTHER)


class TypeName(NamedTuple):
    """A type's name and its modifiers, such as ``timestamp(3) with time zone``.

    Args:
        name: the words outside the parentheses.
        modifiers: the words inside the parentheses, in lower case; None without parentheses.
    """

    name: str
    modifiers: tuple[str, ...] | None

    @classmethod
    def of(cls, type_: str) -> TypeName:
        """Split ``type_`` into its name and its modifiers."""
        match = _MODIFIERS.search(type_)
        if match is None:
            return cls(type_, None)
        return cls(
            type_[: match.start()] + type_[match.end() :],
            tuple(word.strip().lower() for word in match[1].split(",")),
        )

    def size(self, default: float) -> float:
        """Return the first modifier as a number, or ``default`` if it is not a number or missing."""
        return float(self.modifiers[0]) if self.modifiers and self.modifiers[0].lstrip("-").isdigit() else default

    @property
    def restriction(self) -> str | None:
        """The modifiers as one string; None if there are none."""
        return None if self.modifiers is None else ",".join(self.modifiers)

    def digits(self) -> tuple[float, float]:
        """Return the number of digits of a decimal before the point and after it."""
        if self.modifiers is None:
            return UNBOUNDED, UNBOUNDED
        precision = self.size(UNBOUNDED)
        scale = float(self.modifiers[1]) if len(self.modifiers) > 1 else 0.0
        return precision - scale, scale


_MODIFIERS = re.compile(r"\s*\((.*)\)", re.DOTALL)
