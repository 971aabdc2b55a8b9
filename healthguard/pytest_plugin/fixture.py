"""The object of the fixture ``healthguard``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from healthguard.status import Fault, Report


class HealthGuard:
    """The health of the project under test.

    Import it for annotations: ``def test_page(client: Client, healthguard: HealthGuard) -> None``.
    """

    def report(self) -> Report:
        """Run the declared services, and return their report.

        The checks run on the calling thread, in the transaction of the test. In an asynchronous test, call it with
        ``await sync_to_async(healthguard.report)()``.
        """
        from healthguard.conf import settings
        from healthguard.http.mount import mounts
        from healthguard.probes.once import report_once

        return report_once(settings.tree(), broken=mounts().problem, is_inline=True)

    @contextlib.contextmanager
    def broken(
        self,
        service: str,
        *,
        code: str = "simulated",
        message: str = "A test simulates this failure.",
        hint: str = "End the block of healthguard.broken().",
        fault: Fault | Literal["config", "outage"] = "config",
        degraded: bool = False,
    ) -> Iterator[None]:
        """Simulate the failure of a service until the block ends. Its ``ready`` and ``critical`` still apply.

        The HEALTHGUARD setting of the process is overridden. It has the declared services, in which one check replaces
        the checks of this service. If the setting does not contain INLINE, checks run inline.

        Args:
            service: the name of the service, like ``"database"`` or ``"ai_providers/openai"``. If it is the name of a
                group, all of its services fail.
            code: the code of the problem.
            message: its message.
            hint: its hint.
            fault: its fault.
            degraded: True if the service is degraded, and not unhealthy.

        Raises:
            UnknownNameError: no service or group has this name. The message contains the nearest name.
        """
        from django.test import override_settings

        from healthguard.pytest_plugin.simulation import simulate_failure
        from healthguard.status import Fault, Problem

        problem = Problem(code, Fault(fault), message, hint)
        with override_settings(HEALTHGUARD=simulate_failure(service, problem, degraded=degraded)):
            yield
