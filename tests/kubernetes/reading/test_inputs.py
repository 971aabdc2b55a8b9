"""The inputs of a command line: which files are read, which are left out, and what is reported."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from healthguard.kubernetes.reading.errors import InputError
from healthguard.kubernetes.reading.inputs import Inputs, read
from tests.support.calls import count_calls

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"
NOBODY = 65534
"""The id of the user without any privileges."""


def config_map(name: str) -> str:
    return CONFIG_MAP.format(name=name)


def read_paths(*paths: Path | str, stdin: str | bytes = b"") -> Inputs:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return read([str(path) for path in paths], io.BytesIO(data))


def names(inputs: Inputs) -> list[str]:
    return [each.name for each in inputs.objects]


def only_error(inputs: Inputs) -> InputError:
    (error,) = inputs.errors
    return error


def write(folder: Path, **files: str) -> None:
    """Write files; a double underscore in a name is a slash, and the suffix is .yaml."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_file_with_several_documents(tmp_path: Path) -> None:
    """Each object has the path that the user gave, and the lines of the file."""
    file = tmp_path / "all.yaml"
    file.write_text(f"# comment\n---\n{config_map('a')}---\n---\n{config_map('b')}")
    inputs = read_paths(file)
    assert [(each.name, each.file, each.node.line) for each in inputs.objects] == [
        ("a", str(file), 3),
        ("b", str(file), 9),
    ]
    assert (inputs.errors, inputs.unread, inputs.file_count) == ((), (), 1)


def test_folder_is_read_with_its_subfolders_in_a_stable_order(tmp_path: Path) -> None:
    write(tmp_path, b=config_map("b"), a__z=config_map("az"), c__d__e=config_map("cde"))
    (tmp_path / "x.json").write_text('{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}')
    (tmp_path / "y.yml").write_text(config_map("yml"))
    (tmp_path / "z.txt").write_text(config_map("z"))
    inputs = read_paths(tmp_path)
    assert names(inputs) == ["az", "b", "cde", "x", "yml"]
    assert inputs.summary == "5 objects in 5 files"


def test_current_folder_is_shown_without_a_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a__b=config_map("x"))
    monkeypatch.chdir(tmp_path)
    assert [each.file for each in read_paths(".").objects] == ["a/b.yaml"]


def test_hidden_folders_and_those_of_packages_are_left_out(tmp_path: Path) -> None:
    for folder in (".github", ".git", "node_modules", "a/node_modules/b", "__pycache__"):
        write(tmp_path / folder, x=config_map("x"))
    (tmp_path / ".hidden.yaml").write_text(config_map("x"))
    assert read_paths(tmp_path) == Inputs((), (), (), 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "image:\n  tag: 1\n",
        "services:\n  web:\n    image: x\n",
        "on: push\njobs: {}\n",
        "- hosts: all\n  tasks: []\n",
        "",
        "not: [valid\n",
        "{{ template }}",
        "apiVersion: v2\nname: chart\n",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
        "[apiVersion, kind]\n",
    ],
)
def test_other_yaml_in_a_folder_is_left_out_silently(text: str, tmp_path: Path) -> None:
    write(tmp_path, other=text, real=config_map("x"))
    inputs = read_paths(tmp_path)
    assert (names(inputs), inputs.errors, inputs.unread) == (["x"], (), ())


def test_invalid_manifest_in_a_folder_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, bad=config_map("[x"), good=config_map("x"))
    inputs = read_paths(tmp_path)
    error = only_error(inputs)
    assert (names(inputs), error.file) == (["x"], str(tmp_path / "bad.yaml"))
    assert error.line


@pytest.mark.parametrize("text", ["image:\n  tag: 1\n", "- a\n", "text", "3"])
def test_named_file_that_is_not_a_manifest_is_an_error(text: str, tmp_path: Path) -> None:
    write(tmp_path, values=text)
    error = only_error(read_paths(tmp_path / "values.yaml"))
    assert (error.line, error.message) == (
        1,
        "The document is not an object of Kubernetes: it has no apiVersion and no kind.",
    )


@pytest.mark.parametrize("text", ["", "# comment\n", "---\n", "{}\n", "apiVersion: v1\nkind: List\nitems: []\n"])
def test_named_file_without_an_object_is_an_error(text: str, tmp_path: Path) -> None:
    write(tmp_path, empty=text)
    assert only_error(read_paths(tmp_path / "empty.yaml")).message == "The file contains no object of Kubernetes."


def test_document_without_a_kind_among_objects_is_an_error(tmp_path: Path) -> None:
    """kubectl rejects it as well; it may be a Deployment whose kind is misspelled."""
    write(tmp_path, all=f"{config_map('a')}---\napiVersion: v1\nKind: ConfigMap\n")
    inputs = read_paths(tmp_path)
    assert names(inputs) == ["a"]
    assert (only_error(inputs).line, "it has no kind." in only_error(inputs).message) == (6, True)


def test_invalid_document_does_not_hide_the_others(tmp_path: Path) -> None:
    write(tmp_path, all=f"{config_map('a')}---\na: [\n---\n{config_map('b')}")
    inputs = read_paths(tmp_path / "all.yaml")
    assert (names(inputs), len(inputs.errors)) == (["a", "b"], 1)


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        ("", None),
        ("# a comment\n\n...\n", None),
        (config_map("b"), 6),
        ("\n# a comment\n...\n" + config_map("b"), 9),
        ("not YAML: [", 6),
    ],
)
def test_text_after_the_end_of_a_document_is_noted(rest: str, line: int | None) -> None:
    """kubectl ignores it silently, which is hardly ever intended."""
    inputs = read_paths("-", stdin=f"{config_map('a')}...\n{rest}\n---\n{config_map('c')}")
    assert (names(inputs), inputs.errors) == (["a", "c"], ())
    assert [note.line for note in inputs.unread] == ([] if line is None else [line])


def test_lists_are_replaced_by_their_items() -> None:
    item = "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}}"
    inner = f"{{apiVersion: v1, kind: List, items: [{item % 'b'}, {item % 'c'}]}}"
    text = f"apiVersion: v1\nkind: List\nitems:\n- {item % 'a'}\n- {inner}\n- {item % 'd'}\n"
    inputs = read_paths("-", stdin=text)
    assert [(each.name, each.node.line) for each in inputs.objects] == [("a", 4), ("b", 5), ("c", 5), ("d", 6)]


def test_items_of_a_typed_list_get_its_kind() -> None:
    text = "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a, namespace: b}\n"
    (obj,) = read_paths("-", stdin=text).objects
    assert (obj.kind, obj.api_version, obj.name, obj.namespace) == ("Deployment", "apps/v1", "a", "b")


def test_item_without_a_kind_is_an_error() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n"
    assert only_error(read_paths("-", stdin=text)).line == 4


def test_kind_that_ends_like_a_list_is_an_object_if_it_has_no_items() -> None:
    assert names(read_paths("-", stdin="apiVersion: x/v1\nkind: AllowList\nmetadata: {name: a}\n")) == ["a"]


def test_standard_input_is_read_once() -> None:
    inputs = read_paths("-", "-", stdin=config_map("a"))
    assert [(each.name, each.file) for each in inputs.objects] == [("a", "<stdin>")]
    assert inputs.errors == ()


def test_empty_standard_input_is_an_error() -> None:
    error = only_error(read_paths("-"))
    assert (error.file, error.message) == ("<stdin>", "Standard input contains no object of Kubernetes.")


def test_helm_stream_names_the_template_and_keeps_its_own_lines() -> None:
    text = f"---\n# Source: shop/templates/web.yaml\n{config_map('a')}---\n{config_map('b')}"
    inputs = read_paths("-", stdin=text)
    assert [(each.file, each.template, each.node.line) for each in inputs.objects] == [
        ("<stdin>", "shop/templates/web.yaml", 3),
        ("<stdin>", "", 8),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_mark_is_not_part_of_the_text(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(config_map("ä").encode(encoding))
    assert names(read_paths(file)) == ["ä"]


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (config_map("a").encode() + b"# caf\xe9\n", 5, "The file is not encoded in UTF-8."),
        (b"\x7fELF\x00\xff", None, "It is a binary file."),
        (b"\xff\xfea", None, "The file is not encoded in UTF-16."),
        (config_map("a").encode("utf-16-le"), 1, "The file contains a character that YAML does not allow"),
        (b"a: \x00", 1, "The file contains a character that YAML does not allow"),
    ],
)
def test_file_that_is_not_text_is_an_error(data: bytes, line: int | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(data)
    error = only_error(read_paths(file))
    assert (error.line, error.message.startswith(message)) == (line, True)


def test_file_in_a_folder_that_is_not_text_is_noted(tmp_path: Path) -> None:
    write(tmp_path, a=config_map("a"))
    (tmp_path / "b.yaml").write_bytes(b"\x7fELF\x00\xff")
    inputs = read_paths(tmp_path)
    assert (names(inputs), inputs.errors, len(inputs.unread)) == (["a"], (), 1)


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    error = only_error(read_paths(tmp_path / "none.yaml"))
    assert error.message == "It cannot be read: No such file or directory."


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_path_that_cannot_exist_is_an_error(path: str) -> None:
    assert only_error(read_paths(path)).message.startswith("It cannot be read: ")


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Read files as a user who may not read everything."""
    own = os.geteuid()
    os.seteuid(own or NOBODY)
    try:
        yield
    finally:
        os.seteuid(own)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_path_without_permission_is_an_error(kind: str) -> None:
    # Another user may not enter the folder of pytest.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        write(folder, a__b=config_map("a"))
        locked = folder / "a" if kind == "folder" else folder / "a/b.yaml"
        locked.chmod(0)
        with without_privileges():
            error = only_error(read_paths(folder))
        locked.chmod(0o700)
    assert (error.file, "Permission denied" in error.message) == (str(locked), True)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, make_socket], ids=["fifo", "socket"])
def test_special_file_does_not_block(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error if it is named, and noted if it is in a folder."""
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    make(Path("x.yaml"))
    named, found = read_paths("x.yaml"), read_paths(".")
    assert (len(named.errors), len(found.errors), len(found.unread)) == (1, 0, 1)


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
def test_device_does_not_block(path: str) -> None:
    assert only_error(read_paths(path)).message == "It is not a regular file."


def test_large_file_is_rejected_without_reading_it(tmp_path: Path) -> None:
    """The file is sparse: it has a size, but no content."""
    file = tmp_path / "x.yaml"
    with file.open("wb") as opened:
        opened.truncate(50 * 1024**3)
    assert only_error(read_paths(file)).message == "The file has 51200 MB, and at most 25 MB are read."


def test_endless_standard_input_is_rejected() -> None:
    with open("/dev/zero", "rb") as endless:
        error = only_error(read(["-"], endless))
    assert error.message == "The input is too large: at most 25 MB are read."


def test_links_that_form_a_cycle_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, a__b=config_map("x"))
    (tmp_path / "a/loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a/self.yaml").symlink_to("self.yaml")
    inputs = read_paths(tmp_path)
    assert names(inputs) == ["x"]


def test_file_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, a=config_map("x"))
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    inputs = read_paths(tmp_path / "a.yaml", tmp_path, tmp_path / "b.yaml", tmp_path)
    assert (names(inputs), inputs.errors) == (["x"], ())


def write_chart(folder: Path) -> None:
    write(folder, Chart="apiVersion: v2\nname: x\n", values="image: {kind: x, apiVersion: y}\n")
    write(folder, templates__x="apiVersion: v1\nkind: {{ .Values.kind }}\n", crds__y=config_map("y"))


def test_helm_chart_in_a_folder_is_noted(tmp_path: Path) -> None:
    write_chart(tmp_path / "chart")
    write(tmp_path, a=config_map("a"))
    inputs = read_paths(tmp_path)
    assert (names(inputs), inputs.errors) == (["a"], ())
    assert [(note.file, note.message) for note in inputs.unread] == [
        (str(tmp_path / "chart"), "The folder is a Helm chart, whose templates are not manifests.")
    ]


def test_helm_chart_that_is_named_is_an_error(tmp_path: Path) -> None:
    write_chart(tmp_path)
    assert "helm template CHART" in only_error(read_paths(tmp_path)).remedy


@pytest.mark.parametrize("count", [1000, 10_000])
def test_number_of_steps_grows_with_the_number_of_documents(count: int) -> None:
    """The steps are calls of functions, which do not depend on the speed of the machine."""
    data = io.BytesIO("---\n".join(config_map(f"x{index}") for index in range(count)).encode())
    found: list[Inputs] = []
    assert count_calls(lambda: found.append(read(["-"], data))) < 200 * count
    assert len(found[0].objects) == count


BOUNDED = """
import io, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (500 * 2**20, 500 * 2**20))
from healthguard.kubernetes.reading.inputs import read
inputs = read([sys.argv[1]], io.BytesIO())
print(len(inputs.objects), len(inputs.errors))
"""
LIMIT = 25 * 1024 * 1024 - 200


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (lambda: "[" + "a," * (LIMIT // 2 - 2) + "]", "0 1"),
        (lambda: "- - a\n" * (LIMIT // 6), "0 1"),
        (lambda: "a:\n" * (LIMIT // 3), "0 1"),
        (lambda: "x" * LIMIT, "0 1"),
        (lambda: "\N{GRINNING FACE}" * (LIMIT // 4), "0 1"),
        (lambda: "---\n" * (LIMIT // 4), "0 1"),
        (lambda: '{"a":[' + "1," * (LIMIT // 2 - 10) + "1]}", "0 1"),
        (lambda: "[{" * (LIMIT // 2), "0 1"),
        (lambda: "&a " * (LIMIT // 3), "0 1"),
        (lambda: "a: &a [b]\nc: [" + "*a," * (LIMIT // 3 - 20) + "]", "0 1"),
        (lambda: config_map("x") + "data:\n  x: |\n" + "    [[{{,\n" * (LIMIT // 11), "1 0"),
    ],
    ids=["flow", "block", "empty", "text", "wide", "separators", "json", "depth", "anchors", "aliases", "literal"],
)
def test_no_file_needs_more_than_500_megabytes(text: Callable[[], str], outcome: str, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text())
    done = subprocess.run([sys.executable, "-c", BOUNDED, file], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (outcome, "")
