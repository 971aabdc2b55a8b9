"""The files of a folder that may contain manifests."""

from __future__ import annotations

import dataclasses
import os

from healthguard.kubernetes.reading.errors import InputError
from healthguard.kubernetes.reading.kustomizations import KUSTOMIZATION_FILES

_SUFFIXES = (".yaml", ".yml", ".json")
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})
_CHART_FILE = "Chart.yaml"
_CHART_FOLDERS = frozenset({"templates", "charts", "crds"})


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """The content of a folder and of the folders below it, sorted by path.

    Args:
        files: the files in YAML and JSON, except those of Helm charts.
        kustomizations: the files that configure kustomize.
        charts: the folders with a Helm chart.
        errors: the folders that cannot be read.
    """

    files: tuple[str, ...]
    kustomizations: tuple[str, ...]
    charts: tuple[str, ...]
    errors: tuple[InputError, ...]


def scan_folder(path: str) -> Folder:
    """Return the content of a folder.

    As with ``kubectl apply --recursive``, links to folders are not followed, so that a cycle does no harm. Hidden
    folders and those of installed packages are left out.
    """
    files: list[str] = []
    kustomizations: list[str] = []
    charts: list[str] = []
    errors: list[InputError] = []
    pending = [path]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as iterator:
                entries = sorted(iterator, key=lambda entry: entry.name)
        except OSError as error:
            message = f"The folder cannot be read: {error.strerror}."
            errors.append(InputError(folder, None, message, "Check its permissions, or leave it out."))
            continue
        is_chart = any(entry.name == _CHART_FILE for entry in entries)
        if is_chart:
            charts.append(folder)
        folders = [entry.name for entry in entries if _is_descended(entry, is_chart=is_chart)]
        pending += [_join(folder, name) for name in reversed(folders)]
        names = [entry.name for entry in entries if not _is_folder(entry)]
        kustomizations += [_join(folder, name) for name in names if name in KUSTOMIZATION_FILES]
        files += [_join(folder, name) for name in names if _is_candidate(name)]
    return Folder(tuple(sorted(files)), tuple(sorted(kustomizations)), tuple(sorted(charts)), tuple(errors))


def _is_descended(entry: os.DirEntry[str], *, is_chart: bool) -> bool:
    name = entry.name
    if name.startswith(".") or name in _SKIPPED_FOLDERS or (is_chart and name in _CHART_FOLDERS):
        return False
    return entry.is_dir(follow_symlinks=False)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return True for a folder or a link to one. A link to itself is not one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_candidate(name: str) -> bool:
    is_manifest = name.lower().endswith(_SUFFIXES) and not name.startswith(".")
    return is_manifest and name not in KUSTOMIZATION_FILES and name != _CHART_FILE


def _join(folder: str, name: str) -> str:
    return name if folder == "." else os.path.join(folder, name)
