"""The page that the tables are written to: each stands between two comments that name its section."""

from __future__ import annotations

import re
from pathlib import Path


def write(page: Path, section: str, text: str) -> None:
    """Put ``text`` in the place of what ``page`` has for ``section``.

    Raises:
        SystemExit: the page has no place for it.
    """
    begin, end = f"<!-- {section}: measured -->", f"<!-- {section}: end -->"
    place = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    filled, found = place.subn(lambda _: f"{begin}\n\n{text}\n\n{end}", page.read_text())
    if not found:
        raise SystemExit(f"{page} has no place for {section}: put {begin} and {end} into it.")
    page.write_text(filled)
