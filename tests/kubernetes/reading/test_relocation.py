"""The lines of a rendered object are those of the user's files."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.reading.documents import compose
from healthguard.kubernetes.reading.nodes import Key, LineInFile, MapNode, Node
from healthguard.kubernetes.reading.relocation import is_derived, move_to_file, relocate, relocate_value

SOURCE = """\
kind: Pod
spec:
  containers:
  - name: web
    image: web:1
    env:
    - name: B
      value: "2"
    - name: A
      value: "1"
    args: [run, fast]
  - name: sidecar
    image: proxy
"""
RENDERED = """\
kind: Pod
spec:
  containers:
  - args:
    - run
    - fast
    env:
    - name: B
      value: "2"
    - name: A
      value: "1"
    image: web:1
    name: web
  - image: proxy
    name: sidecar
"""


def tree(text: str) -> MapNode:
    node = next(compose(text))
    assert isinstance(node, MapNode)
    return node


def patch(text: str) -> MapNode:
    """Return a tree whose lines are those of another file."""
    node = tree(text)
    move_to_file(node, lambda line: LineInFile(line, "patch.yaml"))
    return node


def line(node: MapNode, *path: Key) -> int:
    found = node.at(*path)
    assert found is not None
    return found.line


def file_of(node: MapNode, *path: Key) -> str:
    found = line(node, *path)
    return found.file if isinstance(found, LineInFile) else ""


def relocated(rendered: str, *sources: MapNode) -> MapNode:
    node = tree(rendered)
    relocate(node, *sources)
    return node


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("kind",), 1),
        (("spec",), 3),
        (("spec", "containers", 0), 4),
        (("spec", "containers", 0, "image"), 5),
        (("spec", "containers", 0, "env", 0), 7),
        (("spec", "containers", 0, "env", 1, "value"), 10),
        (("spec", "containers", 0, "args", 1), 11),
        (("spec", "containers", 1, "image"), 13),
    ],
)
def test_value_gets_the_line_of_the_same_place(path: tuple[Key, ...], expected: int) -> None:
    assert line(relocated(RENDERED, tree(SOURCE)), *path) == expected


def test_key_gets_the_line_of_the_same_key() -> None:
    container = relocated(RENDERED, tree(SOURCE)).map_at("spec", "containers", 0)
    assert container is not None
    assert container.key_lines == {"args": 11, "env": 6, "image": 5, "name": 4}


def test_items_are_matched_by_name_and_not_by_order() -> None:
    rendered = relocated("env: [{name: A, value: x}, {name: B, value: y}]", tree("env:\n- name: B\n- name: A\n"))
    assert [line(rendered, "env", index) for index in (0, 1)] == [3, 2]


def test_items_of_equal_name_are_matched_in_their_order() -> None:
    rendered = relocated("env: [{name: A}, {name: A}]", tree("env:\n- name: A\n- name: A\n"))
    assert [line(rendered, "env", index) for index in (0, 1)] == [2, 3]


def test_items_without_a_name_are_matched_by_content() -> None:
    source = tree("envFrom:\n- secretRef: {name: a}\n- secretRef: {name: b}\n")
    rendered = relocated("envFrom: [{secretRef: {name: b}}, {secretRef: {name: a}}]", source)
    assert [line(rendered, "envFrom", index) for index in (0, 1)] == [3, 2]


def test_reference_with_a_hash_is_matched_by_its_place() -> None:
    source = tree("envFrom:\n- secretRef:\n    name: keys\n")
    rendered = relocated("envFrom: [{secretRef: {name: prod-keys-5m2b}}]", source)
    assert line(rendered, "envFrom", 0, "secretRef", "name") == 3


def test_added_value_gets_the_line_of_the_key_around_it() -> None:
    rendered = relocated("metadata: {labels: {app: web}, name: x}", tree("kind: Pod\nmetadata:\n  name: x\n"))
    assert line(rendered, "metadata", "labels", "app") == 2


def test_added_key_of_an_item_gets_the_line_of_the_item() -> None:
    source = tree("containers:\n- name: a\n- name: b\n")
    rendered = relocated("containers: [{name: a}, {name: b, image: x}]", source)
    assert line(rendered, "containers", 1, "image") == 3


def test_removed_and_added_items_are_not_matched() -> None:
    rendered = relocated("env: [{name: NEW, value: x}]", tree("env:\n- name: OLD\n  value: x\n"))
    assert line(rendered, "env", 0) == 1


def test_item_of_a_patch_is_in_the_file_of_the_patch() -> None:
    rendered = relocated("env: [{name: B}, {name: A}]", tree("env:\n- name: A\n"), patch("env:\n- name: B\n"))
    assert [file_of(rendered, "env", index) for index in (0, 1)] == ["patch.yaml", ""]


def test_value_that_a_patch_has_changed_is_in_the_file_of_the_patch() -> None:
    rendered = relocated("spec: {image: new}", tree("spec:\n  image: old\n"), patch("spec:\n  image: new\n"))
    assert file_of(rendered, "spec", "image") == "patch.yaml"


def test_key_is_in_the_same_file_as_the_value_that_a_patch_has_changed() -> None:
    rendered = relocated("image: new", tree("a: b\nimage: old\n"), patch("image: new\n"))
    key_line = rendered.key_lines["image"]
    assert isinstance(key_line, LineInFile)
    assert key_line == 1


def test_value_that_a_patch_repeats_stays_in_the_file_of_the_object() -> None:
    rendered = relocated("spec: {name: web}", tree("spec:\n  name: web\n"), patch("spec:\n  name: web\n"))
    assert file_of(rendered, "spec", "name") == ""


def test_mapping_that_a_patch_extends_stays_in_the_file_of_the_object() -> None:
    rendered = relocated("spec: {a: 1, b: 2}", tree("spec:\n  a: 1\n"), patch("spec:\n  b: 2\n"))
    assert (file_of(rendered, "spec"), file_of(rendered, "spec", "b")) == ("", "patch.yaml")


def test_later_of_two_patches_counts() -> None:
    later = tree("image: c\n")
    move_to_file(later, lambda line: LineInFile(line, "later.yaml"))
    rendered = relocated("image: c", tree("image: a\n"), patch("image: b\n"), later)
    assert file_of(rendered, "image") == "later.yaml"


def operation(text: str) -> Node:
    node = patch(f"value: {text}").at("value")
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (["spec", "containers", "0", "image"], "web:1", ("spec", "containers", 0, "image")),
        (["spec", "containers", "0", "env", "0"], '{name: A, value: "1"}', ("spec", "containers", 0, "env", 1)),
        (["spec", "containers", "0", "env", "-"], '{name: A, value: "1"}', ("spec", "containers", 0, "env", 1)),
    ],
    ids=["value", "moved item", "last item"],
)
def test_value_of_a_json_patch_is_in_the_file_of_the_patch(path: list[str], value: str, place: tuple[Key, ...]) -> None:
    node = relocated(RENDERED, tree(SOURCE))
    relocate_value(node, path, operation(value))
    assert file_of(node, *place) == "patch.yaml"


@pytest.mark.parametrize(
    "path",
    [["spec", "containers", "0", "image"], ["spec", "none", "x"], ["spec", "containers", "9", "image"], [""], []],
)
def test_value_that_the_object_does_not_have_changes_nothing(path: list[str]) -> None:
    node, same = relocated(RENDERED, tree(SOURCE)), relocated(RENDERED, tree(SOURCE))
    relocate_value(node, path, operation("other"))
    assert repr(node) == repr(same)


@pytest.mark.parametrize(
    ("rendered", "source", "expected"),
    [
        ("a: {b: x}", "a: {b: x}", True),
        ("a: prod-x-1", "a: x", True),
        ("a: x", 'a: ""', False),
        ("a: [x]", "a: [x, y]", False),
        ("a: {b: x, c: y}", "a: {b: x}", False),
        ("a: [x]", "a: x", False),
    ],
)
def test_derived_value_differs_at_most_by_extended_names(rendered: str, source: str, expected: bool) -> None:
    assert is_derived(tree(rendered), tree(source)) is expected


def test_lines_of_a_shared_node_are_moved_once() -> None:
    """An alias makes two members the same node."""
    node = tree("a: &x {b: c}\nd: *x\n")
    move_to_file(node, lambda line: LineInFile(line + 10, "patch.yaml"))
    assert line(node, "d", "b") == 11
