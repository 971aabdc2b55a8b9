"""The items of sabotages: broken copies of a check, which must fail."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import Finished, Suite

CHECKS = """
import dataclasses
from healthguard import Fault, Sabotage, Unhealthy
from healthguard.checks.base import Check

@dataclasses.dataclass(repr=False)
class Plug(Check):
    code: str = ""
    sabotaged_code: str = "expected"

    def sabotages(self):
        yield Sabotage("one fault", Plug(self.sabotaged_code), ["expected"])

    def run(self):
        if self.code:
            raise Unhealthy(self.code, "The plug is out.", fault=Fault.CONFIG, hint="Put it in.")

class Twice(Plug):
    def sabotages(self):
        return [*super().sabotages()] * 2

class Loose(Plug):
    def sabotages(self):
        raise ZeroDivisionError("not shown")
"""
SERVICES = """{
    "proven": Plug(),
    "escaped": Plug(sabotaged_code=""),
    "blocked": Plug(sabotaged_code="other"),
    "failing": Plug("other", "other"),
    "twice": Twice(),
    "broken": Loose(),
}"""


@pytest.fixture(scope="module")
def finished(suite_of_module: Suite) -> Finished:
    """A run with ``--healthguard``."""
    return suite_of_module.declare(SERVICES, checks=CHECKS).run("--healthguard", "-v", "-rs", "-k", "sabotage")


def test_outcome_is_the_proof(finished: Finished) -> None:
    assert finished.outcomes == {
        "healthguard::proven::Plug[one fault]": "passed",
        "healthguard::escaped::Plug[one fault]": "failed",
        "healthguard::blocked::Plug[one fault]": "failed",
        "healthguard::failing::Plug[one fault]": "skipped",
        "healthguard::twice::Twice[one fault]": "passed",
        "healthguard::twice::Twice[one fault]-2": "passed",
        "healthguard::broken::Loose[sabotages]": "failed",
    }


def test_copy_that_passes_is_a_failure(finished: Finished) -> None:
    text = finished.failure("escaped Plug[one fault]")
    assert text.startswith("Plug passed although it was sabotaged: one fault. It does not notice such a fault.\nFix: ")


def test_copy_that_fails_for_another_reason_is_a_failure(finished: Finished) -> None:
    text = finished.failure("blocked Plug[one fault]")
    assert "failed with other instead of expected.\nThe plug is out.\nFix: Put it in." in text


def test_copy_of_a_check_that_fails_for_the_same_reason_is_skipped(finished: Finished) -> None:
    assert "The check itself reports other, so its sabotage proves nothing." in finished.output


def test_method_that_raises_is_a_failure(finished: Finished) -> None:
    text = finished.failure("broken Loose[sabotages]")
    assert "its method sabotages() raised ZeroDivisionError." in text
    assert "not shown" not in finished.output
