"""The reports of some services at one moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeAlias

from healthguard.status import ServiceReport

Version: TypeAlias = tuple[int, bytes]
"""The version of what is known. It changes whenever a run starts or ends, in this process or in another of the pod."""


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """The reports of some services at one moment.

    Args:
        reports: one report per service, by its path.
        fresh_until: until when a new snapshot would be the same, unless a run starts or ends (``time.monotonic()``
            seconds); 0 if there is a run to wait for.
        version: the runner's version at that moment.
        taken: the moment (``time.monotonic()`` seconds).
    """

    reports: Mapping[tuple[str, ...], ServiceReport]
    fresh_until: float
    version: Version
    taken: float
