"""Results that are kept as long as their subject."""

from __future__ import annotations

import gc
import weakref

from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.objects import Cluster


class Value:
    """A result to which weak references can refer."""


@memoized
def compute_value(cluster: Cluster) -> Value:
    return Value()


@memoized
def compute_other_value(cluster: Cluster) -> Value:
    return Value()


def test_result_is_computed_once_for_each_subject() -> None:
    """A second call with the same subject returns the same result; another subject has its own one."""
    cluster, other = Cluster([]), Cluster([])
    assert compute_value(cluster) is compute_value(cluster)
    assert compute_value(cluster) is not compute_value(other)


def test_functions_do_not_share_results() -> None:
    """Two functions of the same subject have two results."""
    cluster = Cluster([])
    assert compute_value(cluster) is not compute_other_value(cluster)


def test_result_is_released_with_its_subject() -> None:
    """Nothing but the subject refers to a result."""
    cluster = Cluster([])
    result = weakref.ref(compute_value(cluster))
    del cluster
    gc.collect()
    assert result() is None
