"""Declarations with many services. The number of function calls is measured, and not the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from healthguard.checks.base import Check
from healthguard.conf import global_problem
from healthguard.pytest_plugin.collectors import DeclaredChecks
from tests.support.calls import count_calls
from tests.support.fixture_types import Declare

FEW, MANY = 100, 1000


class Counted(Check):
    """A check that counts how often it is made."""

    made = 0

    def __init__(self) -> None:
        Counted.made += 1

    def run(self) -> None:
        raise AssertionError("No check runs while items are collected.")


def items_of(collector: pytest.Collector) -> Iterator[pytest.Item]:
    """Yield the items below a collector, as pytest does. The hooks of pytest are not called."""
    for node in collector.collect():
        if isinstance(node, pytest.Collector):
            yield from items_of(node)
        else:
            assert isinstance(node, pytest.Item)
            yield node


@pytest.fixture
def declare_many(healthguard_settings: Declare) -> Callable[[int], None]:
    """Declare a number of services."""
    return lambda count: healthguard_settings({f"service_{number}": Counted for number in range(count)})


def test_each_check_is_made_a_few_times(request: pytest.FixtureRequest, declare_many: Callable[[int], None]) -> None:
    declare_many(MANY)
    Counted.made = 0
    items = list(items_of(DeclaredChecks.from_session(request.session, is_deployment=False)))
    assert len({item.nodeid for item in items}) == MANY
    assert Counted.made <= 3 * MANY


@pytest.mark.parametrize("name", ["items", "errors"])
def test_calls_grow_in_proportion_to_the_services(
    request: pytest.FixtureRequest, declare_many: Callable[[int], None], name: str
) -> None:
    functions: dict[str, Callable[[], Any]] = {
        "items": lambda: list(items_of(DeclaredChecks.from_session(request.session, is_deployment=False))),
        "errors": global_problem,
    }
    calls = {}
    for count in (FEW, FEW, MANY):
        # The first time fills caches.
        declare_many(count)
        calls[count] = count_calls(functions[name], ["call"])
    assert calls[MANY] < 1.2 * calls[FEW] * MANY / FEW


def test_declaration_without_errors_is_cheap_to_validate(declare_many: Callable[[int], None]) -> None:
    """Each item validates the whole declaration, and must not read the environment for each service."""
    declare_many(MANY)
    assert count_calls(global_problem, ["call"]) < 50 * MANY
