"""The meaning of an error of kustomize.

The error itself is never shown, because it quotes patches, literals and lines of files. It is compared with known
texts. The only parts of it that are shown are paths and fields that the user's kustomization files contain.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from healthguard.kubernetes.reading.errors import InputError
from healthguard.kubernetes.reading.kustomization.graph import Graph, Kustomization, Reference
from healthguard.kubernetes.reading.kustomization.paths import PathNames
from healthguard.kubernetes.reading.kustomization.syntax import find_syntax_error


@dataclasses.dataclass(frozen=True, slots=True)
class _Meaning:
    """The meaning of a text in an error.

    Args:
        text: a regular expression that is found in the error.
        message: the fact.
        remedy: the remedy. ``{command}`` is the command that renders the folder.
        fields: the fields of the kustomization file of which one is the cause.
    """

    text: str
    message: str
    remedy: str
    fields: tuple[str, ...] = ()


_PIPE = "Render it yourself, and pipe the result in: {command} "
_RESOURCES = ("resources", "bases", "components")
_PATCHES = ("patches", "patchesStrategicMerge", "patchesJson6902")
_GENERATORS = ("secretGenerator", "configMapGenerator")
_FIRST_MEANINGS = (
    _Meaning(
        r'unknown field "buildMetadata"',
        "kustomize is older than 4.5, and cannot report the files of the objects.",
        "Install a newer kustomize or kubectl.",
    ),
    _Meaning(
        r"failed to run '\S*git|dial tcp|Get \"https?:|no 'git' program",
        "A remote base could not be fetched.",
        "Check its address and the network, or render the folder where it can be reached and pipe the result in.",
        _RESOURCES,
    ),
)
"""The meanings of errors that also contain the texts of others."""
_MEANINGS = (
    _Meaning(
        r"must specify --enable-helm",
        "The kustomization renders a Helm chart, which is off by default.",
        _PIPE + "--enable-helm | python -m healthguard.kubernetes -",
        ("helmCharts", "helmChartInflationGenerator"),
    ),
    _Meaning(
        r"external plugins disabled|unable to load external plugin|unable to find plugin",
        "The kustomization needs a plugin, which is off by default.",
        _PIPE + "--enable-alpha-plugins --enable-exec | python -m healthguard.kubernetes -",
        ("generators", "transformers", "validators"),
    ),
    _Meaning(
        r"expected kind != 'Component'",
        "A component is listed as a resource.",
        "List it under components.",
        ("resources", "bases"),
    ),
    _Meaning(
        r"cycle detected",
        "The kustomization is one of its own resources.",
        "Remove the reference that leads back to it.",
        _RESOURCES,
    ),
    _Meaning(
        r"Found multiple kustomization files",
        "The folder has more than one kustomization file.",
        "Keep one of kustomization.yaml, kustomization.yml and Kustomization.",
    ),
    _Meaning(r"ustomization\S* is empty", "The kustomization file is empty.", "List the manifests under resources."),
    _Meaning(
        r"unable to find one of 'kustomization",
        "A folder is listed that has no kustomization file.",
        "List the files in it, or add a kustomization.yaml to it.",
        _RESOURCES,
    ),
    _Meaning(
        r"may not add resource with an already registered id",
        "Two resources have the same kind, name and namespace.",
        "Remove one of them, or make it a patch.",
        _RESOURCES,
    ),
    _Meaning(
        r"no matches for Id|no resource matches strategic merge patch|failed to find unique target",
        "A patch names an object that is not among the resources.",
        "Compare the kind, the name and the namespace of the patch with those of the object.",
        _PATCHES,
    ),
    _Meaning(
        r"unable to parse SM or JSON patch|invalid (strategic merge|json) patch",
        "A patch is neither an object nor a list of JSON patch operations.",
        "Add apiVersion, kind and metadata.name to it, or op and path to each operation.",
        _PATCHES,
    ),
    _Meaning(
        r"invalid literal source",
        "A literal of a generator is not of the form NAME=value.",
        "Add the name and the equals sign.",
        _GENERATORS,
    ),
    _Meaning(
        r"does not exist; cannot merge or replace",
        "A generator with the behavior merge or replace has no generator of this name to change.",
        "Compare its name with that in the base, or remove the behavior.",
        _GENERATORS,
    ),
    _Meaning(
        r"missing Resource metadata|missing metadata\.name|Object 'Kind' is missing|kind must be",
        "A file is listed that is not an object of Kubernetes.",
        "Remove it from the list, or add apiVersion, kind and metadata.name to it.",
        _RESOURCES,
    ),
)
_SYNTAX_ERROR = r"MalformedYAMLError|\byaml: |error converting YAML|already defined at line|already set in map"
_UNKNOWN = _Meaning(
    "",
    "kustomize could not render the folder.",
    "To see the reason, run: {command} (Its error may contain secret values, and is not repeated here.)",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Failures:
    """The errors of a program that renders a folder.

    Args:
        graph: the kustomizations.
        names: the names of the files.
        command: the command with which the user can render the folder.
        original_of: returns the user's path for a path in an error.
    """

    graph: Graph
    names: PathNames
    command: str
    original_of: Callable[[Path], Path]

    def explain(self, error: str) -> InputError:
        """Return the fault that an error reports."""
        # Some versions of kubectl write it only as a quoted text in a log line.
        error = error.replace('\\"', '"')
        kustomization = self._kustomization(error)
        return (
            self._known(error, kustomization, _FIRST_MEANINGS)
            or self._unknown_field(error, kustomization)
            or self._outside(error)
            or self._missing(error)
            or self._known(error, kustomization, _MEANINGS)
            or (find_syntax_error(self.graph, self.names) if re.search(_SYNTAX_ERROR, error) else None)
            or self._input_error(kustomization, _UNKNOWN)
        )

    def _known(self, error: str, kustomization: Kustomization, meanings: Iterable[_Meaning]) -> InputError | None:
        return next((self._input_error(kustomization, each) for each in meanings if re.search(each.text, error)), None)

    def _kustomization(self, error: str) -> Kustomization:
        """Return the innermost kustomization that the error names."""
        for path in reversed(re.findall(r"for path '([^']+)'|of path '([^']+)'", error)):
            if found := self.graph.at(self.original_of(Path(path[0] or path[1]))):
                return found
        return next(iter(self.graph))

    def _input_error(self, kustomization: Kustomization, meaning: _Meaning, line: int | None = None) -> InputError:
        lines = [kustomization.node.key_lines[field] for field in meaning.fields if field in kustomization.node.items]
        return InputError(
            self.names.of(kustomization.file),
            line or next(iter(lines), None),
            meaning.message,
            meaning.remedy.replace("{command}", self.command),
        )

    def _unknown_field(self, error: str, kustomization: Kustomization) -> InputError | None:
        match = re.search(r'unknown field "([A-Za-z0-9]+)"', error)
        if match is None or match[1] not in kustomization.node.items:
            return None
        meaning = _Meaning("", f"kustomize does not have a field {match[1]}.", "Check the spelling.", (match[1],))
        return self._input_error(kustomization, meaning)

    def _outside(self, error: str) -> InputError | None:
        match = re.search(r"file '([^']+)' is not in or below '", error)
        if match is None or (found := self._reference(match[1])) is None:
            return None
        kustomization, reference = found
        meaning = _Meaning(
            "",
            f'The file "{reference.text}" is outside of the folder of the kustomization, so that kustomize refuses it.',
            "Move it into the folder, or make its folder a base. "
            + _PIPE
            + "--load-restrictor LoadRestrictionsNone | python -m healthguard.kubernetes -",
        )
        return self._input_error(kustomization, meaning, reference.line)

    def _missing(self, error: str) -> InputError | None:
        for path in re.findall(r"evalsymlink failure on '([^']+)'", error):
            if found := self._reference(path):
                kustomization, reference = found
                meaning = _Meaning("", f'"{reference.text}" does not exist.', "Correct the path, or add the file.")
                return self._input_error(kustomization, meaning, reference.line)
        return None

    def _reference(self, path: str) -> tuple[Kustomization, Reference] | None:
        """Return the reference to a path, and the kustomization that contains it."""
        wanted = self.original_of(Path(path))
        for kustomization in self.graph:
            for reference in kustomization.references():
                if wanted in (reference.path, Path(os.path.realpath(reference.path))):
                    return kustomization, reference
        return None
