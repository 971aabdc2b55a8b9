"""The types of the fixtures of the fault tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager

import trustme

from tests.faults.cluster import Cluster
from tests.faults.outcomes import Outcome
from tests.faults.provider import Provider
from tests.support.links import Link

RunFault = Callable[..., Outcome]
"""``run_fault(section, fault, service, expected, injected)`` runs a fault against the whole fleet."""

SetFault = Callable[[str], AbstractContextManager[None]]
"""``set_fault(name)`` lets the faulty checks of all pods fail in one way, inside a ``with`` block."""

SetBehavior = Callable[..., AbstractContextManager[None]]
"""``set_behavior(behavior, *providers)`` changes the responses of providers, inside a ``with`` block."""


@dataclasses.dataclass
class Dependencies:
    """The services that the pods depend on.

    Args:
        cluster: the database server.
        link: the connection to the database server, which a test can interrupt.
        anthropic: a provider, over HTTP.
        openai: a provider, over TLS.
        authority: the certificate authority that the pods trust.
    """

    cluster: Cluster
    link: Link
    anthropic: Provider
    openai: Provider
    authority: trustme.CA
