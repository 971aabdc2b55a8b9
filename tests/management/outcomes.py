"""Checks with a known outcome."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
import time

from healthguard import Degraded, Fault, Sabotage, Unhealthy
from healthguard.checks.base import Check


@dataclasses.dataclass(repr=False)
class Passes(Check):
    """A check that passes."""

    def run(self) -> dict[str, int]:
        return {"rows": 3}


@dataclasses.dataclass(repr=False)
class Fails(Check):
    """A check that fails."""

    message: str = "The plug is out."
    code: str = "plug_out"
    fault: str = "config"

    def run(self) -> None:
        raise Unhealthy(self.code, self.message, fault=Fault(self.fault), hint="Put it in.", evidence={"plug": "red"})


@dataclasses.dataclass(repr=False)
class Warns(Check):
    """A check that is degraded."""

    def run(self) -> None:
        raise Degraded("plug_loose", "The plug is loose.", fault=Fault.CONFIG, hint="Press it in.")


@dataclasses.dataclass(repr=False)
class Hangs(Check):
    """A check that never ends."""

    def run(self) -> None:
        time.sleep(100_000)


@dataclasses.dataclass(repr=False)
class LeavesThread(Check):
    """A check that passes, and leaves a thread behind that the interpreter waits for."""

    def run(self) -> None:
        threading.Thread(target=time.sleep, args=(100_000,), daemon=False).start()


@dataclasses.dataclass(repr=False)
class LeavesExecutor(Check):
    """A check that passes, and leaves an executor behind that the interpreter waits for."""

    def run(self) -> None:
        concurrent.futures.ThreadPoolExecutor(1).submit(time.sleep, 100_000)


@dataclasses.dataclass(repr=False)
class Provable(Passes):
    """A check whose sabotage has the given outcome."""

    sabotage: Check = dataclasses.field(default_factory=Fails)

    def sabotages(self) -> list[Sabotage]:
        return [Sabotage("the plug is pulled", self.sabotage, ["plug_out"])]


@dataclasses.dataclass(repr=False)
class Unwilling(Passes):
    """A check whose sabotages cannot be obtained."""

    def sabotages(self) -> list[Sabotage]:
        return [Sabotage("a division", self, [str(1 / 0)])]


@dataclasses.dataclass(repr=False)
class NeedsNumber(Passes):
    """A check with needs that are not requirements."""

    def needs(self) -> int:  # type: ignore[override]
        return 1


@dataclasses.dataclass(repr=False)
class NeedsUnknown(Passes):
    """A check whose needs cannot be obtained."""

    def needs(self) -> tuple[()]:
        raise ZeroDivisionError
