"""A URL with an unknown password is judged by the database that it names."""

from __future__ import annotations

import pytest

from healthguard.requirements import DatabaseRequirement, Requirements
from tests.kubernetes.rules.checked import check_all, deployment, entries, from_secret

SHOP = Requirements((DatabaseRequirement(("DATABASE_URL",), database="shop"),))
PASSWORD = from_secret("PASSWORD", "k")
CASES = {
    "another database": ("postgres://app:$(PASSWORD)@db/other", {"wrong-database"}),
    "the declared database": ("postgres://app:$(PASSWORD)@db/shop", set()),
    "an unknown host": ("postgres://app@$(PASSWORD)/other", {"wrong-database"}),
    "an unknown name": ("postgres://app:p@db/$(PASSWORD)", set()),
    "a name with an unknown part": ("postgres://app:p@db/other$(PASSWORD)", set()),
    "an unknown URL": ("$(PASSWORD)", set()),
    "a URL that a tool completes": ("postgres://${USER}:$(PASSWORD)@db/other", set()),
}


@pytest.mark.parametrize(("value", "expected"), CASES.values(), ids=list(CASES))
def test_only_the_known_parts_of_a_url_are_judged(value: str, expected: set[str]) -> None:
    """The wrong database is found if its name is known, also if the password is not."""
    text = deployment(entries(PASSWORD, f"{{name: DATABASE_URL, value: '{value}'}}"))
    found = {each.rule for each in check_all(text, requirements=SHOP) if each.severity in ("error", "warning")}
    assert found == expected
