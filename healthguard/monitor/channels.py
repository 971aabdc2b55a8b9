"""The channels over which messages are sent, and the routing of events to them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Self

from healthguard.monitor.track import Event

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://")


@dataclasses.dataclass(frozen=True, slots=True)
class Channel:
    """A channel.

    Args:
        name: its position and the scheme of its URL, like ``"1 (slack)"``. The name is shown and stored.
        url: its URL, as Apprise defines it. It is a secret.
    """

    name: str
    url: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Routing:
    """The channels by the services that they are about.

    Args:
        critical: the channels of critical services.
        noncritical: the channels of the other services; those of critical services if it is empty.
    """

    critical: tuple[Channel, ...] = ()
    noncritical: tuple[Channel, ...] = ()

    @classmethod
    def of(cls, urls: Sequence[str], noncritical_urls: Sequence[str] = ()) -> Self:
        """Return the routing to some URLs."""
        channels = [Channel(f"{position} ({_scheme(url)})", url) for position, url in enumerate(urls, 1)]
        others = [
            Channel(f"noncritical {position} ({_scheme(url)})", url) for position, url in enumerate(noncritical_urls, 1)
        ]
        return cls(tuple(channels), tuple(others))

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All channels."""
        return (*self.critical, *self.noncritical)

    def events_by_channel(self, events: Iterable[Event]) -> dict[Channel, list[Event]]:
        """Return the events of each channel that gets some."""
        routed: dict[Channel, list[Event]] = {}
        for event in events:
            for channel in self.critical if event.is_critical or not self.noncritical else self.noncritical:
                routed.setdefault(channel, []).append(event)
        return routed


def _scheme(url: str) -> str:
    match = _SCHEME.match(url)
    return match[1].lower() if match else "unknown"
