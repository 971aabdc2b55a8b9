"""A system check reports another distribution that provides the package healthguard."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path
from typing import Any

import pytest

from healthguard import __version__
from healthguard.system_checks import checks as system_checks
from healthguard.system_checks.distribution import other_distributions
from tests.repository.fresh_environment import FreshEnvironment, build_wheel
from tests.support.sites import REPOSITORY

STRANGER = {"healthguard/__init__.py": "'''Written by somebody else.'''\n"}


@pytest.fixture
def environment(tmp_path: Path) -> FreshEnvironment:
    """An environment in which healthguard is installed, beside a project that uses it."""
    fresh = FreshEnvironment(tmp_path / "venv")
    fresh.run("-m", "django", "startproject", "mysite", str(tmp_path), cwd=tmp_path)
    with (tmp_path / "mysite" / "settings.py").open("a") as settings:
        settings.write("\nINSTALLED_APPS += ['healthguard']\n")
    with (tmp_path / "mysite" / "urls.py").open("a") as urls:
        urls.write("\nfrom django.urls import include\nurlpatterns += [path('health', include('healthguard.urls'))]\n")
    return fresh


def run_system_checks(tmp_path: Path, python: str, **variables: str) -> str:
    """Run ``manage.py check`` and return its output."""
    done = subprocess.run(
        [python, "manage.py", "check"],
        cwd=tmp_path,
        env={**{name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def install_into(folder: Path, wheel: Path) -> None:
    """Install a wheel into a folder."""
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target", str(folder), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def installed_stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which another distribution is installed."""
    folder = tmp_path_factory.mktemp("stranger")
    install_into(folder / "target", build_wheel(folder, "healthguard", STRANGER))
    return folder / "target"


@pytest.fixture
def stranger(installed_stranger: Path, tmp_path: Path) -> Path:
    """A copy of that folder, which a test may change."""
    return shutil.copytree(installed_stranger, tmp_path / "target")


def test_own_distribution_is_not_reported(environment: FreshEnvironment, tmp_path: Path) -> None:
    assert "no issues" in run_system_checks(tmp_path, environment.python)


def test_distribution_that_overwrites_files_is_reported_until_it_is_removed(
    environment: FreshEnvironment, tmp_path: Path
) -> None:
    """The check runs although the other ``__init__.py`` has replaced ours, and the hint restores the package."""
    wheel = build_wheel(tmp_path, "healthguard", STRANGER)
    environment.pip("install", "--no-index", "--no-deps", str(wheel))
    assert "somebody else" in (environment.site_packages / "healthguard" / "__init__.py").read_text()
    output = run_system_checks(tmp_path, environment.python)
    assert "(healthguard.W004) The distribution 'healthguard' also provides" in output
    assert "'pip uninstall healthguard', then 'pip install --force-reinstall django-healthguard'" in output
    environment.pip("uninstall", "--yes", "healthguard")
    environment.install_checkout("--force-reinstall")
    assert "no issues" in run_system_checks(tmp_path, environment.python)
    assert environment.run("-c", "from healthguard import Service; print(Service.__name__)") == "Service\n"


def test_a_checkout_on_the_path_reports_another_distribution(environment: FreshEnvironment, tmp_path: Path) -> None:
    """The check works although django-healthguard is not installed."""
    environment.pip("uninstall", "--yes", "django-healthguard")
    assert "no issues" in run_system_checks(tmp_path, environment.python, PYTHONPATH=str(REPOSITORY))
    environment.pip("install", "--no-index", "--no-deps", str(build_wheel(tmp_path, "healthguard", STRANGER)))
    assert "(healthguard.W004)" in run_system_checks(tmp_path, environment.python, PYTHONPATH=str(REPOSITORY))


def test_an_editable_installation_reports_another_distribution(environment: FreshEnvironment, tmp_path: Path) -> None:
    """The check works although an editable installation lists none of its files."""
    environment.install_checkout("--editable")
    assert "no issues" in run_system_checks(tmp_path, environment.python)
    environment.pip("install", "--no-index", "--no-deps", str(build_wheel(tmp_path, "healthguard", STRANGER)))
    # The checkout comes first on the path. Otherwise the package in site-packages hides it, and none of its code runs.
    assert "(healthguard.W004)" in run_system_checks(tmp_path, environment.python, PYTHONPATH=str(REPOSITORY))


@pytest.mark.parametrize("name", ["healthguard", "Some_Fork.of-it"])
def test_a_distribution_of_any_name_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The name is reported in the form that pip uses."""
    install_into(tmp_path / "target", build_wheel(tmp_path, name, STRANGER))
    monkeypatch.syspath_prepend(str(tmp_path / "target"))
    assert other_distributions() == [name.lower().replace("_", "-").replace(".", "-")]
    (warning,) = system_checks.check_distribution(None)
    assert warning.id == "healthguard.W004"


def test_an_editable_distribution_is_found_by_its_declared_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The RECORD of an editable installation by setuptools lists a finder, and top_level.txt lists the package."""
    files = {"__editable___stranger_finder.py": "", "stranger-9.9.dist-info/top_level.txt": "healthguard\n"}
    install_into(tmp_path / "target", build_wheel(tmp_path, "stranger", files))
    monkeypatch.syspath_prepend(str(tmp_path / "target"))
    assert other_distributions() == ["stranger"]


@pytest.mark.parametrize(
    "files",
    [
        {"healthguard_tools/__init__.py": ""},
        {"other/healthguard/__init__.py": ""},
        {"django_healthguard/__init__.py": ""},
        {},
    ],
    ids=["longer-name", "subpackage", "distribution-name", "nothing"],
)
def test_a_distribution_with_another_package_is_not_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
) -> None:
    """Only a top-level package of exactly this name is a conflict."""
    install_into(tmp_path / "target", build_wheel(tmp_path, "health-guard-tools", files))
    monkeypatch.syspath_prepend(str(tmp_path / "target"))
    assert other_distributions() == []


def test_the_same_distribution_twice_on_the_path_is_not_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of django-healthguard in a second folder has the same normalized name."""
    install_into(tmp_path / "target", build_wheel(tmp_path, "Django.Healthguard", STRANGER))
    monkeypatch.syspath_prepend(str(tmp_path / "target"))
    assert other_distributions() == []


DAMAGED: dict[str, dict[str, bytes]] = {
    "no-metadata": {"RECORD": b"healthguard/__init__.py,,\n"},
    "no-name": {"RECORD": b"healthguard/__init__.py,,\n", "METADATA": b"Metadata-Version: 2.1\n"},
    "not-utf8": {"RECORD": b"\xff\xfehealthguard/", "METADATA": b"Name: \xff\n", "top_level.txt": b"\xff"},
    "empty": {},
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_distribution_neither_raises_nor_hides_another_one(
    stranger: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """A distribution without a readable name is skipped."""
    info = stranger / "aaa_damaged-1.0.dist-info"
    info.mkdir()
    for name, content in DAMAGED[damage].items():
        (info / name).write_bytes(content)
    monkeypatch.syspath_prepend(str(stranger))
    assert other_distributions() == ["healthguard"]


class RaisingFinder(DistributionFinder):
    """A finder of a third party that fails."""

    def find_distributions(self, context: Any = None) -> Iterable[Distribution]:
        raise RuntimeError

    def find_spec(self, *arguments: Any, **options: Any) -> None:
        return None


class RaisingDistribution(Distribution):
    """A distribution of a third party that fails."""

    def read_text(self, filename: str) -> str | None:
        raise RuntimeError

    def locate_file(self, path: Any) -> Any:
        raise RuntimeError


class FinderOfRaising(RaisingFinder):
    """A finder that lists such a distribution."""

    def find_distributions(self, context: Any = None) -> Iterable[Distribution]:
        return [RaisingDistribution()]


@pytest.mark.parametrize("finder", [RaisingFinder(), FinderOfRaising()])
def test_a_finder_that_raises_does_not_break_the_check(
    stranger: Path, monkeypatch: pytest.MonkeyPatch, finder: DistributionFinder
) -> None:
    """The distributions that the other finders list are still found."""
    monkeypatch.syspath_prepend(str(stranger))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])
    assert other_distributions() == ["healthguard"]


def test_the_installed_version_is_the_version_of_the_package(environment: FreshEnvironment) -> None:
    """The name of the distribution is django-healthguard, and that of the package is healthguard."""
    shown = environment.pip("show", "django-healthguard")
    assert "Name: django-healthguard\n" in shown
    assert f"Location: {environment.site_packages}\n" in shown
    program = "import healthguard, importlib.metadata as m; print(healthguard.__version__, m.version('{}'))"
    installed = environment.run("-c", program.format("django-healthguard")).split()
    assert installed == [__version__] * 2
