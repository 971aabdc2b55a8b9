"""The migrations in the code, read as files: to import them takes ten times as long, and keeps them for ever."""

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
"""A migration: the label of its app, and its name."""


@dataclasses.dataclass(frozen=True, slots=True)
class MigrationFiles:
    """The migrations of the installed apps, by their files.

    Args:
        paths: where the source of each is; None where there is none, as with ``.pyc`` files alone.
        apps: the labels of the apps that have migrations.
    """

    paths: Mapping[Key, str | None]
    apps: frozenset[str]

    @property
    def are_plain(self) -> bool:
        """Whether their texts alone tell that nothing is wrong with them once all are applied.

        So it is if every file can be read, replaces nothing and depends, in plain words, on files that are there, and
        if each app has one last migration. Where it is not, only Django's own loader can tell.
        """
        graph: dict[Key, set[Key]] = {}
        for key, path in self.paths.items():
            dependencies = None if path is None else _dependencies(path)
            if dependencies is None or not all(map(self._is_known, dependencies)):
                return False
            graph[key] = dependencies
        followed = {before for key, dependencies in graph.items() for before in dependencies if before[0] == key[0]}
        last = [key for key in graph if key not in followed]
        return len(last) == len({app for app, _ in last}) and _has_an_order(graph)

    def _is_known(self, key: Key) -> bool:
        return key in self.paths or (
            key[1] in {"__first__", "__latest__"} and any(app == key[0] for app, _ in self.paths)
        )


def _has_an_order(graph: Mapping[Key, set[Key]]) -> bool:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError:
        return False
    return True


def migration_files() -> MigrationFiles:
    """What ``django.db.migrations.loader.MigrationLoader`` would load. Only the packages themselves are imported.

    Raises:
        ImportError: a package cannot be imported.
    """
    paths: dict[Key, str | None] = {}
    labels: set[str] = set()
    for config in apps.get_app_configs():
        folders = _folders(config.label)
        if folders is None:
            continue
        labels.add(config.label)
        paths |= {(config.label, name): path for name, path in _modules(folders)}
    return MigrationFiles(paths, frozenset(labels))


def _folders(label: str) -> list[str] | None:
    """Where the migrations of an app are; None where Django says that it has none."""
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
    # An empty folder, which is a namespace to Python, has no file and a path of its own kind.
    is_namespace = getattr(package, "__file__", None) is None and not isinstance(path, list)
    return None if path is None or is_namespace else list(path)


def _modules(folders: list[str]) -> Iterator[tuple[str, str | None]]:
    for folder in filter(os.path.isdir, folders):
        # pkgutil takes one that cannot be read for an empty one.
        os.scandir(folder).close()
    for finder, name, is_package in pkgutil.iter_modules(folders):
        if not is_package and name[0] not in "_~":
            path = os.path.join(str(getattr(finder, "path", "")), f"{name}.py")
            yield name, path if os.path.isfile(path) else None


_UNUSUAL = re.compile(r"\b(replaces|run_before)\b")
_CLASS = re.compile(r"^class Migration\((?:migrations\.)?Migration\):", re.MULTILINE)
_DEPENDENCIES = re.compile(r"^[ \t]+dependencies\s*(?::[^=\n]+)?=\s*\[(.*?)\][ \t]*$", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"\bdependencies\b")
_COMMENT = re.compile(r"#.*")
_PAIR = re.compile(r"""\(\s*(["'])([\w.]+)\1\s*,\s*(["'])([\w.]+)\3\s*,?\s*\)""")
# It leads to the first migration of an app that is there: without it no model could be loaded.
_SWAPPABLE = re.compile(r"\b(?:migrations\.)?swappable_dependency\(\s*settings\.\w+\s*,?\s*\)")


def _dependencies(path: str) -> set[Key] | None:
    """What the migration depends on; None where its text does not say so in plain words."""
    try:
        with open(path, encoding="utf-8") as file:
            text = _COMMENT.sub("", file.read())
    except (OSError, ValueError):
        return None
    lists = _DEPENDENCIES.findall(text)
    if len(lists) != 1 or len(_WORD.findall(text)) != 1 or len(_CLASS.findall(text)) != 1 or _UNUSUAL.search(text):
        return None
    rest = _SWAPPABLE.sub("", _PAIR.sub("", lists[0]))
    if rest.replace(",", "").strip():
        return None
    return {(match[2], match[4]) for match in _PAIR.finditer(lists[0])}
