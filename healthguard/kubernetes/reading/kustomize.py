"""The objects of a folder with a kustomization, rendered by kustomize.

Nothing of the user's is changed. A kustomization in a temporary folder names the user's as its only resource, and
requests the annotations that state from which file each object comes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from healthguard.kubernetes.reading.documents import compose
from healthguard.kubernetes.reading.errors import InputError, InvalidDocumentError, UnreadableInputError
from healthguard.kubernetes.reading.kustomization.failures import Failures
from healthguard.kubernetes.reading.kustomization.files import Files
from healthguard.kubernetes.reading.kustomization.graph import Graph, kustomization_file
from healthguard.kubernetes.reading.kustomization.origins import take_origin
from healthguard.kubernetes.reading.kustomization.paths import PathNames
from healthguard.kubernetes.reading.kustomization.program import Program, ProgramError
from healthguard.kubernetes.reading.kustomization.sources import Sources
from healthguard.kubernetes.reading.kustomization.standins import StandIns, missing_files
from healthguard.kubernetes.reading.kustomizations import KUSTOMIZATION_FILES
from healthguard.kubernetes.reading.nodes import MapNode, Node
from healthguard.kubernetes.reading.objects import KubernetesObject

_KUSTOMIZATION = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
    "buildMetadata": ["originAnnotations"],
}


def objects_of(folder: Path, shown: str) -> Iterator[KubernetesObject]:
    """Yield the objects of a folder with a kustomization, with the files and lines in which the user has written them.

    Args:
        folder: the folder.
        shown: the folder as the user gave it.

    Raises:
        UnreadableInputError: the folder cannot be rendered.
    """
    names = PathNames(Path(os.path.realpath(folder)), shown)
    files = Files()
    if kustomization_file(names.folder) is None:
        raise UnreadableInputError(_no_kustomization(shown))
    sources = Sources(Graph(names.folder, files), files, names)
    with tempfile.TemporaryDirectory(prefix="healthguard-") as temporary:
        rendering = _Rendering(sources, Path(os.path.realpath(temporary)))
        output = rendering.output()
    for node in _compose(output, shown):
        if isinstance(node, MapNode):
            origin = take_origin(node)
            obj = sources.located(node, origin, rendering.path_of(origin.path))
            if obj is not None:
                yield obj


@dataclasses.dataclass(slots=True)
class _Rendering:
    """One run of the program.

    Args:
        sources: the files from which the folder is rendered.
        temporary: an empty folder, resolved.
    """

    sources: Sources
    temporary: Path
    stand_ins: StandIns | None = None

    @property
    def top(self) -> Path:
        """The folder of the temporary kustomization."""
        return self.temporary / "top"

    def output(self) -> str:
        """Return the rendered objects."""
        names = self.sources.names
        program = Program.find()
        if program is None:
            raise UnreadableInputError(_no_program(names.shown))
        self.top.mkdir()
        resource = os.path.relpath(self._rendered_folder(), self.top)
        (self.top / "kustomization.yaml").write_text(json.dumps({**_KUSTOMIZATION, "resources": [resource]}))
        try:
            result = program.render(self.top)
        except ProgramError as error:
            fault = InputError(names.shown, None, f"The folder {error.reason}", error.remedy)
            raise UnreadableInputError(fault) from None
        if not result.is_success:
            command = f"{program.name} {program.command} {shlex.quote(names.shown)}"
            failures = Failures(self.sources.graph, names, command, self._original_of)
            raise UnreadableInputError(failures.explain(result.error))
        return result.output.decode(errors="replace")

    def path_of(self, origin: str) -> Path:
        """Return the user's path for one in an origin annotation."""
        path = self._original_of(Path(os.path.normpath(self.top / origin)))
        return Path(os.path.realpath(path.parent)) / path.name

    def _rendered_folder(self) -> Path:
        """Return the user's folder, or a copy of it if a generator needs files that do not exist."""
        folder = self.sources.names.folder
        if not missing_files(self.sources.graph):
            return folder
        self.stand_ins = StandIns(self.sources.graph, self.temporary / "copy")
        return self.stand_ins.copy_of(folder)

    def _original_of(self, path: Path) -> Path:
        return path if self.stand_ins is None else self.stand_ins.original_of(path)


def _compose(output: str, shown: str) -> Iterator[Node]:
    try:
        yield from compose(output)
    except InvalidDocumentError as error:
        fault = InputError(shown, None, f"The rendered folder is not valid: {error.message}", error.remedy)
        raise UnreadableInputError(fault) from None


def _no_kustomization(shown: str) -> InputError:
    remedy = f"Name a folder that contains one of {', '.join(sorted(KUSTOMIZATION_FILES))}."
    return InputError(shown, None, "The folder does not have a kustomization.", remedy)


def _no_program(shown: str) -> InputError:
    return InputError(
        shown,
        None,
        "The folder has a kustomization, and neither kustomize nor kubectl is on PATH to render it.",
        "Install one of them, or render it where one is installed and pipe the result in: "
        f"kubectl kustomize {shlex.quote(shown)} | python -m healthguard.kubernetes -",
    )
