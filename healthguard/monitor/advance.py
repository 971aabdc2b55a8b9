"""One round of the monitor as a pure function: from the state and what was seen to the next state and its events."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from healthguard.conf import OWN_SERVICE
from healthguard.monitor.history import Change, kept
from healthguard.monitor.mutes import Mutes
from healthguard.monitor.observation import Observation, Sighting
from healthguard.monitor.policy import Policy
from healthguard.monitor.state import State
from healthguard.monitor.track import Event, EventKind, Reported, Track
from healthguard.status import Status

_Key = tuple[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Advance:
    """The outcome of a round.

    Args:
        state: the next state. Its messages are those of the state before.
        events: what is worth a message.
        changes: the changes of status.
    """

    state: State
    events: tuple[Event, ...]
    changes: tuple[Change, ...]


def advance(state: State, sightings: Mapping[str, Sighting], policy: Policy, mutes: Mutes, now: float) -> Advance:
    """Return the outcome of a round.

    Args:
        state: the state before it.
        sightings: what was seen of each instance.
        policy: the policy.
        mutes: the muted services. Their changes are recorded, and reported after the mute if they last until then.
        now: the time of the round (seconds since the epoch).
    """
    tracks: dict[_Key, Track] = {(track.instance, track.service): track for track in state.tracks}
    events: list[Event] = []
    changes: list[Change] = []
    for track in list(tracks.values()):
        if _is_gone(track, sightings.get(track.instance)):
            del tracks[track.instance, track.service]
            changes.append(Change(now, track.instance, track.service, track.status, None))
            if track.reported is not Reported.HEALTHY and not mutes.is_muted(track.service, now):
                events.append(track.event(EventKind.REMOVED, now))
    for instance, sighting in sightings.items():
        for observation in _observations(instance, sighting, tracks):
            key = (instance, observation.service)
            before = tracks.get(key, Track(*key))
            is_muted = mutes.is_muted(observation.service, now)
            track = before.observed(observation, now)
            if track.status is not before.status or before.is_new:
                changes.append(Change(now, *key, before.status, track.status, observation.problems, is_muted=is_muted))
            kind = None if is_muted else track.next_event(observation, policy, now)
            if kind is not None:
                track, event = track.after_message(kind, now)
                events.append(event)
            tracks[key] = track
    next_state = dataclasses.replace(
        state,
        tracks=tuple(tracks.values()),
        changes=kept([*state.changes, *changes]),
        checked_at=now,
    )
    return Advance(next_state, tuple(events), tuple(changes))


def _is_gone(track: Track, sighting: Sighting | None) -> bool:
    """Return True if a service is no longer part of what is monitored."""
    if sighting is None:
        return True
    if not sighting.is_complete or track.service == OWN_SERVICE:
        return False
    return all(observation.service != track.service for observation in sighting.observations)


def _observations(instance: str, sighting: Sighting, tracks: Mapping[_Key, Track]) -> Iterator[Observation]:
    """Yield the observations, and that the instance itself is healthy again if it was not."""
    yield from sighting.observations
    is_reported = any(observation.service == OWN_SERVICE for observation in sighting.observations)
    if not is_reported and (instance, OWN_SERVICE) in tracks:
        yield Observation(OWN_SERVICE, Status.HEALTHY)
