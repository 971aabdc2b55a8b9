"""Checks that fail in all the ways in which a third-party check can fail."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import threading
import time
from collections.abc import Iterator

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from health_check.base import HealthCheck
from health_check.exceptions import ServiceReturnedUnexpectedResult, ServiceUnavailable, ServiceWarning

SECRET = "hunter2-hunter2-hunter2"
HANG = 60.0
"""The time that a check hangs (seconds), which is far longer than any response takes on a busy machine."""


class Fine(HealthCheck):
    runs = 0

    def run(self) -> None:
        type(self).runs += 1


@dataclasses.dataclass
class Sleeps(HealthCheck):
    seconds: float = HANG
    timeout: datetime.timedelta = datetime.timedelta(seconds=1)

    def run(self) -> None:
        time.sleep(self.seconds)


@dataclasses.dataclass
class SleepsAsync(HealthCheck):
    seconds: float = HANG

    async def run(self) -> None:
        await asyncio.sleep(self.seconds)


class BlocksItsLoop(HealthCheck):
    async def run(self) -> None:
        time.sleep(HANG)


class IgnoresCancellation(HealthCheck):
    async def run(self) -> None:
        ends = time.monotonic() + HANG
        while time.monotonic() < ends:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                pass


class HangsInSyncToAsync(HealthCheck):
    async def run(self) -> None:
        await sync_to_async(time.sleep)(HANG)


class HangsInTheDefaultExecutor(HealthCheck):
    async def run(self) -> None:
        await asyncio.to_thread(time.sleep, HANG)


@dataclasses.dataclass
class Raises(HealthCheck):
    error: BaseException

    def run(self) -> None:
        raise self.error


@dataclasses.dataclass
class RaisesAsync(Raises):
    async def run(self) -> None:  # type: ignore[override]
        raise self.error


class RaisesInConstructor(HealthCheck):
    def __init__(self) -> None:
        raise RuntimeError(SECRET)

    def run(self) -> None: ...


class RaisesInRepr(HealthCheck):
    def __repr__(self) -> str:
        raise RuntimeError(SECRET)

    @property
    def labels(self) -> dict[str, str]:
        raise RuntimeError(SECRET)

    @property
    def ttl(self) -> float:
        raise RuntimeError(SECRET)

    def run(self) -> None: ...


class Recurses(HealthCheck):
    def run(self) -> None:
        self.run()


class ReturnsFalse(HealthCheck):
    def run(self) -> bool:
        return False


class ReturnsTrue(HealthCheck):
    def run(self) -> bool:
        return True


class ReturnsACoroutine(HealthCheck):
    def run(self) -> object:
        async def inner() -> None:
            raise ServiceUnavailable("only if awaited")

        return inner()


class IsAGenerator(HealthCheck):
    def run(self) -> Iterator[None]:
        raise ServiceUnavailable("never reached")
        yield


class RaisesUntellable(HealthCheck):
    class Untellable(ServiceUnavailable):
        @property
        def message(self) -> str:
            raise RuntimeError(SECRET)

        @message.setter
        def message(self, value: str) -> None: ...

    def run(self) -> None:
        raise self.Untellable("x")


class LeavesAThread(HealthCheck):
    """A check that stores the name of the thread on which it ran."""

    thread = ""

    def run(self) -> None:
        type(self).thread = threading.current_thread().name


EXCEPTIONS: list[BaseException] = [
    Exception(SECRET),
    ValueError(SECRET),
    ImproperlyConfigured(SECRET),
    SystemExit(SECRET),
    KeyboardInterrupt(SECRET),
    GeneratorExit(SECRET),
    MemoryError(SECRET),
    asyncio.CancelledError(SECRET),
    BaseExceptionGroup(SECRET, [ValueError(SECRET)]),
    StopIteration(SECRET),
]
WARNING = ServiceWarning("load above 80 %")
UNAVAILABLE = ServiceUnavailable(f"no way to postgres://app:{SECRET}@db/x")
UNEXPECTED = ServiceReturnedUnexpectedResult("unexpected")
