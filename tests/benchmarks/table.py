"""Markdown tables that are also readable in a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table. The first column is text, the others are numbers."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(row, widths) for row in [header, rule, *rows])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
    return f"| {' | '.join(cells)} |"


def milliseconds(seconds: float) -> str:
    """Return ``seconds`` in ms, with three digits."""
    value = seconds * 1000
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def microseconds(seconds: float) -> str:
    """Return ``seconds`` in µs."""
    return f"{seconds * 1e6:.2f}"


def mebibytes(memory: float) -> str:
    """Return ``memory``, which is in bytes, in MiB."""
    return f"{memory / 2**20:.2f}"


def times(value: float) -> str:
    """Return a ratio as text."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def verdict(*, is_met: bool) -> str:
    """Return the cell that shows if a target is met."""
    return "met" if is_met else "**missed**"
