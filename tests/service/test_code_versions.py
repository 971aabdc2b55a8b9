"""The versions of the loaded code: those of the files at the time of the import."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from healthguard.checks import RequiredTables
from healthguard.service import code_versions
from healthguard.service.code_versions import check_versions, remember_versions, settings_version
from tests.support import rich_declaration


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the files again, as a new process does."""
    monkeypatch.setattr(code_versions, "_versions", {})


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a settings module, behind a symbolic link."""
    release = tmp_path / "release"
    release.mkdir()
    (tmp_path / "current").symlink_to(release)
    file = release / "a_settings.py"
    file.write_text("DEBUG = False")
    module = ModuleType("a_settings")
    module.__file__ = str(tmp_path / "current" / file.name)
    monkeypatch.setitem(sys.modules, "a_settings", module)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "a_settings")
    return file


def test_version_is_the_real_path_the_size_and_the_time_of_the_last_change(settings_file: Path) -> None:
    os.utime(settings_file, ns=(0, 1_700_000_000_123_456_789))
    assert settings_version() == (os.path.realpath(settings_file), 13, 1_700_000_000_123_456_789)


def test_version_is_kept_after_the_file_has_been_replaced(settings_file: Path) -> None:
    remember_versions()
    settings_file.write_text("DEBUG = True  # new")
    version = settings_version()
    assert version is not None
    assert version[1] == 13


def test_version_of_a_check_is_that_of_all_its_bases() -> None:
    names = [os.path.basename(path) for path, _, _ in check_versions(RequiredTables)]
    assert names == ["schema.py", "schema.py", "base.py", "base.py", "abc.py"]


def test_versions_of_loaded_checks_are_remembered() -> None:
    remember_versions()
    assert rich_declaration.__file__ in code_versions._versions


def test_file_that_does_not_exist_has_a_version(settings_file: Path) -> None:
    """The module may be in an archive."""
    settings_file.unlink()
    assert settings_version() == (os.path.realpath(settings_file), 0, 0)


@pytest.mark.parametrize("module", [None, object(), ModuleType("without_a_file")])
def test_module_without_a_file_has_no_version(monkeypatch: pytest.MonkeyPatch, module: object) -> None:
    monkeypatch.setitem(sys.modules, "a_settings", module)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "a_settings")
    assert settings_version() is None


def test_process_without_a_settings_module_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    assert settings_version() is None
