"""The selection of services by name, and of the checks that need neither a network nor a database."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from healthguard.secret_values.showable import is_showable, nearest, shown
from healthguard.service.check_source import CheckSource, offline_source
from healthguard.service.tree import ServiceNode, Tree


class UnknownNameError(Exception):
    """A name is neither that of a service nor that of a group.

    Args:
        name: the name.
        known: the names of all services and groups.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = list(known)
        near = nearest(name, names)
        question = f"Did you mean {near!r}? " if near else ""
        listed = ", ".join(names) or "none"
        super().__init__(
            f"No service or group is named {_shown(name)}. {question}The services and groups are: {listed}."
        )


@dataclasses.dataclass(frozen=True, slots=True)
class LeftOut:
    """A check that a selection leaves out: the path of its service, and the name of its class."""

    path: tuple[str, ...]
    check: str

    @property
    def name(self) -> str:
        """The path of its service as text, like ``"ai_providers/openai"``."""
        return "/".join(self.path)


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """The services that are selected by the names of services and groups.

    Args:
        included: the paths of the named services and groups; empty for all.
        excluded: the paths of those that are left out.
    """

    included: tuple[tuple[str, ...], ...]
    excluded: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, names: Iterable[str], excluded: Iterable[str], members: Mapping[str, object]) -> Self:
        """Return the selection.

        Args:
            names: names like ``"database"`` and ``"ai_providers/openai"``; dots are accepted in place of slashes.
            excluded: names in the same form.
            members: the services and groups that there are. A group has ``members`` too.

        Raises:
            UnknownNameError: a name is neither that of a service nor that of a group.
        """
        known = {"/".join(path): path for path in _paths(members)}
        return cls(*(tuple(_path(name, known) for name in chosen) for chosen in (names, excluded)))

    def contains(self, path: tuple[str, ...]) -> bool:
        """Return True if the service at ``path`` is selected."""
        is_included = not self.included or _is_below_any(path, self.included)
        return is_included and not _is_below_any(path, self.excluded)


def select(tree: Tree, names: Iterable[str], excluded: Iterable[str] = ()) -> Tree:
    """Return the tree of the named services and groups, or of all of them, without those that are excluded.

    Raises:
        UnknownNameError: a name is neither that of a service nor that of a group.
    """
    selection = Selection.of(names, excluded, tree.members)
    return tree.filtered(lambda service: service if selection.contains(service.path) else None)


def offline(tree: Tree) -> tuple[Tree, tuple[LeftOut, ...]]:
    """Return the tree of the checks that need neither a network nor a database, and the checks that it leaves out."""
    left_out: list[LeftOut] = []
    return tree.filtered(functools.partial(_offline_service, left_out=left_out)), tuple(left_out)


def _paths(members: Mapping[str, object], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of all services and groups, depth first."""
    for name, member in members.items():
        yield (*path, name)
        inner = getattr(member, "members", None)
        if isinstance(inner, Mapping):
            yield from _paths(inner, (*path, name))


def _path(name: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    path = known.get(name.strip("/").replace(".", "/"))
    if path is None:
        raise UnknownNameError(name, known)
    return path


def _shown(name: str) -> str:
    """Return the name in quotes, unless a part of it is not a plain name and may be a secret."""
    parts = [part for part in name.split("/") if part]
    return repr(name) if parts and all(map(is_showable, parts)) else shown(name)


def _is_below_any(path: tuple[str, ...], ancestors: Iterable[tuple[str, ...]]) -> bool:
    return any(path[: len(ancestor)] == ancestor for ancestor in ancestors)


def _offline_service(service: ServiceNode, left_out: list[LeftOut]) -> ServiceNode | None:
    sources: list[CheckSource] = []
    for source in service.sources:
        part = offline_source(source)
        if part is None:
            left_out.append(LeftOut(service.path, source.name))
        else:
            sources.append(part)
    return dataclasses.replace(service, sources=tuple(sources)) if sources else None
