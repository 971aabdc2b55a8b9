"""The progress of the command on a terminal."""

from __future__ import annotations

import io

import pytest

from healthguard.management.progress import Progress


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("columns", "shown"), [("1", "…"), ("2", "…"), ("20", "Waiting (0 of 60 s…")])
def test_line_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str, shown: str) -> None:
    """A longer line would be wrapped, and could not be replaced."""
    monkeypatch.setenv("COLUMNS", columns)
    terminal = Terminal()
    progress = Progress(terminal)
    monkeypatch.setattr(progress, "_seconds", lambda: 0.0)
    progress.show_reason("database: The server is starting.", 60)
    assert terminal.getvalue() == f"\r\x1b[K{shown}"
