"""The muted services. They are stored beside the state, so that they can be changed while a monitor is running."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from healthguard.monitor.durations import valid_time
from healthguard.monitor.files import DamagedError, Lock, read_document, set_aside, write_document


@dataclasses.dataclass(frozen=True, slots=True)
class Mutes:
    """The muted services and groups.

    Args:
        ends: the time until which each of them is muted (seconds since the epoch), by its path as text.
    """

    ends: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def is_muted(self, service: str, now: float) -> bool:
        """Return True if a service, or a group that contains it, is muted at ``now`` (seconds since the epoch)."""
        names = service.split("/")
        paths = ("/".join(names[: length + 1]) for length in range(len(names)))
        return any(self.ends.get(path, 0.0) > now for path in paths)

    def with_ends(self, ends: Mapping[str, float], now: float) -> Self:
        """Return the mutes with other ends for some services. Those that have ended are left out."""
        return dataclasses.replace(self, ends={name: end for name, end in {**self.ends, **ends}.items() if end > now})


class MutesFile:
    """The file of the mutes.

    Args:
        state: the path of the state file, beside which it is.
    """

    def __init__(self, state: Path) -> None:
        self._path = state.with_name(f"{state.name}.mutes")

    def read(self) -> Mutes:
        """Return the mutes; an empty value if the file is missing.

        Raises:
            DamagedError: it does not contain mutes.
            OSError: it cannot be read.
        """
        try:
            document = read_document(self._path)
        except FileNotFoundError:
            return Mutes()
        if not isinstance(document, dict):
            raise DamagedError
        try:
            return Mutes({name: valid_time(end) for name, end in document.items()})
        except (TypeError, ValueError, OverflowError):
            raise DamagedError from None

    def add(self, ends: Mapping[str, float], now: float) -> str:
        """Store the ends of more mutes. Return a note if the file was damaged, and therefore set aside.

        Raises:
            LockedError: another process changes them at this moment.
            OSError: they cannot be stored.
        """
        lock = Lock(self._path.with_name(f"{self._path.name}.lock"))
        try:
            mutes, note = self._read_or_set_aside()
            write_document(self._path, mutes.with_ends(ends, now).ends)
        finally:
            lock.release()
        return note

    def _read_or_set_aside(self) -> tuple[Mutes, str]:
        try:
            return self.read(), ""
        except DamagedError:
            aside = set_aside(self._path)
            return Mutes(), f"The file of the mutes was damaged. It is now {aside.name}, and a new one begins."
