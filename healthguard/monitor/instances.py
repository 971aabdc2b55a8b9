"""The monitored instances, all checked at the same time."""

from __future__ import annotations

import concurrent.futures
import functools
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

from healthguard.monitor.observation import Sighting, failed_sighting
from healthguard.runtime import threads
from healthguard.status import Code

Look: TypeAlias = Callable[[], Sighting]
"""A function that checks one instance."""


class Instances:
    """The monitored instances.

    Each has at most one thread, even if its function never returns.

    Args:
        looks: the function that checks an instance, by the name of the instance.
        limit: the longest time that a round may take (seconds); None if the functions themselves end in time.
    """

    def __init__(self, looks: Mapping[str, Look], limit: float | None) -> None:
        self._looks = looks
        self._limit = limit
        self._in_flight: dict[str, concurrent.futures.Future[Sighting]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the instances."""
        return tuple(self._looks)

    def look(self) -> dict[str, Sighting]:
        """Return what is seen of each instance, within the limit."""
        ends = None if self._limit is None else time.monotonic() + self._limit
        started = {name: self._start(name) for name in self._looks}
        sightings = {}
        for name, future in started.items():
            left = None if ends is None else max(0.0, ends - time.monotonic())
            sightings[name] = self._sighting(future, left)
        return sightings

    def _start(self, name: str) -> concurrent.futures.Future[Sighting] | None:
        """Start to check an instance; return None if it is still being checked since an earlier round."""
        earlier = self._in_flight.get(name)
        if earlier is not None and not earlier.done():
            return None
        future: concurrent.futures.Future[Sighting] = concurrent.futures.Future()
        try:
            threads.start(functools.partial(_run, self._looks[name], future), "healthguard-monitor")
        except RuntimeError as error:
            future.set_result(_raised(error))
        self._in_flight[name] = future
        return future

    def _sighting(self, future: concurrent.futures.Future[Sighting] | None, left: float | None) -> Sighting:
        try:
            if future is not None:
                return future.result(left)
        except concurrent.futures.TimeoutError:
            pass
        return failed_sighting(
            f"The instance did not answer within {self._limit:g} s.",
            "Check that it runs, and that this host can reach it.",
            Code.ENDPOINT_TIMEOUT,
        )


def _run(look: Look, future: concurrent.futures.Future[Sighting]) -> None:
    try:
        sighting = look()
    except BaseException as error:
        # Nothing may reach the excepthook of the thread, which prints the text of the exception.
        sighting = _raised(error)
    future.set_result(sighting)


def _raised(error: BaseException) -> Sighting:
    return failed_sighting(
        f"The report could not be obtained: {type(error).__name__}.",
        "Run 'manage.py healthguard check' with the same options to see the reason.",
    )
