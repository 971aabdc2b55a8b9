"""The policy of the monitor: the number of rounds and the time after which it sends a message."""

from __future__ import annotations

import dataclasses

from healthguard.monitor.observation import Observation

FLAPPING_ROUNDS = 10
"""The number of rounds in which changes are counted."""
FLAPPING_CHANGES = 6
"""The largest number of changes in these rounds that is not flapping."""
MIN_RUNS = 2
"""The number of runs of its checks in which a service must have failed, if more than one failing round is required."""
SETTLED_ROUNDS = 5
"""The number of rounds without a change after which a flapping service has settled."""


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """The number of rounds and the time after which the monitor sends a message.

    Args:
        after: the number of failing rounds in a row before a message.
        after_degraded: the same for a service that is degraded because a dependency has a problem. It is larger,
            because customers are still served, and such problems often pass by themselves.
        remind: the time between two messages about a service that is still failing (seconds); None to send no
            reminder.
    """

    after: int = 2
    after_degraded: int = 5
    remind: float | None = None

    def rounds_before(self, observation: Observation) -> int:
        """Return the number of rounds in a row that an observation must last before a message.

        A wrong configuration does not pass by itself, so its first round is enough.
        """
        if observation.config_codes:
            return 1
        return self.after if observation.is_failing else max(self.after, self.after_degraded)
