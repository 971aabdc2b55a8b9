"""The subcommand ``history``: the record of changes that a monitor has stored."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from healthguard.conf import settings
from healthguard.formats.text import Style
from healthguard.management import arguments
from healthguard.management.console import Console
from healthguard.management.errors import UsageError
from healthguard.monitor.durations import iso_time, shown_time
from healthguard.monitor.history import Change, complete_since, last_changes
from healthguard.monitor.state import State, StateError
from healthguard.monitor.storage import read_state

SUMMARY = "show the changes that a monitor has recorded"
DESCRIPTION = """\
Show the changes of status that a monitor has recorded in its state file, or the
status of each service at a certain time."""
EPILOG = """\
examples:
  all changes that are kept
    manage.py healthguard history --state /state/monitor.json
  the changes of the databases
    manage.py healthguard history database --state /state/monitor.json
  the status of everything at 3 am
    manage.py healthguard history --at 2026-11-27T03:00 --state /state/monitor.json

exit codes:
  0  shown
  2  wrong usage, or the state file cannot be read
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    parser.add_argument(
        "services", nargs="*", type=arguments.service, metavar="SERVICE", help="show only these services and groups"
    )
    parser.add_argument("--state", metavar="FILE", help="the state file of the monitor")
    parser.add_argument(
        "--at",
        type=arguments.past_moment,
        metavar="TIME",
        help="show the status of each service at this time, like 03:00, 2026-11-27T03:00Z or 2h",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="the format (default: text)")


def run(options: dict[str, Any], console: Console) -> int:
    """Run the subcommand. Return its exit code.

    Raises:
        UsageError: the state file cannot be read.
    """
    state = _state(options["state"] or settings.monitor.state)
    changes = [change for change in state.changes if _is_selected(change, options["services"])]
    moment = options["at"]
    if moment is not None:
        changes = last_changes(changes, moment)
        if note := _note(state, moment, is_empty=not changes):
            console.write_note(note)
    if options["format"] == "json":
        console.write(_json(changes, state))
    else:
        console.write("".join(f"{line}\n" for line in _lines(changes, console.style, shows_muted=moment is None)))
    return 0


def _note(state: State, moment: float, *, is_empty: bool) -> str:
    """Return why the statuses at a moment (seconds since the epoch) may not be what was asked for; or an empty text."""
    if is_empty or state.checked_at is None:
        return f"Nothing is recorded for {shown_time(moment)}."
    if moment > state.checked_at:
        return f"The last round was at {shown_time(state.checked_at)}. The statuses are of this time."
    if moment < (start := complete_since(state.changes)):
        return f"The record is complete since {shown_time(start)}. Services may be missing here."
    return ""


def _state(path: str | None) -> State:
    if path is None:
        raise UsageError("Set --state to the state file of the monitor, or HEALTHGUARD['MONITOR']['STATE'].")
    try:
        return read_state(Path(path))
    except FileNotFoundError:
        raise UsageError(f"There is no state file {path}. The monitor writes it after its first round.") from None
    except StateError as error:
        raise UsageError(f"The state file {path} cannot be read: {error}.") from None
    except OSError as error:
        raise UsageError(f"The state file {path} cannot be read: {error.strerror}.") from None


def _is_selected(change: Change, names: Sequence[str]) -> bool:
    return not names or any(change.service == name or change.service.startswith(f"{name}/") for name in names)


def _json(changes: Sequence[Change], state: State) -> str:
    document = {
        "checked_at": None if state.checked_at is None else iso_time(state.checked_at),
        "changes": [{**change.to_json(), "time": iso_time(change.time)} for change in changes],
    }
    return json.dumps(document, indent=2) + "\n"


def _lines(changes: Sequence[Change], style: Style, *, shows_muted: bool) -> Iterator[str]:
    if not changes:
        yield "No changes."
    for change in changes:
        status = "no longer monitored" if change.status is None else style.mark(change.status).rstrip()
        muted = "  (muted)" if change.is_muted and shows_muted else ""
        name = style.paint(change.service, "bold")
        yield f"{shown_time(change.time)}  {status} {name} on {change.instance} (was {change.previous}){muted}"
        for problem in change.problems:
            yield from style.wrapped(f"{problem.message} [{problem.code}, {problem.fault}]", "    ")
            yield from style.wrapped(problem.hint, "    ", "→ " if style.is_colored else "Fix: ")
