"""The option ``--healthguard``: its position, its values, and projects in which it cannot be used."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pytest_plugin.conftest import Suite

OWN = "tests/test_own.py::test_own"
SECRET, GOOD = "healthguard::secret::SecretKey", "healthguard::good::Passes"
SERVICES = '{"secret": SecretKey(), "good": Passes()}'

START = """
import sys, pytest
code = pytest.main(["-q", "-p", "no:django", "-p", "no:cacheprovider"])
loaded = {name.partition(".")[0] for name in sys.modules}
print(code.name, "healthguard" in loaded, sorted(loaded & {"django", "health_check", "httpx", "asgiref", "regex"}))
"""


def test_plugin_is_installed_as_an_entry_point() -> None:
    (entry,) = importlib.metadata.entry_points(group="pytest11", name="healthguard")
    assert entry.value == "healthguard.pytest_plugin"


def test_pytest_without_the_option_imports_no_part_of_django(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    # Otherwise pytest takes its options from a pyproject.toml in a folder above.
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run([sys.executable, "-c", START], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "OK True []"


def test_plugin_imports_only_pytest_and_the_standard_library() -> None:
    program = "import sys, pytest; before = set(sys.modules); import healthguard.pytest_plugin; "
    program += "print(*sorted(name for name in set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    roots = {name.partition(".")[0] for name in done.stdout.split()}
    assert "healthguard" in roots
    assert roots - sys.stdlib_module_names == {"healthguard"}


@pytest.fixture(scope="module")
def declared(suite_of_module: Suite) -> Suite:
    return suite_of_module.declare(SERVICES)


@pytest.mark.parametrize(
    "arguments",
    [("--healthguard", "tests/"), ("tests/", "--healthguard"), ("--healthguard=deployment", "tests/")],
    ids=" ".join,
)
def test_option_takes_no_path_as_its_value(declared: Suite, arguments: tuple[str, ...]) -> None:
    assert set(declared.run(*arguments, "--collect-only", "-q", "-k", "not sabotage").ids) == {OWN, SECRET, GOOD}


@pytest.mark.parametrize(
    ("configured", "arguments", "outcome"),
    [
        ("--healthguard", (), "skipped"),
        ("--healthguard=deployment", (), "passed"),
        ("--healthguard", ("--healthguard=deployment",), "passed"),
    ],
)
def test_option_may_be_configured(suite: Suite, configured: str, arguments: tuple[str, ...], outcome: str) -> None:
    """An option of the command line takes precedence."""
    suite.declare(SERVICES).write_ini(f"DJANGO_SETTINGS_MODULE = site_settings\naddopts = {configured}")
    assert suite.run(*arguments, "-v").of_checks == {OWN: "passed", SECRET: outcome, GOOD: "passed"}


def test_unknown_value_is_an_error_of_usage(declared: Suite) -> None:
    finished = declared.run("--healthguard=nonsense")
    assert finished.code == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in finished.output.splitlines() if "nonsense" in line]
    assert "argument --healthguard/--healthguard=deployment: ignored explicit argument 'nonsense'" in line


def test_project_without_settings_is_an_error_of_usage(suite: Suite) -> None:
    finished = suite.write_ini("").run("--healthguard", DJANGO_SETTINGS_MODULE=None)
    assert finished.code == pytest.ExitCode.USAGE_ERROR
    (line,) = finished.output.split("\n\n")[0].strip().splitlines()[-1:]
    assert line.startswith("ERROR: --healthguard needs the settings of a Django project.")
    for text in ("DJANGO_SETTINGS_MODULE", "--ds", "pytest-django"):
        assert text in line


def test_fixture_without_settings_is_a_failure(suite: Suite) -> None:
    suite.write_ini("").write("tests/test_own.py", "def test_own(healthguard):\n    pass\n")
    finished = suite.run("-v", DJANGO_SETTINGS_MODULE=None)
    assert finished.outcomes == {OWN: "error"}
    text = finished.failure("ERROR at setup of test_own")
    assert text.startswith("The fixture 'healthguard' needs the settings of a Django project. Name them in DJANGO_SET")
    assert "pytest_plugin" not in finished.output


def test_missing_pytest_django_is_an_error_of_usage(declared: Suite) -> None:
    finished = declared.run("--healthguard", "-p", "no:django")
    assert finished.code == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --healthguard needs pytest-django, which is not installed or is disabled." in finished.output
    assert "Traceback" not in finished.output


def test_disabled_plugin_changes_nothing(declared: Suite) -> None:
    assert declared.run("-p", "no:healthguard", "-v").of_checks == {OWN: "passed"}
