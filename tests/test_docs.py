"""Every setting, every problem code and every system check has its place in the docs."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import healthguard.checks
from healthguard import Service, conf
from healthguard.schema import Kind as SchemaKind
from healthguard.values import Kind as ValueKind
from healthguard.version import __version__
from tests.sites import REPOSITORY

DOCS = {path.name: path.read_text() for path in (REPOSITORY / "docs").glob("*.md")}
README = (REPOSITORY / "README.md").read_text()
PACKAGE = REPOSITORY / "healthguard"
RAISERS = {"Unhealthy", "Degraded", "Problem", "Meaning", "_Meaning", "_degraded"}


def codes() -> set[str]:
    """Every problem code in the source: the first argument of whatever makes a problem."""
    found: set[str] = {*SchemaKind}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                found |= _codes_in(node, path)
    return found


def _codes_in(call: ast.Call, path: Path) -> set[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    first = call.args[1] if name == "_Meaning" and path.name == "inspection.py" else call.args[0]
    if name in RAISERS | {"IfExp"} or isinstance(call.func, ast.IfExp):
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return {first.value}
        if path.name == "secrets.py" and isinstance(first, ast.JoinedStr):
            return {f"secret_key_{kind}" for kind in ValueKind}
    if name == "_problem" and path.name == "vended.py" and isinstance(first, ast.Constant):
        return {str(first.value)}
    if name == "_problem" and path.name == "environment.py":
        values = [first.value] if isinstance(first, ast.Constant) else list(ValueKind)
        return {f"variable_{value}" for value in values}
    return set()


def test_the_search_for_codes_finds_them() -> None:
    assert {"key_missing", "secret_key_empty", "variable_missing", "timeout", "database_full"} <= codes()
    assert len(codes()) > 45


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_code_is_documented(code) -> None:
    assert f"`{code}`" in DOCS["checks.md"]


@pytest.mark.parametrize("key", conf.KEYS)
def test_every_setting_is_documented(key) -> None:
    assert f"| `{key}` |" in DOCS["settings.md"]


@pytest.mark.parametrize("name", [name for name in inspect.signature(Service).parameters if name != "checks"])
def test_every_policy_is_documented(name) -> None:
    assert f"| `{name}` |" in DOCS["settings.md"]


@pytest.mark.parametrize("name", sorted(conf.RESERVED))
def test_every_reserved_name_is_documented(name) -> None:
    assert f"`{name}`" in DOCS["settings.md"]


def test_every_system_check_is_documented() -> None:
    from healthguard import system_checks

    source = inspect.getsource(conf) + inspect.getsource(system_checks)
    ids = set(re.findall(r'"(?:healthguard\.)?([EW]\d{3})"', source))
    assert ids == set(re.findall(r"healthguard\.([EW]\d{3})", DOCS["settings.md"]))


@pytest.mark.parametrize("name", healthguard.checks.__all__)
def test_every_check_is_documented(name) -> None:
    assert f"`{name}(" in DOCS["checks.md"]
    assert f"`{name}(" in README


def test_the_changelog_knows_this_version() -> None:
    assert f"\n## {__version__}\n" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_the_readme_names_commands_that_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in set(re.findall(r"make (\w+)", README)) - {"sure"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_link_between_pages_leads_somewhere() -> None:
    for name, text in {**DOCS, "../README.md": README}.items():
        folder = (REPOSITORY / "docs" / name).parent
        for target in re.findall(r"\]\(([^)#:]+\.md)\)", text):
            assert (folder / target).exists(), f"{name}: {target}"
