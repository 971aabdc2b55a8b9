"""The tree that services form, with the policy of each service resolved."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from healthguard.runtime.cache_age import TTL_JITTER
from healthguard.service.check_source import DEFAULT_TIMEOUT, CheckSource, source_of
from healthguard.service.service import DEFAULT_TTL, ReadyPolicy, Scope, Service


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceNode:
    """A service at its path in the tree, with its policy resolved to numbers (seconds).

    ``declared`` is the service as it is declared. The options of its checks may contain secrets.
    """

    path: tuple[str, ...]
    sources: tuple[CheckSource, ...]
    ready: ReadyPolicy
    critical: bool
    ttl: float
    stale_for: float
    timeout: float
    scope: Scope
    declared: Service = dataclasses.field(repr=False, compare=False)

    @property
    def aliases(self) -> frozenset[str]:
        """The aliases of the databases that its checks use, as far as they are known."""
        return frozenset(source.database for source in self.sources if source.database is not None)


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """Services and groups of services, by name."""

    members: Mapping[str, ServiceNode | Tree]

    def services(self) -> Iterator[ServiceNode]:
        """Yield every service, depth first."""
        for member in self.members.values():
            if isinstance(member, Tree):
                yield from member.services()
            else:
                yield member

    def at(self, path: Sequence[str]) -> ServiceNode | Tree | None:
        """Return the service or group at ``path``, or None."""
        node: ServiceNode | Tree | None = self
        for name in path:
            node = node.members.get(name) if isinstance(node, Tree) else None
        return node

    def filtered(self, keep: Callable[[ServiceNode], ServiceNode | None]) -> Tree:
        """Return the tree of what ``keep`` returns for each service, without groups that have become empty."""
        members: dict[str, ServiceNode | Tree] = {}
        for name, member in self.members.items():
            if isinstance(member, Tree):
                group = member.filtered(keep)
                if group.members:
                    members[name] = group
            elif (kept := keep(member)) is not None:
                members[name] = kept
        return Tree(members)


def resolve_service(service: Service, path: tuple[str, ...]) -> ServiceNode:
    """Return the service as a node at ``path``. Options that it does not set get their defaults."""
    sources = tuple(source_of(spec) for spec in service.checks)
    ttls = [source.ttl for source in sources if source.ttl is not None]
    return ServiceNode(
        path=path,
        sources=sources,
        ready=service.ready,
        critical=service.critical,
        ttl=service.ttl if service.ttl is not None else _with_jitter(max(ttls)) if ttls else DEFAULT_TTL,
        stale_for=service.stale_for,
        timeout=service.timeout
        if service.timeout is not None
        else max((source.timeout for source in sources), default=DEFAULT_TIMEOUT),
        declared=service,
        scope=service.scope or ("process" if any(source.is_about_process for source in sources) else "pod"),
    )


def _with_jitter(ttl: float) -> float:
    # The processes of a fleet should not all send their requests to a provider at once.
    return ttl * random.uniform(1 - TTL_JITTER, 1)  # noqa: S311 - it does not need to be hard to guess
