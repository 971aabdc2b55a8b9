"""The page with the tables. Each table is between two comments that name its section."""

from __future__ import annotations

import re
from pathlib import Path


def write(page: Path, section: str, text: str) -> None:
    """Replace the table of ``section`` on ``page`` with ``text``.

    Raises:
        SystemExit: the page has no comments for this section.
    """
    begin, end = f"<!-- {section}: measured -->", f"<!-- {section}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    changed, count = pattern.subn(lambda _: f"{begin}\n\n{text}\n\n{end}", page.read_text())
    if not count:
        raise SystemExit(f"{page} has no place for {section}. Add {begin} and {end} to it.")
    page.write_text(changed)
