"""The items of ``--healthguard``: their ids, their outcomes, and the texts of their failures."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import Finished, Suite

SERVICES = """{
    "tables": [RequiredTables(["auth_user"]), RequiredTables(["missing"]), DatabaseName("site.sqlite3")],
    "group": {"inner": {"migrations": AppliedMigrations()}},
    "loose": Warns(),
    "optional": Service(Fails(), critical=False),
    "unknown": "no.such.Check",
    "optional_unknown": Service("no.such.Check", critical=False),
    "raises": ("outcomes.Fails", {"fault": "nonsense"}),
    "config": [SecretKey(), EnvironmentVariable("LICENSE")],
    "provider": AIProviderKey("anthropic"),
    "own_page": HTTPEndpoint("/"),
    "foreign_page": HTTPEndpoint("http://127.0.0.1:1/"),
    "third_party": "health_check.checks.Database",
}"""
HEALTHY = {
    "healthguard::tables::RequiredTables",
    "healthguard::group::inner::migrations::AppliedMigrations",
    "healthguard::own_page::HTTPEndpoint",
    "healthguard::third_party::Database",
}
SABOTAGED = {
    "healthguard::tables::RequiredTables[one table more]",
    "healthguard::tables::RequiredTables-2[one table more]",
    "healthguard::group::inner::migrations::AppliedMigrations[one migration more]",
    "healthguard::own_page::HTTPEndpoint[another status]",
}
DEGRADED = {"healthguard::loose::Warns", "healthguard::optional::Fails"}
FAILING = {
    "healthguard::tables::RequiredTables-2",
    "healthguard::unknown::Check",
    "healthguard::optional_unknown::Check",
    "healthguard::raises::Fails",
}
OF_DEPLOYMENT = {
    "healthguard::tables::DatabaseName",
    "healthguard::config::SecretKey",
    "healthguard::config::EnvironmentVariable",
    "healthguard::provider::AIProviderKey",
    "healthguard::foreign_page::HTTPEndpoint",
}
SABOTAGED_OF_DEPLOYMENT = {
    "healthguard::tables::DatabaseName[the name of another database]",
    "healthguard::config::SecretKey[the key is empty]",
    "healthguard::config::SecretKey[the key is cut short]",
    "healthguard::config::SecretKey[the key is a placeholder]",
    "healthguard::config::EnvironmentVariable[the variable is not set]",
    "healthguard::config::EnvironmentVariable[the value is empty]",
    "healthguard::config::EnvironmentVariable[the value is a placeholder]",
    "healthguard::provider::AIProviderKey[the key is empty]",
    "healthguard::provider::AIProviderKey[the key is a mock]",
    "healthguard::provider::AIProviderKey[the last character of the key differs]",
    "healthguard::foreign_page::HTTPEndpoint[another status]",
}
BLOCKED = {
    "healthguard::provider::AIProviderKey[the last character of the key differs]",
    "healthguard::foreign_page::HTTPEndpoint[another status]",
}
"""The sabotages that prove nothing, because the key is empty and nothing responds at the other endpoint."""
OWN = "tests/test_own.py::test_own"
OUTCOMES = {
    OWN: "passed",
    **dict.fromkeys(HEALTHY | DEGRADED | SABOTAGED, "passed"),
    **dict.fromkeys(FAILING, "failed"),
    **dict.fromkeys(OF_DEPLOYMENT | SABOTAGED_OF_DEPLOYMENT, "skipped"),
}


@pytest.fixture(scope="module")
def declared(suite_of_module: Suite) -> Suite:
    return suite_of_module.declare(SERVICES)


@pytest.fixture(scope="module")
def finished(declared: Suite) -> Finished:
    """A run with ``--healthguard``."""
    return declared.run("--healthguard", "-v", "-rfs")


def test_each_check_is_an_item_beside_the_tests_of_the_project(finished: Finished) -> None:
    assert finished.outcomes == OUTCOMES
    assert finished.code == 1


def test_failure_states_service_fact_remedy_check_and_evidence(finished: Finished) -> None:
    lines = finished.failure("tables RequiredTables-2").strip().splitlines()
    assert lines[0].startswith("tables is unhealthy: ")
    assert "missing" in lines[0]
    assert lines[1].startswith("Fix: ")
    assert lines[2] == "Found by RequiredTables: table_missing (config)"
    assert "  alias: default" in lines[3:]


def test_summary_states_the_fact(finished: Finished) -> None:
    (line,) = [line for line in finished.output.splitlines() if line.startswith("FAILED healthguard::unknown")]
    assert "'no.such.Check' cannot be imported" in line


def test_failure_has_no_traceback(finished: Finished) -> None:
    for text in ("Traceback", "pytest_plugin", "collectors.py", "pytest.fail"):
        assert text not in finished.output


def test_exception_of_a_check_is_reported_with_its_place(finished: Finished) -> None:
    text = finished.failure("raises Fails")
    assert "Fails raised ValueError." in text
    assert "\n  at: " in text


def test_degraded_check_is_a_warning(finished: Finished) -> None:
    assert "DegradedWarning: loose is degraded: The plug is loose." in finished.output


def test_failing_check_of_a_service_that_is_not_critical_is_a_warning(finished: Finished) -> None:
    assert "DegradedWarning: optional is degraded: The plug is out." in finished.output


def test_skipped_check_names_the_option_that_runs_it(finished: Finished) -> None:
    (line,) = [line for line in finished.output.splitlines() if line.startswith("SKIPPED [16]")]
    assert line.endswith("Run it there with --healthguard=deployment.")


def test_without_the_option_only_the_tests_of_the_project_run(declared: Suite) -> None:
    assert declared.run("-v").outcomes == {OWN: "passed"}


def test_degraded_check_fails_if_warnings_are_errors(declared: Suite) -> None:
    strict = "-Werror::healthguard.pytest_plugin.DegradedWarning"
    finished = declared.run("--healthguard", "-v", strict, "-k", "loose or optional")
    assert {finished.outcomes[name] for name in DEGRADED} == {"failed"}
    assert "The plug is loose." in finished.failure("loose Warns")
    assert "pytest_plugin/" not in finished.output


def test_workers_of_xdist_collect_and_run_the_same_items(declared: Suite) -> None:
    finished = declared.run("--healthguard", "-v", "-n", "2")
    assert finished.outcomes == OUTCOMES


def test_items_are_selected_by_keyword_without_a_database(declared: Suite) -> None:
    finished = declared.run("--healthguard", "--collect-only", "-q", "-k", "tables and RequiredTables")
    assert set(finished.ids) == {
        "healthguard::tables::RequiredTables",
        "healthguard::tables::RequiredTables[one table more]",
        "healthguard::tables::RequiredTables-2",
        "healthguard::tables::RequiredTables-2[one table more]",
    }


def test_sabotages_can_be_deselected(declared: Suite) -> None:
    finished = declared.run("--healthguard", "--collect-only", "-q", "-k", "not sabotage")
    assert set(finished.ids) == {OWN, *HEALTHY, *DEGRADED, *FAILING, *OF_DEPLOYMENT}


def test_last_failed_runs_the_failed_items_again(suite: Suite) -> None:
    suite.declare('{"good": Passes(), "bad": Fails()}').run("--healthguard")
    assert suite.run("--healthguard", "--lf", "-v").outcomes == {"healthguard::bad::Fails": "failed"}


def test_last_failed_runs_the_failed_items_beside_other_tests(suite: Suite) -> None:
    """pytest skips the files without failed tests, and the file of the settings is one of them."""
    suite.write("tests/test_failing.py", "def test_failing():\n    assert not 'healthy'\n")
    failed = dict.fromkeys(("healthguard::bad::Fails", "tests/test_failing.py::test_failing"), "failed")
    suite.declare('{"good": Passes(), "bad": Fails()}').run("--healthguard")
    assert suite.run("--healthguard", "--lf", "-v").outcomes == failed


def test_deployment_runs_the_skipped_checks(declared: Suite) -> None:
    """The name of the database is that of the settings, and not that of the test database."""
    finished = declared.run("--healthguard=deployment", "-v", LICENSE="Vq3zN8rT5wXb7Yc2", ANTHROPIC_API_KEY="")
    assert {name: finished.outcomes[name] for name in OF_DEPLOYMENT | SABOTAGED_OF_DEPLOYMENT} == {
        "healthguard::tables::DatabaseName": "passed",
        "healthguard::config::SecretKey": "passed",
        "healthguard::config::EnvironmentVariable": "passed",
        "healthguard::provider::AIProviderKey": "failed",
        "healthguard::foreign_page::HTTPEndpoint": "failed",
        **dict.fromkeys(SABOTAGED_OF_DEPLOYMENT, "passed"),
        **dict.fromkeys(BLOCKED, "skipped"),
    }
    assert "key_empty" in finished.failure("provider AIProviderKey")
