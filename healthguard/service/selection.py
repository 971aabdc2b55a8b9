"""The selection of services by name, and of the checks that need neither a network nor a database."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

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


def select(tree: Tree, names: Iterable[str], excluded: Iterable[str] = ()) -> Tree:
    """Return the tree of the named services and groups, or of all of them, without those that are excluded.

    Args:
        tree: the declared services.
        names: names like ``"database"`` and ``"ai_providers/openai"``; dots are accepted in place of slashes.
        excluded: names in the same form.

    Raises:
        UnknownNameError: a name is neither that of a service nor that of a group.
    """
    included, left_out = _paths(tree, names), _paths(tree, excluded)

    def keep(service: ServiceNode) -> ServiceNode | None:
        is_named = not included or any(_is_below(service.path, path) for path in included)
        return service if is_named and not any(_is_below(service.path, path) for path in left_out) else None

    return tree.filtered(keep)


def offline(tree: Tree) -> tuple[Tree, tuple[LeftOut, ...]]:
    """Return the tree of the checks that need neither a network nor a database, and the checks that it leaves out."""
    left_out: list[LeftOut] = []
    return tree.filtered(functools.partial(_offline_service, left_out=left_out)), tuple(left_out)


def path_names(tree: Tree, path: tuple[str, ...] = ()) -> Iterable[str]:
    """Yield the names of all services and groups, depth first."""
    for name, member in tree.members.items():
        yield "/".join((*path, name))
        if isinstance(member, Tree):
            yield from path_names(member, (*path, name))


def _paths(tree: Tree, names: Iterable[str]) -> list[tuple[str, ...]]:
    paths = []
    for name in names:
        path = tuple(name.strip("/").replace(".", "/").split("/"))
        if tree.at(path) is None:
            raise UnknownNameError(name, path_names(tree))
        paths.append(path)
    return paths


def _shown(name: str) -> str:
    """Return the name in quotes, unless a part of it is not a plain name and may be a secret."""
    parts = [part for part in name.split("/") if part]
    return repr(name) if parts and all(map(is_showable, parts)) else shown(name)


def _is_below(path: tuple[str, ...], ancestor: tuple[str, ...]) -> bool:
    return path[: len(ancestor)] == ancestor


def _offline_service(service: ServiceNode, left_out: list[LeftOut]) -> ServiceNode | None:
    sources: list[CheckSource] = []
    for source in service.sources:
        part = offline_source(source)
        if part is None:
            left_out.append(LeftOut(service.path, source.name))
        else:
            sources.append(part)
    return dataclasses.replace(service, sources=tuple(sources)) if sources else None
