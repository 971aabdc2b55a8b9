"""Projects with unusual and with invalid declarations."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import Suite

DECLARATION = "healthguard::Declaration"
OWN = "tests/test_own.py::test_own"
DEFINES_MODEL = """
import pytest
from django.db import models

@pytest.mark.django_db
def test_own():
    class Draft(models.Model):
        class Meta:
            app_label = "auth"
"""
UNREADABLE = """
class Unreadable(dict):
    def items(self):
        raise RuntimeError("not shown")
HEALTHGUARD = {"SERVICES": Unreadable(good=1)}
"""


def test_project_without_a_declaration_has_items_of_the_default_services(suite: Suite) -> None:
    suite.site.write(outcomes="")
    assert suite.run("--healthguard", "-v", "-Werror").of_checks == {
        OWN: "passed",
        "healthguard::django_config::SecretKey": "skipped",
        "healthguard::database::Database": "passed",
        "healthguard::database::AppliedMigrations": "passed",
        "healthguard::database::ModelSchema": "passed",
    }


def test_model_that_a_test_defines_is_not_checked(suite: Suite) -> None:
    """The items run before the tests of the project that use the same databases."""
    suite.write("tests/test_own.py", DEFINES_MODEL).declare('{"database": ModelSchema()}')
    finished = suite.run("--healthguard", "-v", "-k", "not sabotage")
    assert finished.outcomes == {"healthguard::database::ModelSchema": "passed", OWN: "passed"}


def test_invalid_declaration_is_a_failing_item(suite: Suite) -> None:
    """Checks of valid services run nevertheless."""
    suite.declare('{"good": Passes(), "größe": Passes(), "nothing": [], "group": {}}', more="HEALTHGUARD['TTL'] = 1")
    finished = suite.run("--healthguard", "-v")
    assert finished.outcomes == {OWN: "passed", DECLARATION: "failed", "healthguard::good::Passes": "passed"}
    text = finished.failure("Declaration")
    for fact in ("unknown key 'TTL'", "not a valid name", "['nothing'] has no checks", "['group'] is empty", "Fix: "):
        assert fact in text
    assert "pytest_plugin" not in finished.output


def test_setting_that_is_not_a_dict_is_a_failing_item(suite: Suite) -> None:
    suite.site.write("\nHEALTHGUARD = ['database']\n")
    finished = suite.run("--healthguard", "-v", "-k", "Declaration")
    assert finished.outcomes == {DECLARATION: "failed"}
    assert "HEALTHGUARD is not a dict." in finished.failure("Declaration")


def test_setting_that_cannot_be_read_is_an_error_of_collection(suite: Suite) -> None:
    suite.site.write(UNREADABLE)
    finished = suite.run("--healthguard")
    assert finished.code == pytest.ExitCode.INTERRUPTED
    text = finished.failure("ERROR collecting healthguard")
    assert text.startswith("The HEALTHGUARD setting cannot be read: RuntimeError at ")
    assert "not shown" not in finished.output
    assert "Traceback" not in finished.output
