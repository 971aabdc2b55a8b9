"""The numbers of the probes that fit a declaration."""

from __future__ import annotations

import dataclasses
import enum
import math

DRAIN_SECONDS = 10
"""The seconds between the begin of the shutdown and the end of the server, in which load balancers notice it."""
SERVER_SECONDS = 30
"""The seconds for which gunicorn finishes requests by default."""
RESERVE_SECONDS = 5
START_SECONDS = 50
"""The seconds that a container may take to start its processes, on a busy node."""
PYTHON_SECONDS = 3
"""The seconds that a container with a low CPU limit may take to start Python."""
DJANGO_SECONDS = 15
"""The seconds that a container with a low CPU limit may take to start Django."""


class Part(enum.StrEnum):
    """The part that a container plays in the application."""

    WEB = "web"
    WORKER = "worker"
    SCHEDULER = "scheduler"


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """A declaration, as far as probes depend on it, and the port of the server.

    Args:
        mount_path: the path at which the health endpoint answers, with a slash at its beginning only.
        port: the number or the name of the port.
        deadline: the DEADLINE (seconds).
        longest_timeout: the longest timeout of a service (seconds).
        drain_file: the DRAIN_FILE; None if there is none.
        never_ready: the services with ``ready="never"``, which a worker need not wait for.
    """

    mount_path: str
    port: int | str
    deadline: float
    longest_timeout: float
    drain_file: str | None = None
    never_ready: tuple[str, ...] = ()

    @property
    def timeout(self) -> int:
        """The whole seconds that a probe waits: more than DEADLINE."""
        return math.floor(self.deadline) + 1

    @property
    def startup_period(self) -> int:
        """The seconds between two startup probes."""
        return max(2, self.timeout)

    @property
    def startup_budget(self) -> int:
        """The seconds that a container has to become ready: its start, and two runs of the slowest service."""
        return START_SECONDS + 2 * math.ceil(self.longest_timeout)

    @property
    def grace(self) -> int:
        """The seconds between the begin of the shutdown and SIGKILL."""
        return DRAIN_SECONDS + SERVER_SECONDS + RESERVE_SECONDS

    @property
    def check_timeout(self) -> int:
        """The seconds that ``manage.py healthguard check`` may take."""
        return DJANGO_SECONDS + math.ceil(self.longest_timeout)

    @property
    def check_command(self) -> list[str]:
        """The command that runs the checks in a process of its own."""
        excluded = [argument for name in self.never_ready for argument in ("--exclude", name)]
        return ["python", "manage.py", "healthguard", "check", *excluded]

    def path(self, name: str) -> str:
        """Return the path of a probe."""
        return f"{self.mount_path}/{name}"

    def attempts(self, period: int) -> int:
        """Return the number of failed probes after which the startup budget is used up."""
        return math.ceil(self.startup_budget / period)
