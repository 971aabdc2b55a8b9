"""The fields of a JSON object, read with their types. An error names the file and the field, and no value."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, TypeVar

T = TypeVar("T")

_REQUIRED: Final = object()


class RequirementsError(Exception):
    """The requirements cannot be read or written. The text names the place, and contains no value."""


class Fields:
    """The fields of one object. Each field is read once; :meth:`finish` rejects those that are left.

    Args:
        value: the JSON value that must be the object.
        place: the file, and the path of the object in it, for errors.

    Raises:
        RequirementsError: the value is not an object.
    """

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise RequirementsError(f"{place} must be an object, in braces.")
        self._values: dict[str, Any] = dict(value)
        self._place = place

    def error(self, name: str, text: str) -> RequirementsError:
        """Return the error of a field; ``text`` is the predicate of a sentence."""
        return RequirementsError(f"{self._place}: {name} {text}.")

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string; without a default, it is required."""
        value: str = self._take(name, _REQUIRED if default is None else default)
        return self._checked(name, value, isinstance(value, str), "must be a string")

    def optional_text(self, name: str) -> str | None:
        """Return a string; None if the field is missing or null."""
        value: str | None = self._take(name, None)
        return self._checked(name, value, value is None or isinstance(value, str), "must be a string or null")

    def texts(self, name: str, default: Iterable[str] | None = None) -> tuple[str, ...]:
        """Return a list of strings; without a default, it is required."""
        value = self._take(name, _REQUIRED if default is None else [*default])
        is_valid = isinstance(value, list) and all(isinstance(member, str) for member in value)
        return tuple(self._checked(name, value, is_valid, "must be a list of strings"))

    def integer(self, name: str, default: int) -> int:
        """Return a whole number."""
        value: int = self._take(name, default)
        is_valid = isinstance(value, int) and not isinstance(value, bool)
        return self._checked(name, value, is_valid, "must be a whole number")

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        value: bool = self._take(name, default)
        return self._checked(name, value, isinstance(value, bool), "must be true or false")

    def seconds(self, name: str) -> float:
        """Return a number of seconds above 0, which is required."""
        value = self._take(name, _REQUIRED)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        # A whole number may be too large for a float.
        is_valid = is_number and 0 < value <= 1e9 and math.isfinite(value)
        return float(self._checked(name, value, is_valid, "must be a number of seconds above 0"))

    def items(self, name: str) -> list[Any]:
        """Return a list of any values, which is required."""
        value: list[Any] = self._take(name, _REQUIRED)
        return self._checked(name, value, isinstance(value, list), "must be a list")

    def nested(self, value: object, name: str) -> Fields:
        """Return the fields of an object that is the value of a field."""
        return Fields(value, f"{self._place}: {name}")

    def raw(self, name: str) -> object:
        """Return a value of any type, which is required."""
        return self._take(name, _REQUIRED)

    def finish(self) -> None:
        """Reject fields that are not known.

        Raises:
            RequirementsError: there is such a field.
        """
        if self._values:
            count = len(self._values)
            raise RequirementsError(f"{self._place} has {count} unknown {'field' if count == 1 else 'fields'}.")

    def _take(self, name: str, default: object) -> Any:
        value = self._values.pop(name, default)
        if value is _REQUIRED:
            raise self.error(name, "is missing")
        return value

    def _checked(self, name: str, value: T, is_valid: bool, text: str) -> T:
        if not is_valid:
            raise self.error(name, text)
        return value
