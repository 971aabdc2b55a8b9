"""Checks that fail in the way that the file named by FAULT contains, until it contains something else.

The text of this file becomes a module of the pods' project, so it imports nothing from the tests.
"""

from __future__ import annotations

import asyncio
import os
import time

from asgiref.sync import sync_to_async
from django.db import connection
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable


def fault() -> str:
    """Return the current fault; empty if the checks must be healthy."""
    with open(os.environ["FAULT"]) as file:
        return file.read()


def hang(name: str) -> None:
    """Hang until another fault is set."""
    while fault() == name:
        time.sleep(0.05)


RAISES = {
    error.__name__: error
    for error in (Exception, SystemExit, KeyboardInterrupt, MemoryError, GeneratorExit, asyncio.CancelledError)
}


class Faulty(HealthCheck):
    def __init__(self) -> None:
        if fault() == "constructor":
            raise RuntimeError("constructor")

    def __repr__(self) -> str:
        if fault() == "repr":
            raise RuntimeError("repr")
        return "Faulty()"

    @property
    def labels(self) -> dict[str, str]:
        if fault() == "labels":
            raise RuntimeError("labels")
        return {}

    def run(self) -> object:
        name = fault()
        if name in RAISES:
            raise RAISES[name](name)
        return getattr(self, f"_{name}", self._succeed)()

    def _succeed(self) -> None: ...

    def _sleep(self) -> None:
        hang("sleep")

    def _spin(self) -> None:
        """Compute without waiting. The interpreter releases the GIL every few milliseconds."""
        ends = time.monotonic() + 1
        while time.monotonic() < ends or fault() == "spin":
            ends = max(ends, time.monotonic() + 0.2)
            while time.monotonic() < ends:
                pass

    def _recurse(self) -> None:
        self._recurse()

    def _false(self) -> bool:
        return False

    def _coroutine(self) -> object:
        async def inner() -> None:
            raise ServiceUnavailable("raised only if it is awaited")

        return inner()


class FaultyAsync(HealthCheck):
    async def run(self) -> None:
        name = fault()
        if name in RAISES:
            raise RAISES[name](name)
        await getattr(self, f"_{name}", self._succeed)()

    async def _succeed(self) -> None: ...

    async def _block_loop(self) -> None:
        hang("block_loop")

    async def _ignore_cancel(self) -> None:
        while fault() == "ignore_cancel":
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                pass

    async def _never_ends(self) -> None:
        await asyncio.sleep(3600)

    async def _sync_to_async(self) -> None:
        await sync_to_async(hang)("sync_to_async")

    async def _executor(self) -> None:
        await asyncio.to_thread(hang, "executor")


class Twin(HealthCheck):
    """Two checks with the same repr, of which the second fails."""

    made = 0

    def __init__(self) -> None:
        Twin.made += 1
        self.is_second = Twin.made % 2 == 0

    def __repr__(self) -> str:
        return "Twin()"

    def run(self) -> None:
        if self.is_second and fault() == "twins":
            raise ServiceUnavailable("the second")


class ReadsRows(HealthCheck):
    """A check that reads a table, and therefore waits for its lock."""

    def run(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM customers")
