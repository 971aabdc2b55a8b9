"""The databases that the items use."""

from __future__ import annotations

from tests.pytest_plugin.conftest import Suite

DATABASES = """
DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "other.sqlite3"}
DATABASES["replica"] = {**DATABASES["default"], "TEST": {"MIRROR": "default"}}
DATABASES["unused"] = {"ENGINE": "django.db.backends.postgresql", "NAME": "unused", "HOST": "127.0.0.1", "PORT": "1"}
"""
CONFTEST = """
import pytest

@pytest.fixture
def healthguard_data():
    from django.db import connection
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE made_by_fixture (id int)")
"""
AUTOUSE = """
import pytest

@pytest.fixture(autouse=True, scope="module")
def own(request):
    print(request.module.__name__)
"""


def test_only_the_databases_of_the_checks_are_created(suite: Suite) -> None:
    """The server of an alias that no check uses need not exist. A replica is a mirror of its primary."""
    services = '{"other": AppliedMigrations("other"), "replica": RequiredTables(["auth_user"], "replica")}'
    finished = suite.declare(services, more=DATABASES).run("--healthguard", "-v")
    assert finished.of_checks == {
        "tests/test_own.py::test_own": "passed",
        "healthguard::other::AppliedMigrations": "passed",
        "healthguard::replica::RequiredTables": "passed",
    }


def test_check_of_an_unknown_alias_fails(suite: Suite) -> None:
    finished = suite.declare('{"gone": RequiredTables(["auth_user"], "gone")}').run("--healthguard", "-v", "-k", "gone")
    assert finished.of_checks == {"healthguard::gone::RequiredTables": "failed"}
    assert "unknown_alias" in finished.failure("gone RequiredTables")


def test_check_runs_without_a_database(suite: Suite) -> None:
    finished = suite.declare('{"good": Passes()}', more="DATABASES = {}").run("--healthguard", "-v", "-k", "good")
    assert finished.of_checks == {"healthguard::good::Passes": "passed"}


def test_rows_of_the_project_are_created_for_each_item(suite: Suite) -> None:
    """The fixture of the project runs after that of the database, in the transaction of the item."""
    suite.declare('{"one": RequiredTables(["made_by_fixture"]), "two": RequiredTables(["made_by_fixture"])}')
    finished = suite.write("conftest.py", CONFTEST).run("--healthguard", "-v", "-k", "RequiredTables")
    assert set(finished.of_checks.values()) == {"passed"}
    assert len(finished.of_checks) == 2


def test_items_run_with_the_fixtures_of_the_project(suite: Suite) -> None:
    """A fixture with the scope of a module applies to each item, as to each test."""
    suite.declare('{"good": Passes()}').write("conftest.py", AUTOUSE)
    finished = suite.run("--healthguard", "-v", "-k", "good")
    assert finished.of_checks == {"healthguard::good::Passes": "passed"}
