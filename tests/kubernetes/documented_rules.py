"""The page docs/kubernetes-rules.md: its sections, and its examples as complete manifests."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from typing import Any

from healthguard.kubernetes.examination import Examination, examine
from healthguard.kubernetes.reading.limits import Budget
from healthguard.kubernetes.reading.manifests import parse_manifest
from healthguard.requirements import Requirement, Requirements
from tests.support.sites import REPOSITORY

PAGE = (REPOSITORY / "docs" / "kubernetes-rules.md").read_text()
_SECTION = re.compile(r"^### ([a-z0-9-]+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"^```yaml\n# (broken|sound)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_DECLARATION = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SEVERITY = re.compile(r"\*(Error|Warning|Advice|Unknown)\.?\*")
_OBJECT = re.compile(r"^kind:", re.MULTILINE)
_POD_FIELD = re.compile(r"^(containers|initContainers|volumes|terminationGracePeriodSeconds|env):", re.MULTILINE)
_POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
"""
_CONTAINER = """\
      containers:
        - name: web
          image: registry.example/shop:1
"""
_SERVER = "ports: [{name: http, containerPort: 8000}]\n"
_READY = "readinessProbe: {httpGet: {path: /api/health/ready, port: http}, timeoutSeconds: 3}\n"


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of the page.

    Args:
        rule: the id of the rule, which is its title.
        text: its text.
    """

    rule: str
    text: str

    @property
    def severity(self) -> str:
        """The first severity that it states."""
        match = _SEVERITY.search(self.text)
        return match[1].lower() if match is not None else ""

    def example(self, side: str) -> str:
        """Return the example that begins with ``# broken`` or ``# sound``."""
        (text,) = [text for name, text in _EXAMPLE.findall(self.text) if name == side]
        return str(text)

    def examine(self, side: str) -> Examination:
        """Examine an example, with those variables of the declaration that the sound one contains.

        Everything is shown: advice, and what the inputs do not determine.
        """
        manifest = parse_manifest(complete(self.example(side)), "example.yaml", Budget())
        assert (manifest.errors, manifest.strays) == ((), ())
        variables = tuple(
            need for need in _needs() if re.search(rf"\b{need.names[0]}\b", self.example("sound")) is not None
        )
        return examine(
            manifest.objects,
            dataclasses.replace(_REQUIREMENTS, variables=variables),
            containers=() if variables else ("web",),
            advice=True,
            strict_unknown=True,
        )


def sections() -> list[Section]:
    """Return the sections of the page."""
    return [Section(*match) for match in _SECTION.findall(PAGE)]


def complete(example: str) -> str:
    """Return an example as a stream of whole objects, as the beginning of the page describes it."""
    return "---\n".join(
        document if _OBJECT.search(document) else _completed(document) for document in example.split("---\n")
    )


def _completed(part: str) -> str:
    if _is_part_of_pod(part):
        return _POD + textwrap.indent(part, " " * 6)
    is_probed = re.search(r"Probe|lifecycle", part) is not None and "ports:" not in part
    server = _SERVER + ("" if "readinessProbe:" in part else _READY) if is_probed else ""
    return _POD + _CONTAINER + textwrap.indent(part + server, " " * 10)


def _is_part_of_pod(part: str) -> bool:
    match = _POD_FIELD.search(part)
    return match is not None and "containers:" in part


def _declaration() -> dict[str, Any]:
    """Return the HEALTHGUARD setting of the page."""
    match = _DECLARATION.search(PAGE)
    assert match is not None
    names: dict[str, Any] = {}
    exec(match[1], names)
    setting: dict[str, Any] = names["HEALTHGUARD"]
    return setting


def _needs() -> list[Requirement]:
    return [need for check in _SETTING["SERVICES"].values() for need in check.needs()]


_SETTING = _declaration()
_REQUIREMENTS = Requirements((), ("api/health",), _SETTING["DEADLINE"], _SETTING["DRAIN_FILE"])
