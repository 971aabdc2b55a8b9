"""The key MONITOR of the setting, which ``manage.py healthguard monitor`` reads."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterator, Mapping
from typing import Self

from healthguard.conf.declaration_error import DeclarationError
from healthguard.conf.emptiness import is_blank
from healthguard.secret_values.embedded import url_flaw
from healthguard.secret_values.values import ValueFault

KEYS = ("NOTIFY", "NOTIFY_NONCRITICAL", "STATE")
_LISTS = (list, tuple)
_ENTRY = "HEALTHGUARD['MONITOR']"


@dataclasses.dataclass(frozen=True, slots=True)
class MonitorSettings:
    """The declared options of the monitor.

    Args:
        notify: the URLs to which messages are sent, as Apprise defines them. They are secrets.
        notify_noncritical: the URLs for services that are not critical; empty to use the others.
        state: the path of the state file; None if none is declared.
    """

    notify: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    notify_noncritical: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    state: str | None = None

    @classmethod
    def of(cls, declared: object) -> Self:
        """Return the options. An invalid value counts as missing, and an empty one, or None in a list, as an empty URL.

        The errors are those of :func:`monitor_errors`.
        """
        values = declared if isinstance(declared, Mapping) else {}
        state = values.get("STATE")
        return cls(
            _urls(values.get("NOTIFY", ())),
            _urls(values.get("NOTIFY_NONCRITICAL", ())),
            os.fspath(state) if isinstance(state, str | os.PathLike) and _is_path(state) else None,
        )


def monitor_errors(declared: object) -> Iterator[DeclarationError]:
    """Yield the errors of the key."""
    if not isinstance(declared, Mapping):
        yield _error(f"{_ENTRY} is not a dict.", f"Declare it as {{'NOTIFY': [url]}}. Its keys are {', '.join(KEYS)}.")
        return
    for key in declared:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key).upper(), KEYS, 1)
            question = f"Did you mean {near[0]!r}? " if near else ""
            yield _error(f"{_ENTRY} has an unknown key.", f"{question}Use only these keys: {', '.join(KEYS)}.")
    for key in ("NOTIFY", "NOTIFY_NONCRITICAL"):
        yield from _channel_errors(f"{_ENTRY}[{key!r}]", declared.get(key, ()))
    if not is_blank(declared.get("STATE")) and not _is_path(declared["STATE"]):
        yield _error(f"{_ENTRY}['STATE'] is not a path.", "Set it to the path of a file, or remove it.")


def _channel_errors(entry: str, urls: object) -> Iterator[DeclarationError]:
    if is_blank(urls):
        hint = "Set it to a list of URLs of Apprise, or remove it."
        yield DeclarationError("W005", f"{entry} is empty. The monitor does not start with it.", hint)
        return
    if not isinstance(urls, _LISTS) or not all(isinstance(url, str | None) for url in urls):
        yield _error(f"{entry} is not a list of URLs.", "Set it to a list of URLs of Apprise.")
        return
    if any(map(is_blank, urls)):
        yield DeclarationError(
            "W005",
            f"{entry} contains an empty URL. The monitor does not start with it.",
            "Set the environment variable that the URL comes from, where the monitor runs.",
        )
    for position, url in enumerate(urls):
        flaw = None if is_blank(url) else url_flaw(url, is_secret=True)
        if flaw is not None:
            message = f"{entry}[{position}] {flaw.what}. The monitor does not start with it."
            yield DeclarationError("W005" if flaw.kind is ValueFault.EMPTY else "E016", message, flaw.remedy)


def _error(message: str, hint: str) -> DeclarationError:
    return DeclarationError("E016", message, hint)


def _urls(value: object) -> tuple[str, ...]:
    if is_blank(value):
        # The monitor must not start without its channel because a variable is not set.
        return ("",)
    return tuple(url or "" for url in value if isinstance(url, str | None)) if isinstance(value, _LISTS) else ()


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and not is_blank(os.fspath(value)) and "\0" not in str(os.fspath(value))
