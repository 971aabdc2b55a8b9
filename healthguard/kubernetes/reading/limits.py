"""The limits of what is read, so that no input exhausts the memory or the stack."""

from __future__ import annotations

import dataclasses

from healthguard.kubernetes.reading.errors import LimitExceededError

MAX_BYTES = 25 * 1024 * 1024
"""The size of the largest file. An object of Kubernetes has at most 1.5 MB, and 10,000 Deployments have about 25 MB."""
MAX_DEPTH = 200
"""The deepest nesting of lists and mappings. No schema of Kubernetes comes near it."""
MAX_NODES = 1_600_000
"""The most keys and values of all inputs together. They need less than 500 MB; 10,000 Deployments have 1,300,000."""
MAP_COST = 3
"""The number of values that need as much memory as an empty mapping."""
DOCUMENT_COST = 8
"""The number of values that need as much memory as a document itself, or the error for it."""
MAX_EXPANSION = 400_000
"""The most values for which the aliases of one document may stand.

From this number on, go-yaml v2 limits aliases too: https://github.com/go-yaml/yaml/blob/v2.4.0/decode.go
"""


@dataclasses.dataclass(slots=True)
class Budget:
    """The keys and values that may still be read.

    Args:
        left: their number; negative if the limit has been exceeded.
    """

    left: int = MAX_NODES

    @property
    def is_exceeded(self) -> bool:
        """True if the limit has been exceeded, so that nothing more is read."""
        return self.left < 0

    def spend(self, nodes: int, line: int) -> None:
        """Subtract keys and values that have been read up to a line.

        Raises:
            LimitExceededError: there are more than are left.
        """
        self.left -= nodes
        if self.left < 0:
            raise LimitExceededError(
                line,
                f"The inputs contain more than {MAX_NODES:,} keys and values.",
                "Check fewer files at once.",
            )


def check_depth(depth: int, line: int) -> None:
    """Raise LimitExceededError if the value on a line is nested too deeply."""
    if depth > MAX_DEPTH:
        raise excessive_depth(line)


def excessive_depth(line: int) -> LimitExceededError:
    """Return the error for a value that is nested too deeply."""
    return LimitExceededError(
        line,
        f"Lists and mappings are nested more than {MAX_DEPTH} levels deep.",
        "Check that the file is a manifest; no object of Kubernetes is nested so deeply.",
    )
