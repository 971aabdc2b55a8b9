"""The layout of the package matches docs/architecture.md."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sites import REPOSITORY

PACKAGE = REPOSITORY / "healthguard"
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text()
DJANGO_MODULES = {"apps.py", "urls.py", "views.py", "middleware.py", "wsgi.py", "asgi.py", "signals.py"} | {
    "system_checks",
    "management",
}
"""The modules and packages whose names Django defines."""


def names_in_package() -> set[str]:
    """Return the names of the modules and packages in healthguard/."""
    entries = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    return {entry.name for entry in entries} - {"__init__.py"}


def names_in_picture() -> set[str]:
    """Return the names in the picture of docs/architecture.md."""
    picture = PAGE.split("```text\nhealthguard/\n")[1].split("example_project/")[0]
    columns = [re.split(r"\s{3,}", line.strip())[0] for line in picture.splitlines()]
    return {name.rstrip("/") for column in columns for name in column.split()} - {"__init__.py"}


def layers() -> list[str]:
    """Return the layers of the contract in pyproject.toml, highest first."""
    contract = (REPOSITORY / "pyproject.toml").read_text().split("layers = [\n")[1].split("]")[0]
    return re.findall(r'"(.+)"', contract)


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_picture_shows_every_module_and_package() -> None:
    assert names_in_picture() == names_in_package()


def test_layers_are_those_of_the_contract() -> None:
    page = PAGE.split("## The layers")[1].split("```text\n")[1].split("```")[0]
    assert [" | ".join(line.split()) for line in page.splitlines()] == layers()


def test_package_has_few_modules_and_packages() -> None:
    """Users run ``probe`` and ``kubernetes`` by their names, and pytest loads ``pytest_plugin``."""
    assert len(names_in_package() - DJANGO_MODULES - {"probe", "kubernetes", "pytest_plugin"}) <= 16


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_is_at_most_400_lines_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_most_files_are_short() -> None:
    assert statistics.median(len(path.read_text().splitlines()) for path in sources()) < 150


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`?\b((?:\w+/)+\w+\.py)\b", PAGE))))
def test_page_names_files_that_exist(path: str) -> None:
    assert (PACKAGE / path).exists()


@pytest.mark.parametrize("method", sorted(set(re.findall(r"\b([A-Z]\w+)\.(\w+)\(\)", PAGE))))
def test_page_names_methods_that_exist(method: tuple[str, str]) -> None:
    class_name, name = method
    definitions = [source for path in sources() if f"class {class_name}" in (source := path.read_text())]
    assert any(f"def {name}(" in source for source in definitions)


def test_folders_of_the_tests_mirror_the_package() -> None:
    """The others test servers, engines and this repository, or are shared."""
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    others = {
        "benchmarks",
        "example_project",
        "faults",
        "matrix",
        "oracle",
        "projects",
        "repository",
        "servers",
        "support",
    }
    folders = {path.parent.name for path in (REPOSITORY / "tests").glob("*/__init__.py")}
    assert folders - packages == others | {"typing"}


def test_file_of_the_tests_is_at_most_400_lines_long() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in (REPOSITORY / "tests").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_package_is_imported_without_django() -> None:
    """A probe that runs without Django starts quickly, and a settings module may import the package."""
    program = (
        "import sys, healthguard; print([name for name in sys.modules if name.startswith(('django', 'health_check'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
