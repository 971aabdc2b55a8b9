"""The state file: read once at the start, written after each step, and used by one monitor alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from healthguard.monitor.files import DamagedError, Lock, LockedError, read_document, set_aside, write_document
from healthguard.monitor.mutes import Mutes, MutesFile
from healthguard.monitor.state import State, StateError

__all__ = ["LockedError", "MemoryStorage", "StateFile", "read_state"]


class MemoryStorage:
    """No state file: the state is lost at the end of the process."""

    def load(self) -> tuple[State, str]:
        """Return an empty state, and an empty note."""
        return State(), ""

    def save(self, state: State) -> str:
        """Do nothing."""
        return ""

    def mutes(self) -> tuple[Mutes, str]:
        """Return no mutes, and an empty note."""
        return Mutes(), ""


class StateFile:
    """The state file of this monitor.

    Args:
        path: the path of the file.
        before_step: a function that is called before each step of a write. Tests use it to end the process there.

    Raises:
        LockedError: another monitor uses the file.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, before_step: Callable[[str], None] = lambda step: None) -> None:
        self._path = path
        self._before_step = before_step
        self._lock = Lock(path.with_name(f"{path.name}.lock"))
        self._mutes = MutesFile(path)

    def load(self) -> tuple[State, str]:
        """Return the state, and a note if the file was damaged, and therefore set aside.

        Raises:
            OSError: the file cannot be read or set aside.
        """
        try:
            return read_state(self._path), ""
        except FileNotFoundError:
            return State(), ""
        except StateError as error:
            aside = set_aside(self._path)
            return State(), f"The state file could not be used: {error}. It is now {aside.name}, and a new one begins."

    def save(self, state: State) -> str:
        """Write the state; return why it has failed, or an empty text. The file then has its old content."""
        try:
            write_document(self._path, state.to_json(), self._before_step)
        except OSError as error:
            return f"The state file could not be written: {error.strerror}. Changes are kept in memory."
        return ""

    def mutes(self) -> tuple[Mutes, str]:
        """Return the mutes, and a note if they cannot be read. Then nothing is muted."""
        try:
            return self._mutes.read(), ""
        except DamagedError:
            return Mutes(), "The file of the mutes is damaged. Nothing is muted. Mute the services again with --mute."
        except OSError as error:
            return Mutes(), f"The file of the mutes could not be read: {error.strerror}. Nothing is muted."

    def release(self) -> None:
        """Let another monitor use the file."""
        self._lock.release()


def read_state(path: Path) -> State:
    """Return the state in a file.

    Raises:
        FileNotFoundError: the file does not exist.
        StateError: it does not contain a state that this version can read.
        OSError: it cannot be read.
    """
    try:
        return State.from_json(read_document(path))
    except DamagedError:
        raise StateError("it is damaged") from None
