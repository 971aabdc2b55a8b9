"""The migrations in the code, read as text files.

Importing them would take ten times as long, and would keep them in memory.
"""

from __future__ import annotations

import dataclasses
import graphlib
import os
import pkgutil
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeAlias

from django.apps import apps
from django.db.migrations.loader import MIGRATIONS_MODULE_NAME, MigrationLoader

Key: TypeAlias = "tuple[str, str]"
"""A migration: its app label and its name."""


@dataclasses.dataclass(frozen=True, slots=True)
class MigrationFiles:
    """The migrations of the installed apps, by their files.

    Args:
        paths: the path of each migration's source; None if only a ``.pyc`` file exists.
        apps: the labels of the apps that have migrations.
        imagined: a migration that is in no file; a sabotage adds one.
    """

    paths: Mapping[Key, str | None]
    apps: frozenset[str]
    imagined: Key | None = None

    def with_one_more(self, key: Key) -> MigrationFiles:
        """Return the same files and one migration more, which is in no file."""
        return dataclasses.replace(self, paths={**self.paths, key: None}, imagined=key)

    @property
    def are_plain(self) -> bool:
        """True if the texts of the files alone prove that the migrations are valid once all of them are applied.

        That is the case if every file can be read, replaces no migrations and declares its dependencies literally, if
        all dependencies exist, and if each app has exactly one leaf node. Otherwise only Django's own loader can
        decide.
        """
        graph: dict[Key, set[Key]] = {}
        for key, path in self.paths.items():
            dependencies = None if path is None else _dependencies(path)
            if dependencies is None or not all(map(self._has_migration, dependencies)):
                return False
            graph[key] = dependencies
        parents = {parent for key, dependencies in graph.items() for parent in dependencies if parent[0] == key[0]}
        leaves = [key for key in graph if key not in parents]
        return len(leaves) == len({app for app, _ in leaves}) and _is_acyclic(graph)

    def _has_migration(self, key: Key) -> bool:
        return key in self.paths or (
            key[1] in {"__first__", "__latest__"} and any(app == key[0] for app, _ in self.paths)
        )


def _is_acyclic(graph: Mapping[Key, set[Key]]) -> bool:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError:
        return False
    return True


def migration_files() -> MigrationFiles:
    """Return the migrations that ``django.db.migrations.loader.MigrationLoader`` would load.

    Only the packages are imported, not the migrations.

    Raises:
        ImportError: a package cannot be imported.
    """
    paths: dict[Key, str | None] = {}
    labels: set[str] = set()
    for config in apps.get_app_configs():
        folders = _migration_folders(config.label)
        if folders is None:
            continue
        labels.add(config.label)
        paths |= {(config.label, name): path for name, path in _modules(folders)}
    return MigrationFiles(paths, frozenset(labels))


def _migration_folders(label: str) -> list[str] | None:
    """Return the folders that contain an app's migrations; None if the app has no migrations according to Django."""
    name, is_explicit = MigrationLoader.migrations_module(label)
    if name is None:
        return None
    try:
        package = import_module(name)
    except ModuleNotFoundError as error:
        if not is_explicit and MIGRATIONS_MODULE_NAME in (error.name or "").split("."):
            return None
        raise
    path = getattr(package, "__path__", None)
    # A folder without an __init__.py is a namespace package: it has no file, and its path is not a list.
    is_namespace = getattr(package, "__file__", None) is None and not isinstance(path, list)
    return None if path is None or is_namespace else list(path)


def _modules(folders: list[str]) -> Iterator[tuple[str, str | None]]:
    for folder in filter(os.path.isdir, folders):
        # Raise OSError if the folder cannot be read, because pkgutil would treat it as empty.
        os.scandir(folder).close()
    for finder, name, is_package in pkgutil.iter_modules(folders):
        if not is_package and name[0] not in "_~":
            path = os.path.join(str(getattr(finder, "path", "")), f"{name}.py")
            yield name, path if os.path.isfile(path) else None


_UNSUPPORTED_ATTRIBUTES = re.compile(r"\b(replaces|run_before)\b")
_CLASS = re.compile(r"^class Migration\((?:migrations\.)?Migration\):", re.MULTILINE)
_DEPENDENCIES = re.compile(r"^[ \t]+dependencies\s*(?::[^=\n]+)?=\s*\[(.*?)\][ \t]*$", re.MULTILINE | re.DOTALL)
_DEPENDENCIES_WORD = re.compile(r"\bdependencies\b")
_COMMENT = re.compile(r"#.*")
_PAIR = re.compile(r"""\(\s*(["'])([\w.]+)\1\s*,\s*(["'])([\w.]+)\3\s*,?\s*\)""")
# It refers to the first migration of an installed app. If that app were missing, no model could be loaded.
_SWAPPABLE = re.compile(r"\b(?:migrations\.)?swappable_dependency\(\s*settings\.\w+\s*,?\s*\)")


def _dependencies(path: str) -> set[Key] | None:
    """Return the migrations that a migration depends on; None if its text does not declare them literally."""
    try:
        with open(path, encoding="utf-8") as file:
            text = _COMMENT.sub("", file.read())
    except (OSError, ValueError):
        return None
    lists = _DEPENDENCIES.findall(text)
    is_literal = len(lists) == 1 and len(_DEPENDENCIES_WORD.findall(text)) == 1 and len(_CLASS.findall(text)) == 1
    if not is_literal or _UNSUPPORTED_ATTRIBUTES.search(text):
        return None
    rest = _SWAPPABLE.sub("", _PAIR.sub("", lists[0]))
    if rest.replace(",", "").strip():
        return None
    return {(match[2], match[4]) for match in _PAIR.finditer(lists[0])}
