"""A finding: a fault of a manifest, where it is, and the remedy."""

from __future__ import annotations

import dataclasses
import enum

from healthguard.kubernetes.reading.nodes import LineInFile, Node
from healthguard.kubernetes.reading.objects import KubernetesObject


class Severity(enum.StrEnum):
    """The severity of a finding."""

    ERROR = "error"
    """The API server refuses the object, the container cannot start, or the application runs with a wrong value."""
    WARNING = "warning"
    """It works until something else happens."""
    ADVICE = "advice"
    """It works; something could be better. Shown only on request."""
    UNKNOWN = "unknown"
    """The inputs do not contain what is needed to decide it. Shown only on request."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A fault of a manifest. No field contains a value of a variable, whole or in part.

    Args:
        rule: the id of the rule, in lower case with dashes; see docs/kubernetes-rules.md.
        severity: its severity.
        message: the fact, as one sentence that makes sense without the file.
        remedy: the remedy in the imperative, as one or more sentences.
        object: the object in which the fault is.
        node: the value at which the fault is.
        line: the line of the fault (from 1), if it is not that of the node: for example of a name.
        container: the name of the container; an empty string if the fault is not in one.
        variable: the environment variable; an empty string if the finding is not about one.
    """

    rule: str
    severity: Severity
    message: str
    remedy: str
    object: KubernetesObject
    node: Node
    line: int
    container: str = ""
    variable: str = ""

    @property
    def file(self) -> str:
        """The path of the file that contains the line, as the user gave it or would write it."""
        return self.line.file if isinstance(self.line, LineInFile) else self.object.file
