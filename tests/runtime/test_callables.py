"""The names of callables, as they are logged."""

from __future__ import annotations

import functools
from collections.abc import Callable
from unittest import mock

import pytest

from healthguard.runtime.callables import qualified_name


def function() -> None:
    """Do nothing."""


class Receiver:
    """A callable object without a name."""

    def __call__(self) -> None:
        """Do nothing."""

    def method(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("callable_", "name"),
    [
        (function, "function"),
        (Receiver().method, "Receiver.method"),
        (Receiver(), "Receiver"),
        (functools.partial(functools.partial(function)), "function"),
        (functools.partial(Receiver()), "Receiver"),
    ],
)
def test_name_of_a_callable(callable_: Callable[..., object], name: str) -> None:
    assert qualified_name(callable_) == f"{__name__}.{name}"


def test_callable_that_refuses_its_name_has_that_of_its_class() -> None:
    assert qualified_name(mock.Mock()) == "unittest.mock.Mock"
