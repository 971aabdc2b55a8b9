"""The fixtures of the tests of Kubernetes manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from healthguard.kubernetes.catalog import load_rules
from healthguard.kubernetes.rules.rule import CONTAINER_RULES, OBJECT_RULES, ContainerSubject, ObjectSubject, Rule

UseRules: TypeAlias = Callable[..., None]


@pytest.fixture
def use_rules() -> Iterator[UseRules]:
    """A function that applies only the given rules, first those for containers, until the end of the test."""
    load_rules()
    registered = CONTAINER_RULES[:], OBJECT_RULES[:]

    def use(*container_rules: Rule[ContainerSubject], objects: tuple[Rule[ObjectSubject], ...] = ()) -> None:
        CONTAINER_RULES[:] = container_rules
        OBJECT_RULES[:] = objects

    yield use
    CONTAINER_RULES[:], OBJECT_RULES[:] = registered
