"""The one doorway to a report: HTTP, commands, system checks and monitors all use this package."""

from healthguard.probes.draining import is_draining
from healthguard.probes.evaluation import ProbeEvaluation, UnknownServiceError, warm_up, warm_up_async
from healthguard.probes.probe import Probe
from healthguard.probes.state import HealthState, get_state

__all__ = [
    "HealthState",
    "Probe",
    "ProbeEvaluation",
    "UnknownServiceError",
    "get_state",
    "is_draining",
    "warm_up",
    "warm_up_async",
]
