"""Whether one type can stand for another."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import NamedTuple

UNBOUNDED = float("inf")


class Fit(enum.IntEnum):
    """How a column's type fits the one that is expected; better ones are greater."""

    OTHER = 0
    """Not the same kind of value."""
    NARROWER = 1
    """The same kind of value, but not all of them."""
    FITS = 2
    """The same type, or a wider one."""


class Shape(NamedTuple):
    """What a type takes in.

    Args:
        kind: what kind of value; different kinds do not stand for one another.
        bounds: how much of it: the larger a number, the more.
        restriction: what else it is limited to; None where to nothing.
        values: where each is named, which.
    """

    kind: str
    bounds: tuple[float, ...] = ()
    restriction: str | None = None
    values: frozenset[str] = frozenset()

    def fits(self, expected: Shape) -> Fit:
        """How values of ``expected`` fare in a column of this shape."""
        if self.kind != expected.kind:
            return Fit.OTHER
        if self.restriction not in (None, expected.restriction):
            return Fit.OTHER if expected.restriction is not None else Fit.NARROWER
        if not expected.values <= self.values:
            return Fit.NARROWER
        return Fit.FITS if all(map(float.__ge__, map(float, self.bounds), expected.bounds)) else Fit.NARROWER


def best_fit(shapes: Iterable[Shape], expected: Shape) -> Fit:
    """How ``expected`` fares in a column that may be taken for any of ``shapes``."""
    return max((shape.fits(expected) for shape in shapes), default=Fit.OTHER)


class Spelling(NamedTuple):
    """A type's name apart from its modifiers: ``timestamp(3) with time zone``.

    Args:
        name: the words, without what stands in brackets.
        modifiers: what stands there, in small letters; None where there are no brackets.
    """

    name: str
    modifiers: tuple[str, ...] | None

    @classmethod
    def of(cls, type_: str) -> Spelling:
        """Take ``type_`` apart."""
        match = _MODIFIERS.search(type_)
        if match is None:
            return cls(type_, None)
        return cls(
            type_[: match.start()] + type_[match.end() :],
            tuple(word.strip().lower() for word in match[1].split(",")),
        )

    def size(self, default: float) -> float:
        """The first modifier as a number; ``default`` where there is none."""
        return float(self.modifiers[0]) if self.modifiers and self.modifiers[0].lstrip("-").isdigit() else default

    @property
    def restriction(self) -> str | None:
        """The modifiers as one text; None where there are none."""
        return None if self.modifiers is None else ",".join(self.modifiers)

    def digits(self) -> tuple[float, float]:
        """Of a decimal: how many stand before the point and how many after it."""
        if self.modifiers is None:
            return UNBOUNDED, UNBOUNDED
        precision = self.size(UNBOUNDED)
        scale = float(self.modifiers[1]) if len(self.modifiers) > 1 else 0.0
        return precision - scale, scale


_MODIFIERS = re.compile(r"\s*\((.*)\)", re.DOTALL)
