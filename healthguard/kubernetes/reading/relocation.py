"""The lines of a rendered object in the files that the user has written.

A renderer sorts keys and merges files, so the lines of its output mean nothing to the user. The rendered tree and the
trees of the sources are walked in parallel; the places that both have get the lines of the source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from healthguard.kubernetes.reading.nodes import Key, LineInFile, ListNode, MapNode, Node, ScalarNode

_IDENTITIES = ("name", "key", "mountPath", "containerPort", "port")
"""The keys that identify an item of a list in Kubernetes' API, the most common first."""


def relocate(rendered: MapNode, source: MapNode, *patches: MapNode) -> None:
    """Set the lines of a rendered object to those of the same places in its sources.

    A mapping or a list gets the line at which it was first written, a scalar the line at which it was last changed.
    A place that no source has gets the line of the nearest place around it that one has.

    Args:
        rendered: the rendered object, whose lines are changed.
        source: the object in the user's file.
        patches: the objects that have been merged into it, the last one to do so at the end.
    """
    _relocate(rendered, [source, *patches], source.line)


def relocate_value(rendered: MapNode, path: Sequence[str], value: Node) -> None:
    """Set the lines of the value that a JSON patch has added, if the rendered object still has it.

    Args:
        rendered: the rendered object, whose lines are changed.
        path: the path in the patch. Indexes are those at the time of the patch, and ``-`` is the end of a list.
        value: the value in the patch.
    """
    parent: Node | None = rendered
    for token in path[:-1]:
        parent = parent.member(_key(parent, token)) if parent is not None else None
    if isinstance(parent, MapNode) and path:
        member = parent.member(path[-1])
        if member is not None and is_derived(member, value):
            parent.key_lines[path[-1]] = value.line
            _relocate(member, [value], value.line)
    elif isinstance(parent, ListNode) and path:
        at_index = parent.member(_key(parent, path[-1]))
        # Other patches may have moved the item since.
        for item in [*([] if at_index is None else [at_index]), *reversed(parent.items)]:
            if is_derived(item, value):
                _relocate(item, [value], value.line)
                return


def _key(node: Node, token: str) -> Key:
    return int(token) if isinstance(node, ListNode) and token.isascii() and token.isdigit() else token


def is_derived(rendered: Node, source: Node) -> bool:
    """Return True if a rendered value is that of the source, except for names that were extended.

    kustomize adds prefixes and hashes to the names of objects, and to the references to them.
    """
    if isinstance(rendered, MapNode) and isinstance(source, MapNode):
        return rendered.items.keys() == source.items.keys() and all(
            is_derived(value, source.items[key]) for key, value in rendered.items.items()
        )
    if isinstance(rendered, ListNode) and isinstance(source, ListNode):
        return len(rendered.items) == len(source.items) and all(map(is_derived, rendered.items, source.items))
    if isinstance(rendered, ScalarNode) and isinstance(source, ScalarNode):
        return rendered.text == source.text or (source.text != "" and source.text in rendered.text)
    return False


def move_to_file(node: Node, line_in_file: Callable[[int], LineInFile]) -> None:
    """Replace the lines of a tree by those of another file.

    Args:
        node: the tree, whose lines are changed.
        line_in_file: returns the line in that file.
    """
    if isinstance(node.line, LineInFile):
        return  # An alias has led here before.
    node.line = line_in_file(node.line)
    if isinstance(node, ListNode):
        for item in node.items:
            move_to_file(item, line_in_file)
    elif isinstance(node, MapNode):
        node.key_lines = {key: line_in_file(line) for key, line in node.key_lines.items()}
        for item in node.items.values():
            move_to_file(item, line_in_file)


def _relocate(rendered: Node, sources: Sequence[Node], inherited: int) -> None:
    """Set the lines of a tree.

    Args:
        rendered: the tree.
        sources: the trees at the same place, the one that was written first at the beginning.
        inherited: the line of the nearest place around it.
    """
    same_type = [source for source in sources if type(source) is type(rendered)]
    rendered.line = _written(same_type or sources, inherited)
    if isinstance(rendered, MapNode):
        _relocate_members(rendered, [source for source in same_type if isinstance(source, MapNode)], inherited)
    elif isinstance(rendered, ListNode):
        _relocate_items(rendered, [source for source in same_type if isinstance(source, ListNode)], inherited)


def _written(sources: Sequence[Node], inherited: int) -> int:
    return sources[_index_of_writer(sources)].line if sources else inherited


def _index_of_writer(sources: Sequence[Node]) -> int:
    """Return the index of the source that a value comes from: the first one, or the last one to change a scalar."""
    last = sources[-1]
    if not isinstance(last, ScalarNode):
        return 0
    return next(index for index, each in enumerate(sources) if isinstance(each, ScalarNode) and each.text == last.text)


def _relocate_members(rendered: MapNode, sources: Sequence[MapNode], inherited: int) -> None:
    for key, value in rendered.items.items():
        having = [source for source in sources if key in source.items]
        if not having:
            rendered.key_lines[key] = inherited
            _relocate(value, (), inherited)
            continue
        written = having[_index_of_writer([source.items[key] for source in having])]
        line = written.line_of(key)
        rendered.key_lines[key] = line
        _relocate(value, [source.items[key] for source in having], line)


def _relocate_items(rendered: ListNode, sources: Sequence[ListNode], inherited: int) -> None:
    matches: list[list[Node]] = [[] for _ in rendered.items]
    for source in sources:
        for index, item in _matched(rendered.items, source.items):
            matches[index].append(item)
    for item, found in zip(rendered.items, matches, strict=True):
        _relocate(item, found, found[0].line if found else inherited)


def _matched(rendered: Sequence[Node], source: Sequence[Node]) -> Iterable[tuple[int, Node]]:
    """Return the items of a source list, each with the index of the rendered item that it became."""
    found: dict[int, Node] = {}
    taken: set[int] = set()
    for identity in (_identity, _content):
        places: dict[Hashable, list[int]] = defaultdict(list)
        for index in reversed(range(len(source))):
            if index not in taken and (value := identity(source[index])) is not None:
                places[value].append(index)
        for index, item in enumerate(rendered):
            if index not in found and (waiting := places.get(identity(item))):
                taken.add(waiting[-1])
                found[index] = source[waiting.pop()]
    for index, (item, other) in enumerate(zip(rendered, source, strict=False)):
        if index not in found and index not in taken and is_derived(item, other):
            found[index] = other
    return found.items()


def _identity(node: Node) -> Hashable:
    """Return the key and the text that identify an item in its list; None if nothing does."""
    for key in _IDENTITIES:
        member = node.member(key)
        if isinstance(member, ScalarNode):
            return key, member.text
    return None


def _content(node: Node) -> Hashable:
    """Return the content of a tree, so that equal trees can be found."""
    if isinstance(node, MapNode):
        return frozenset((key, _content(value)) for key, value in node.items.items())
    if isinstance(node, ListNode):
        return tuple(map(_content, node.items))
    return node.text if isinstance(node, ScalarNode) else None
