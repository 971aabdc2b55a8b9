"""``manage.py healthguard check``: what it checks, and the exit code that it ends with."""

from __future__ import annotations

import pytest
from django.test import override_settings

from tests.management.conftest import Command, Project

MIXED = '{"good": Passes(), "bad": Fails(), "group": {"loose": Warns(), "fine": [Passes(), Passes()]}}'


def test_healthy_project_ends_with_0(project: Project) -> None:
    done = project.declare('{"good": Passes()}').check()
    assert (done.code, done.err) == (0, "")
    assert "Healthy: 1 service" in done.out


def test_unhealthy_project_ends_with_1_and_names_the_remedy(command: Command) -> None:
    done = command.declare(MIXED).check()
    assert done.code == 1
    for text in ("bad", "Fails", "plug_out (config)", "The plug is out.", "Fix: Put it in."):
        assert text in done.out


def test_nothing_is_logged(project: Project) -> None:
    """The report is the output; a log line of the same problem would only repeat it."""
    assert project.declare(MIXED).check().err == ""


def test_services_with_problems_come_first(command: Command) -> None:
    lines = command.declare(MIXED).check().out.splitlines()
    services = [line.split()[1] for line in lines if line and line.split()[0] in ("healthy", "UNHEALTHY", "DEGRADED")]
    assert services == ["bad", "Fails", "group/loose", "Warns", "good", "group/fine"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["good"], 0),
        (["group"], 0),
        (["group/loose"], 0),
        (["group.loose", "/good/"], 0),
        (["bad"], 1),
        (["good", "bad"], 1),
        (["--exclude", "bad"], 0),
        (["--exclude", "group", "--exclude", "good"], 1),
        (["group", "--exclude", "group/loose", "--strict"], 0),
        (["group", "--strict"], 1),
        (["good", "--strict"], 0),
        (["--allow", "plug_out"], 0),
        (["--allow", "plug_out", "--strict"], 1),
        (["--allow", "plug_out", "--allow", "plug_loose", "--strict"], 0),
        (["--allow", "plug_loose"], 1),
    ],
)
def test_exit_code_depends_on_the_selected_services(command: Command, arguments: list[str], code: int) -> None:
    assert command.declare(MIXED).check(*arguments).code == code


def test_allowed_problem_counts_as_degraded(command: Command) -> None:
    report = command.declare(MIXED).check("--allow", "plug_out", "--format", "json").json
    assert report["status"] == "degraded"
    assert report["bad"]["checks"][0]["status"] == "degraded"
    assert report["bad"]["checks"][0]["code"] == "plug_out"


def test_service_that_is_not_critical_is_degraded(command: Command) -> None:
    done = command.declare('{"bad": Service(Fails(), critical=False)}').check("--format", "json")
    assert (done.code, done.json["status"]) == (0, "degraded")


@pytest.mark.parametrize("option", ["SERVICE", "--exclude"])
def test_unknown_name_ends_with_2_and_the_nearest_name(command: Command, option: str) -> None:
    arguments = ["group/lose"] if option == "SERVICE" else ["--exclude", "group/lose"]
    done = command.declare(MIXED).check(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "named 'group/lose'. Did you mean 'group/loose'?" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "xml"],
        ["--deadline", "0"],
        ["--deadline", "-1"],
        ["--deadline", "nan"],
        ["--deadline", "inf"],
        ["--deadline", "1e400"],
        ["--deadline", ""],
        ["--wait", "soon"],
        ["--wait", "9" * 400],
        ["--allow", ""],
        ["--allow", "no-code"],
        ["--allow", "invalid_declaration"],
        ["--wait-for-config"],
        ["--ca-file", "ca.pem"],
        ["--offline", "--url", "http://127.0.0.1:1/api/health"],
        ["--url", "example.com/api/health"],
        ["--url", "/api/health"],
        ["--url", "ftp://example.com/api/health"],
        ["--url", ""],
        ["--url", "http://127.0.0.1:1/", "--token-env", "Vq3zN8rT-5wXb7Yc2KdLm9Pf4"],
        ["--url", "https://127.0.0.1:1/", "--ca-file", "missing.pem"],
        ["--url", "https://127.0.0.1:1/", "--ca-file", ""],
        [""],
        ["--exclude", "good", "--exclude", "bad", "--exclude", "group"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_one_sentence(command: Command, arguments: list[str]) -> None:
    done = command.declare(MIXED).check(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "rror" in done.err.splitlines()[-1]


def test_user_in_the_url_is_not_shown(command: Command) -> None:
    done = command.declare(MIXED).check("--url", "http://admin:Vq3zN8rT5wXb7Yc2@127.0.0.1:1/api/health")
    assert done.code == 2
    assert "Vq3zN8rT5wXb7Yc2" not in done.err


@pytest.mark.parametrize(
    "services",
    ['{"bad": "no.such.check"}', '{"bad": Service(Passes(), ready="sometimes")}', "[]", "{}", '{"é": Passes()}'],
)
def test_invalid_declaration_ends_with_2(command: Command, services: str) -> None:
    done = command.declare(services).check()
    assert done.code == 2
    assert "invalid_declaration" in done.out


def test_broken_urlconf_is_unhealthy(command: Command) -> None:
    """The project could not answer any request, so it must not be deployed."""
    command.declare('{"good": Passes()}')
    with override_settings(ROOT_URLCONF="no_such_module"):
        done = command.check()
    assert done.code == 1
    assert "urlconf_broken" in done.out


def test_project_without_a_declaration_is_checked_by_default(project: Project) -> None:
    project.site.write()
    done = project.check("--format", "json")
    assert done.code == 1, "nothing is migrated"
    assert set(done.json["services"]) >= {"django_config", "database"}
    project.site.migrate()
    assert project.check("django_config", "database").code == 0


def test_note_about_a_code_that_is_similar_to_a_known_one(command: Command) -> None:
    done = command.declare(MIXED).check("good", "--allow", "migration_pending")
    assert done.code == 0
    assert "Did you mean 'migrations_pending'?" in done.err
    assert command.check("good", "--allow", "migrations_pending").err == ""


def test_offline_checks_only_what_needs_no_network_and_no_database(project: Project) -> None:
    services = """{
        "config": [SecretKey(), EnvironmentVariable("HOME")],
        "database": [DatabaseName("site.sqlite3"), AppliedMigrations(), "health_check.checks.Database"],
        "keys": AIProviderKey("anthropic"),
        "vended": AIProviderKey("openai", key=lambda: "key"),
    }"""
    key = "sk-ant-api03-" + "Vq3zN8rT5wXb7Yc2KdLm9Pf4" * 4
    # Nothing listens there, so a request would be noticed.
    done = project.declare(services).check(
        "--offline", "--format", "json", ANTHROPIC_API_KEY=key, ANTHROPIC_BASE_URL="http://127.0.0.1:1"
    )
    checks = {name: [entry["check"] for entry in done.json[name]["checks"]] for name in done.json["services"]}
    assert checks == {
        "config": ["SecretKey", "EnvironmentVariable"],
        "database": ["DatabaseName"],
        "keys": ["AIProviderKey"],
    }
    assert done.code == 0
    assert not (project.site.folder / "site.sqlite3").exists(), "the database was not opened"
    left_out = project.check("--offline", ANTHROPIC_API_KEY=key).out
    assert "Not checked: database AppliedMigrations, database Database, vended AIProviderKey." in left_out


def test_offline_finds_the_wrong_database_in_the_settings(project: Project) -> None:
    done = project.declare('{"database": [DatabaseName("other.sqlite3"), AppliedMigrations()]}').check("--offline")
    assert done.code == 1
    assert "wrong_database" in done.out


def test_nothing_to_check_offline_ends_with_2(command: Command) -> None:
    done = command.declare('{"database": AppliedMigrations()}').check("--offline")
    assert done.code == 2
    assert "nothing to check" in done.err


def test_hanging_check_ends_at_the_deadline_and_the_process_exits(project: Project) -> None:
    done = project.declare('{"slow": Service(Hangs(), timeout=3600), "good": Passes()}').check(
        "--deadline", "1", "--format", "json"
    )
    assert done.code == 1
    assert done.json["services"] == {"slow": "unknown", "good": "healthy"}
    assert "within the deadline of 1 s" in done.json["slow"]["checks"][0]["message"]


def test_process_of_its_own_does_not_run_checks_inline(project: Project) -> None:
    """Inline, nothing would end a check that hangs."""
    done = project.declare('{"slow": Service(Hangs(), timeout=3600)}', INLINE=True).check("--deadline", "1")
    assert done.code == 1
    assert "within the deadline of 1 s" in done.out


def test_hanging_check_ends_at_the_timeout_of_its_service(project: Project) -> None:
    done = project.declare('{"slow": Service(Hangs(), timeout=1)}').check()
    assert done.code == 1
    assert "timeout (outage)" in done.out


@pytest.mark.parametrize("check", ["LeavesThread", "LeavesExecutor"])
@pytest.mark.parametrize(("more", "code"), [("Passes()", 0), ("Fails()", 1)])
def test_threads_that_a_check_leaves_behind_do_not_keep_the_process(
    project: Project, check: str, more: str, code: int
) -> None:
    """The interpreter waits for all threads that are not daemons, and these run for a day."""
    done = project.declare(f'{{"leaves": {check}(), "other": {more}}}').check()
    assert done.code == code
    assert "2 services" in done.out


def test_setting_that_raises_when_it_is_read_ends_with_2(project: Project) -> None:
    lazy = """
class Lazy(dict):
    def __contains__(self, name):
        raise RuntimeError("hunter2-hunter2-hunter2")
HEALTHGUARD = Lazy()
"""
    done = project.declare("{}", more=lazy).check()
    assert (done.code, done.out) == (2, "")
    assert "The declaration cannot be read: RuntimeError at " in done.err
    assert "hunter2" not in done.err


def test_a_thousand_services_are_checked(command: Command) -> None:
    services = '{f"s{number}": Passes() for number in range(1000)}'
    done = command.declare(services).check("--verbosity", "0")
    assert (done.code, done.out) == (0, "Healthy: 1000 services, of which 1000 healthy.\n")


@pytest.mark.parametrize("arguments", [["--settings", "site_settings"], ["--no-color"], ["--verbosity=2"]])
def test_options_of_all_commands_may_follow_the_subcommand(project: Project, arguments: list[str]) -> None:
    assert project.declare('{"good": Passes()}').check(*arguments).code == 0


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["drill", "--help"]])
def test_help_fits_80_columns(project: Project, arguments: list[str]) -> None:
    assert max(map(len, project.help(*arguments).splitlines())) <= 80


def test_help_has_examples_and_the_exit_codes(project: Project) -> None:
    text = project.help("check", "--help")
    assert "examples:" in text
    assert "exit codes:" in text
