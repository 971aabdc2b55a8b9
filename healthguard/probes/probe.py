"""The probes: the questions that are answered from a report."""

from __future__ import annotations

import enum


class Probe(enum.StrEnum):
    """A question that is answered from a report."""

    HEALTH = "health"
    """The status of everything."""
    LIVE = "live"
    """Answered without touching anything: the process responds."""
    STARTUP = "startup"
    """Healthy once the pod has been ready."""
    READY = "ready"
    """Healthy if the pod may get traffic."""
