"""A declaration with values of every kind, most of which have another order or another address in each process."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import functools
import os
import pathlib
import re
import types
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy
from health_check.base import HealthCheck

from healthguard.checks import AIProviderKey, HTTPEndpoint, RequiredColumns, RequiredTables
from healthguard.providers import Provider

NAMES = frozenset({"customers", "orders", "invoices", "payments", "products", "sessions", "users"})


class Color(enum.Enum):
    RED = "red"
    BLUE = object()


class Permission(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class ThirdParty(HealthCheck):
    """A check whose options are values of any kind."""

    options: Any = None
    secret: Any = dataclasses.field(default=None, repr=False)
    timeout: datetime.timedelta = datetime.timedelta(seconds=3)
    cache: Any = dataclasses.field(default=None, init=False)

    def run(self) -> None: ...


class Plain(HealthCheck):
    """A check that is not a dataclass."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        self._token = token
        self._cache: object = None

    def run(self) -> None: ...


class Foreign:
    """A value of a class that is not known. Its repr contains its address."""


def read_key() -> str:
    return "module"


@functools.cache
def read_cached_key() -> str:
    return "cached"


def key_reader(variable: str) -> Callable[[], str]:
    return lambda: os.environ[variable]


DECLARATION: list[Any] = [
    RequiredTables([*sorted(NAMES)]),
    RequiredColumns("customers", {"level": "varchar", "metadata": None}),
    AIProviderKey("anthropic", key=key_reader("ANTHROPIC_API_KEY")),
    AIProviderKey(Provider(name="own", base_url="https://ai.internal/v1", variables=("OWN_KEY",)), key=read_cached_key),
    HTTPEndpoint("/things", headers={"authorization": read_key}, json={"ids": [1, 2.5, None, True]}),
    ("tests.support.rich_declaration.ThirdParty", {"options": NAMES, "secret": {*NAMES, 7, b"7", None}}),
    (ThirdParty, {"secret": {name: {*name} for name in NAMES}}),
    ThirdParty,
    Plain("https://example.com", token="hunter2"),
    ThirdParty(
        [
            (OrderedDict(one=1), types.MappingProxyType({"two": 2}), deque([3]), {"keys": 4}.keys(), range(5)),
            (Color.RED, Color.BLUE, Permission.READ | Permission.WRITE, Permission(0)),
            (decimal.Decimal("1.50"), 10**5000, -0.0, float("nan"), 2j, bytearray(b"x"), "\ud800"),
            (datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC), datetime.date(2030, 1, 2), datetime.time(3)),
            (
                uuid.UUID(int=7),
                pathlib.Path("/run/secrets"),
                pathlib.PureWindowsPath("C:/x"),
                re.compile("a+", re.IGNORECASE),
            ),
            (functools.partial(key_reader, "KEY"), Plain.run, Plain("x").run, "x".join, len, os.environ.get),
            (Foreign(), Foreign, object(), lambda number=1: number, gettext_lazy("unhealthy"), SimpleLazyObject(dict)),
        ]
    ),
]
