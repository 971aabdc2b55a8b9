"""The inputs of a command line: files, folders and standard input."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from healthguard.kubernetes.reading.errors import InputError, UnreadableInputError
from healthguard.kubernetes.reading.files import STDIN, read_file, read_stdin
from healthguard.kubernetes.reading.folders import Folder, scan_folder
from healthguard.kubernetes.reading.kustomizations import (
    KUSTOMIZATION_FILES,
    Kustomization,
    load_kustomization,
    select_roots,
)
from healthguard.kubernetes.reading.limits import Budget
from healthguard.kubernetes.reading.manifests import Manifest, parse_manifest
from healthguard.kubernetes.reading.objects import KubernetesObject

_RENDER_CHART = "Render it first: helm template CHART | python -m healthguard.kubernetes -"


@dataclasses.dataclass(frozen=True, slots=True)
class Inputs:
    """The content of the inputs.

    Args:
        objects: the objects, in the order of the inputs.
        errors: what could not be read.
        unread: what was left out although it may contain manifests, such as a Helm chart in a folder, or the text after
            the end of a document.
        file_count: the number of files, standard input included, from which the objects come.
        rendered_count: the number of kustomizations that have been rendered.
    """

    objects: tuple[KubernetesObject, ...]
    errors: tuple[InputError, ...]
    unread: tuple[InputError, ...]
    file_count: int
    rendered_count: int

    @property
    def summary(self) -> str:
        """The numbers of what has been read, for people."""
        text = f"{_count(len(self.objects), 'object')} in {_count(self.file_count, 'file')}"
        return f"{text} and {_count(self.rendered_count, 'kustomization')}" if self.rendered_count else text


def read(paths: Sequence[str], stdin: BinaryIO) -> Inputs:
    """Return the content of the inputs. A file that occurs twice is read once.

    Args:
        paths: the paths of files and folders; ``-`` stands for standard input.
        stdin: standard input. It is read only if a path is ``-``.
    """
    reader = _Reader(stdin)
    for path in paths:
        reader.read(path)
    return reader.inputs()


class _Reader:
    """The inputs that have been read so far."""

    def __init__(self, stdin: BinaryIO) -> None:
        self._stdin = stdin
        self._budget = Budget()
        self._seen: set[str] = set()
        self._objects: list[KubernetesObject] = []
        self._errors: list[InputError] = []
        self._unread: list[InputError] = []
        self._file_count = 0
        self._rendered_count = 0

    def inputs(self) -> Inputs:
        """Return everything that has been read."""
        return Inputs(
            tuple(self._objects), tuple(self._errors), tuple(self._unread), self._file_count, self._rendered_count
        )

    def read(self, path: str) -> None:
        """Read a path of the command line. Once the budget is exceeded, which is an error, nothing more is read."""
        if self._budget.is_exceeded:
            return
        if path == "-":
            if not self._is_seen(STDIN):
                self._read_named(STDIN)
        elif os.path.isdir(path):
            self._read_folder(path)
        elif os.path.basename(path) in KUSTOMIZATION_FILES and (kustomization := load_kustomization(path)) is not None:
            self._render(kustomization)
        elif not self._is_seen(_real_path(path)):
            self._read_named(path)

    def _is_seen(self, path: str) -> bool:
        """Return True if a path has been read before, and note it otherwise."""
        is_seen = path in self._seen
        self._seen.add(path)
        return is_seen

    def _read_named(self, path: str) -> None:
        """Read a file that the command line names. It must contain objects, and nothing else."""
        try:
            text = read_stdin(self._stdin) if path == STDIN else read_file(path)
        except UnreadableInputError as error:
            self._errors.append(error.error)
            return
        manifest = parse_manifest(text, path, self._budget)
        self._add(manifest, manifest.strays)
        if not manifest.objects and not manifest.errors and not manifest.strays:
            message = f"{'Standard input' if path == STDIN else 'The file'} contains no object of Kubernetes."
            self._errors.append(InputError(path, None, message, "Name a manifest, or check what produces it."))

    def _add(self, manifest: Manifest, strays: tuple[InputError, ...]) -> None:
        self._objects += manifest.objects
        self._errors += (*manifest.errors, *strays)
        self._unread += manifest.ignored
        self._file_count += bool(manifest.objects)

    def _read_folder(self, path: str) -> None:
        folder = scan_folder(path)
        self._errors += folder.errors
        self._report_charts(folder, path)
        loaded = [load_kustomization(each) for each in folder.kustomizations]
        kustomizations = [each for each in loaded if each is not None]
        for root in select_roots(kustomizations):
            self._render(root)
        # The files of other programs that are named like a kustomization, such as an object of Flux.
        plain = [path for path, each in zip(folder.kustomizations, loaded, strict=True) if each is None]
        parts = frozenset[str]().union(*(each.files for each in kustomizations))
        by_folder = {each.real_folder: each for each in kustomizations}
        for file in sorted((*folder.files, *plain)):
            real_path = _real_path(file)
            if real_path not in parts and not self._budget.is_exceeded and not self._is_seen(real_path):
                self._read_found(file, by_folder)

    def _report_charts(self, folder: Folder, path: str) -> None:
        for chart in folder.charts:
            error = InputError(
                chart, None, "The folder is a Helm chart, whose templates are not manifests.", _RENDER_CHART
            )
            (self._errors if chart == path else self._unread).append(error)

    def _read_found(self, path: str, kustomizations: Mapping[str, Kustomization]) -> None:
        """Read a file of a folder, which may be something other than a manifest.

        Args:
            path: the file.
            kustomizations: the kustomizations of the folder by the real paths of their folders.
        """
        try:
            text = read_file(path)
        except UnreadableInputError as error:
            # A large or binary file among manifests is rarely one of them.
            (self._unread if _is_permitted(path) else self._errors).append(error.error)
            return
        if "apiVersion" not in text or "kind" not in text:
            return
        if (owner := _owner(path, kustomizations)) is not None:
            message = f"The file is in the folder of the kustomization {owner.folder}, which does not name it."
            remedy = "Add it to the resources of the kustomization, or name the file to check it alone."
            self._unread.append(InputError(path, None, message, remedy))
            return
        manifest = parse_manifest(text, path, self._budget)
        self._add(manifest, manifest.strays if manifest.objects else ())

    def _render(self, kustomization: Kustomization) -> None:
        from healthguard.kubernetes.reading.kustomize import objects_of

        if self._is_seen(kustomization.real_folder):
            return
        try:
            self._objects += objects_of(Path(kustomization.folder), kustomization.folder)
        except UnreadableInputError as error:
            self._errors.append(error.error)
        else:
            self._rendered_count += 1


def _owner(path: str, kustomizations: Mapping[str, Kustomization]) -> Kustomization | None:
    """Return the innermost kustomization whose folder contains a file; None if there is none."""
    folder, last = os.path.dirname(_real_path(path)), ""
    while folder != last:
        if folder in kustomizations:
            return kustomizations[folder]
        folder, last = os.path.dirname(folder), folder
    return None


def _is_permitted(path: str) -> bool:
    """Return True if this process may read a file."""
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def _real_path(path: str) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:
        # The path contains a null byte. Opening it reports the error.
        return path


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
