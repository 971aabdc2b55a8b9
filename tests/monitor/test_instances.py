"""The instances of a round, all checked at the same time."""

from __future__ import annotations

import threading

from healthguard.monitor.instances import Instances
from healthguard.monitor.observation import Sighting
from tests.monitor.simulation import HEALTHY, sighting


def codes(seen: Sighting) -> list[str]:
    return [problem.code for observation in seen.observations for problem in observation.problems]


def test_instance_that_hangs_does_not_delay_the_round_and_has_one_thread() -> None:
    """The first round ends although the function never returns before the test releases it."""
    release = threading.Event()
    calls = []

    def hang() -> Sighting:
        calls.append(threading.get_ident())
        release.wait()
        return sighting(HEALTHY)

    instances = Instances({"a": hang, "b": lambda: sighting(HEALTHY)}, 0.2)
    try:
        for _ in range(3):
            seen = instances.look()
            assert codes(seen["a"]) == ["endpoint_timeout"]
            assert seen["b"].is_good
        assert len(calls) == 1
    finally:
        release.set()


def test_function_that_raises_is_a_problem_of_its_instance_alone() -> None:
    def fail() -> Sighting:
        raise RuntimeError("secret")

    seen = Instances({"a": fail, "b": lambda: sighting(HEALTHY)}, None).look()
    (observation,) = seen["a"].observations
    assert observation.problems[0].message == "The report could not be obtained: RuntimeError."
    assert seen["b"].is_good
