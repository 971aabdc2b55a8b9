"""The execution of services: the times at which their checks run, and the threads on which they run."""

from healthguard.runner.run import Outcome, Run
from healthguard.runner.runner import Runner, Snapshot

__all__ = ["Outcome", "Run", "Runner", "Snapshot"]
