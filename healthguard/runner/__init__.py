"""The execution of services: the times at which their checks run, and the threads on which they run."""

from healthguard.runner.outcome import Outcome
from healthguard.runner.run import Run
from healthguard.runner.runner import Runner
from healthguard.runner.snapshot import Snapshot

__all__ = ["Outcome", "Run", "Runner", "Snapshot"]
