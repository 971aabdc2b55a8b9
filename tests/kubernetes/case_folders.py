"""The manifests of tests/kubernetes/manifests: their folders, and the findings that are expected in them."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path

from healthguard.kubernetes.examination import Examination, examine
from healthguard.kubernetes.findings import Finding
from healthguard.kubernetes.reading.inputs import read
from healthguard.providers.catalog import PROVIDERS
from healthguard.requirements import (
    DatabaseRequirement,
    KeyRequirement,
    Requirement,
    Requirements,
    SecretKeyRequirement,
    VariableRequirement,
)

HERE = Path(__file__).parent
FOLDERS = {"manifests": 0.8, "manifests_deadline_2s": 2.0}
"""The folders of cases, with the DEADLINE by which they are judged (seconds)."""
_MARKER = re.compile(r"# (error|warning): \S")
_EXPECTED = re.compile(r"(\S+):(\d+)(?: (error|warning))?")
_SIDES = (".yaml", ".json")


@dataclasses.dataclass(frozen=True, order=True)
class Place:
    """A line of a file of a case.

    Args:
        file: the file, relative to the folder of the case.
        line: the line (from 1).
    """

    file: str
    line: int


@dataclasses.dataclass(frozen=True)
class Case:
    """A case: a sound side, and a broken one unless it is only about false alarms.

    Args:
        folder: its folder.
        deadline: the DEADLINE by which it is judged (seconds).
    """

    folder: Path
    deadline: float

    @property
    def id(self) -> str:
        """Its name in reports of pytest."""
        return self.folder.name

    @property
    def is_pair(self) -> bool:
        """True if it has a broken side."""
        return not self.folder.name.startswith("sound-")

    @property
    def needs_kustomize(self) -> bool:
        """True if one of its sides must be rendered."""
        return any(True for _ in self.folder.rglob("kustomization.y*ml"))

    def expected(self) -> tuple[Place, str]:
        """Return the place of the fault, and the severity."""
        marked = [*self._markers()]
        assert len(marked) == 1, marked
        return marked[0]

    def places(self) -> frozenset[Place]:
        """Return all places at which the finding may be."""
        alternatives = self.folder / "alternatives.txt"
        found = _EXPECTED.findall(alternatives.read_text()) if alternatives.exists() else []
        return frozenset({self.expected()[0], *(Place(file, int(line)) for file, line, _ in found)})

    def examine(self, side: str) -> Examination:
        """Examine the side ``broken`` or ``sound`` as with ``--strict``."""
        inputs = read([str(self._input(side))], io.BytesIO())
        return examine(inputs.objects, requirements(self.deadline), strict=True, errors=inputs.errors)

    def place_of(self, finding: Finding) -> Place:
        """Return the place of a finding."""
        return Place(str(Path(finding.file).resolve().relative_to(self.folder.resolve())), int(finding.line))

    def _input(self, side: str) -> Path:
        for suffix in _SIDES:
            if (file := self.folder / f"{side}{suffix}").exists():
                return file
        return next(iter(sorted((self.folder / side).glob("overlays/*"))), self.folder / side)

    def _markers(self) -> Iterator[tuple[Place, str]]:
        expected = self.folder / "expected.txt"
        if expected.exists():
            for file, line, severity in _EXPECTED.findall(expected.read_text()):
                yield Place(file, int(line)), severity
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder)
            if path.is_file() and name.parts[0].startswith("broken"):
                for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1):
                    if match := _MARKER.search(line):
                        yield Place(str(name), number), match[1]


def cases() -> list[Case]:
    """Return all cases."""
    return [
        Case(folder, deadline)
        for name, deadline in FOLDERS.items()
        for folder in sorted((HERE / name).iterdir())
        if folder.is_dir()
    ]


def requirements(deadline: float) -> Requirements:
    """Return the requirements of the README of the cases."""
    variables: tuple[Requirement, ...] = (
        KeyRequirement(("ANTHROPIC_API_KEY",), "ai_providers.anthropic", provider=PROVIDERS["anthropic"]),
        KeyRequirement(("OPENAI_API_KEY",), "ai_providers.openai", provider=PROVIDERS["openai"]),
        SecretKeyRequirement(("SECRET_KEY",), "django_config", min_bytes=64),
        DatabaseRequirement(("DATABASE_URL",), "database", database="shop_prod"),
        VariableRequirement(("LICENSE_KEY",), "license", pattern="^LIC-[0-9]{8}$", min_bytes=12),
    )
    return Requirements(variables, ("api/health",), deadline, "/tmp/drain")
