"""The error of a declaration."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class DeclarationError:
    """An error in the setting.

    Args:
        id: the id of the system check that reports it, like ``E001``.
        message: the fact: the thing that is wrong, and its location.
        hint: the remedy.
    """

    id: str
    message: str
    hint: str

    @property
    def is_warning(self) -> bool:
        """True if it is only a warning, which does not make any answer unhealthy."""
        return self.id.startswith("W")
