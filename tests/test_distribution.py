"""Another distribution that provides the package healthguard is reported by a system check."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path

import pytest

from healthguard import system_checks
from healthguard.distribution import other_distributions
from healthguard.version import __version__
from tests.fresh_environment import FreshEnvironment, build_wheel
from tests.sites import REPOSITORY

STRANGER = {"healthguard/__init__.py": "'''Written by somebody else.'''\n"}


@pytest.fixture
def environment(tmp_path) -> FreshEnvironment:
    """An environment with healthguard, and a project that uses it."""
    fresh = FreshEnvironment(tmp_path / "venv")
    fresh.run("-m", "django", "startproject", "mysite", str(tmp_path), cwd=tmp_path)
    with (tmp_path / "mysite" / "settings.py").open("a") as settings:
        settings.write("\nINSTALLED_APPS += ['healthguard']\n")
    with (tmp_path / "mysite" / "urls.py").open("a") as urls:
        urls.write("\nfrom django.urls import include\nurlpatterns += [path('health', include('healthguard.urls'))]\n")
    return fresh


def check(tmp_path: Path, python: str, **variables: str) -> str:
    """Run ``manage.py check``; return its messages."""
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
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target", str(folder), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)


def test_installed_alone_there_is_no_warning(environment, tmp_path) -> None:
    """The distribution itself is not another one."""
    assert "no issues" in check(tmp_path, environment.python)


def test_a_stranger_installed_over_it_is_reported_until_the_hint_is_followed(environment, tmp_path) -> None:
    """The check works although the stranger's ``__init__.py`` has replaced ours, and the hint repairs it."""
    wheel = build_wheel(tmp_path, "healthguard", STRANGER)
    environment.pip("install", "--no-index", "--no-deps", str(wheel))
    assert "somebody else" in (environment.site_packages / "healthguard" / "__init__.py").read_text()
    told = check(tmp_path, environment.python)
    assert "(healthguard.W004) The distribution 'healthguard' also provides" in told
    assert "'pip uninstall healthguard', then 'pip install --force-reinstall django-healthguard'" in told
    environment.pip("uninstall", "--yes", "healthguard")
    environment.install_checkout("--force-reinstall")
    assert "no issues" in check(tmp_path, environment.python)
    assert environment.run("-c", "from healthguard import Service; print(Service.__name__)") == "Service\n"


def test_a_checkout_on_the_path_reports_a_stranger(environment, tmp_path) -> None:
    """Nothing of ours needs to be installed."""
    environment.pip("uninstall", "--yes", "django-healthguard")
    assert "no issues" in check(tmp_path, environment.python, PYTHONPATH=str(REPOSITORY))
    environment.pip("install", "--no-index", "--no-deps", str(build_wheel(tmp_path, "healthguard", STRANGER)))
    assert "(healthguard.W004)" in check(tmp_path, environment.python, PYTHONPATH=str(REPOSITORY))


def test_an_editable_installation_reports_a_stranger(environment, tmp_path) -> None:
    """An editable installation lists none of its files.

    The checkout is put first on the path, because site-packages stands before it: there the stranger's package hides
    ours, and none of our code runs.
    """
    environment.install_checkout("--editable")
    assert "no issues" in check(tmp_path, environment.python)
    environment.pip("install", "--no-index", "--no-deps", str(build_wheel(tmp_path, "healthguard", STRANGER)))
    assert "(healthguard.W004)" in check(tmp_path, environment.python, PYTHONPATH=str(REPOSITORY))


@pytest.mark.parametrize("name", ["healthguard", "Some_Fork.of-it"])
def test_a_provider_of_any_name_is_found(tmp_path, monkeypatch, name) -> None:
    """The name is the one that pip takes."""
    install_into(tmp_path / "target", build_wheel(tmp_path, name, STRANGER))
    monkeypatch.syspath_prepend(str(tmp_path / "target"))
    assert other_distributions() == [name.lower().replace("_", "-").replace(".", "-")]
    (warning,) = system_checks.check_distribution(None)
    assert warning.id == "healthguard.W004"


def test_an_editable_provider_is_found_by_its_declared_packages(tmp_path, monkeypatch) -> None:
    """The RECORD of an editable installation by setuptools lists a finder; top_level.txt lists the package."""
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
def test_a_distribution_with_another_package_is_not_reported(tmp_path, monkeypatch, files) -> None:
    """Only the top-level package of exactly this name counts."""
    install_into(tmp_path / "target", build_wheel(tmp_path, "health-guard-tools", files))
    monkeypatch.syspath_prepend(str(tmp_path / "target"))
    assert other_distributions() == []


def test_the_same_distribution_twice_on_the_path_is_not_another_one(tmp_path, monkeypatch) -> None:
    """A copy in a second folder has our name."""
    install_into(tmp_path / "target", build_wheel(tmp_path, "Django.Healthguard", STRANGER))
    monkeypatch.syspath_prepend(str(tmp_path / "target"))
    assert other_distributions() == []


DAMAGED = {
    "no-metadata": {"RECORD": b"healthguard/__init__.py,,\n"},
    "no-name": {"RECORD": b"healthguard/__init__.py,,\n", "METADATA": b"Metadata-Version: 2.1\n"},
    "not-utf8": {"RECORD": b"\xff\xfehealthguard/", "METADATA": b"Name: \xff\n", "top_level.txt": b"\xff"},
    "empty": {},
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_distribution_neither_raises_nor_hides_a_stranger(tmp_path, monkeypatch, damage) -> None:
    """A distribution without a readable name is passed over."""
    target = tmp_path / "target"
    install_into(target, build_wheel(tmp_path, "healthguard", STRANGER))
    info = target / "aaa_damaged-1.0.dist-info"
    info.mkdir()
    for name, content in DAMAGED[damage].items():
        (info / name).write_bytes(content)
    monkeypatch.syspath_prepend(str(target))
    assert other_distributions() == ["healthguard"]


class RaisingFinder(DistributionFinder):
    """A finder of a third party that fails."""

    def find_distributions(self, context=None):
        raise RuntimeError

    def find_spec(self, *arguments):
        return None


class RaisingDistribution(Distribution):
    """A distribution of a third party that fails."""

    def read_text(self, filename):
        raise RuntimeError

    def locate_file(self, path):
        raise RuntimeError


class FinderOfRaising(RaisingFinder):
    """A finder that lists such a distribution."""

    def find_distributions(self, context=None):
        return [RaisingDistribution()]


@pytest.mark.parametrize("finder", [RaisingFinder(), FinderOfRaising()])
def test_a_finder_that_raises_does_not_break_the_check(tmp_path, monkeypatch, finder) -> None:
    """What the other finders list is still read."""
    install_into(tmp_path / "target", build_wheel(tmp_path, "healthguard", STRANGER))
    monkeypatch.syspath_prepend(str(tmp_path / "target"))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])
    assert other_distributions() == ["healthguard"]


def test_the_installed_version_is_the_version_of_the_package(environment) -> None:
    """The distribution is called django-healthguard, the package healthguard."""
    shown = environment.pip("show", "django-healthguard")
    assert "Name: django-healthguard\n" in shown
    assert f"Location: {environment.site_packages}\n" in shown
    program = "import healthguard, importlib.metadata as m; print(healthguard.__version__, m.version('{}'))"
    installed = environment.run("-c", program.format("django-healthguard")).split()
    assert installed == [__version__] * 2
