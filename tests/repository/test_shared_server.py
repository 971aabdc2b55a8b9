"""Several processes may run the tests on one PostgreSQL at the same time."""

from __future__ import annotations

import re

from tests.support.sites import REPOSITORY


def test_no_role_has_a_fixed_name() -> None:
    """Roles belong to the whole server, so a name must contain the id of the process."""
    fixed = [
        f"{path.name}: {found.group()}"
        for path in sorted((REPOSITORY / "tests").rglob("*.py"))
        for found in re.finditer(r"\b(?:CREATE|DROP) ROLE (?:IF EXISTS )?[a-z]\w*", path.read_text())
    ]
    assert fixed == []
