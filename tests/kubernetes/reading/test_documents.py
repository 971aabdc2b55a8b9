"""The documents of a text: their values, the line of each, and what Kubernetes does not accept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from healthguard.kubernetes.reading.documents import compose, split_documents
from healthguard.kubernetes.reading.errors import InvalidDocumentError
from healthguard.kubernetes.reading.limits import Budget
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.reading.simple_documents import compose_simple
from healthguard.kubernetes.reading.yaml_documents import compose_yaml
from tests.kubernetes.reading.kubectl import read_with_kubectl

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
SAME_AS_KUBECTL = {
    "merge": "{<<: {k: 1}, j: 2}",
    "merge that replaces an earlier member": "{k: 1, <<: {k: 2, j: 3}}",
    "member that replaces a merged one": "{<<: {k: 1}, k: 2}",
    "merge of a list": "{<<: [{k: 1}, {k: 2, j: 2}]}",
    "quoted merge key": '{"<<": {k: 1}}',
    "merge key as a value": "<<",
    "alias": "{a: &x {k: [1]}, b: *x, c: [*x]}",
    "anchor that is used again": "{a: &x 1, b: *x, c: &x 2, d: *x}",
    "alias as a key": "{a: &x name, *x : 2}",
    "repeated key": "{k: 1, k: 2}",
    "set": "!!set {a, b}",
    "tags": '[!!str 1, !!int "1", !!binary aGVsbG8=, !Ref x, !Ref 1, ! 12, ! "12", !!null "", !!bool yes, !!foo 1]',
    "tag of a list": "!!seq [1]",
    "folded text": ">-\n    a\n    b\n",
    "literal text": "|\n    a\n      b\n\n",
    "quoted text": '"a\\tb\\u00e4\\\n    c"',
    "nothing": "",
    "document end": "1\n...\n",
    "text after the end": "1\n...\nspec: 2\n",
    "text beside the end": "1\n... spec\n",
    "invalid text after the end": "1\n...\n[ 'x\n",
    "end in a literal text": "|\n    a\n...\n    b\n",
    "indented dots in a literal text": "|\n    a\n    ...\n    b\n",
    "dots in a plain text": "a\n  ... b\n",
}


def plain(node: Node | None) -> Any:
    """Return the value of a node without lines."""
    if isinstance(node, MapNode):
        return {name: plain(value) for name, value in node.items.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value if isinstance(node, ScalarNode) else None


def composed(text: str) -> Node:
    (node,) = compose(text)
    return node


def rejection(text: str) -> InvalidDocumentError:
    with pytest.raises(InvalidDocumentError) as caught:
        list(compose(text))
    return caught.value


def lines(node: Node, prefix: str = "") -> dict[str, int]:
    """Return the line of each scalar by its path."""
    if isinstance(node, MapNode):
        return {k: v for name, item in node.items.items() for k, v in lines(item, f"{prefix}.{name}").items()}
    if isinstance(node, ListNode):
        return {k: v for index, item in enumerate(node.items) for k, v in lines(item, f"{prefix}.{index}").items()}
    return {prefix: node.line}


def described(node: Node | None) -> object:
    """Return everything about a node that can be compared."""
    if isinstance(node, MapNode):
        members = {name: described(value) for name, value in node.items.items()}
        return ("map", node.line, members, node.key_lines, node.repeated)
    if isinstance(node, ListNode):
        return ("list", node.line, [described(item) for item in node.items])
    return node and (type(node), node.line, getattr(node, "text", None), repr(getattr(node, "value", None)))


@pytest.mark.parametrize("spec", SAME_AS_KUBECTL.values(), ids=SAME_AS_KUBECTL)
def test_document_is_read_as_kubectl_reads_it(spec: str, tmp_path: Path) -> None:
    text = f"apiVersion: example.com/v1\nkind: Example\nmetadata: {{name: x}}\nspec: {spec}\n"
    assert plain(composed(text).at("spec")) == read_with_kubectl(text, tmp_path).get("spec")


@pytest.mark.parametrize(
    "beginning",
    [
        "",
        "---\n",
        "# comment\n\n---\n# comment\n",
        "\ufeff",
        "--- # comment\n",
        "a: 1\n---\n\ufeff",
        "---\r\n",
    ],
)
def test_lines_are_those_of_the_file(beginning: str) -> None:
    """Separators, comments, a byte-order mark and other documents do not move a line."""
    node = list(compose(f"{beginning}first: 1\nlist:\n- a\n-\n  key:\n    deep\n"))[-1]
    offset = beginning.count("\n")
    assert lines(node) == {".first": 1 + offset, ".list.0": 3 + offset, ".list.1.key": 6 + offset}
    assert isinstance(node, MapNode)
    assert node.key_lines == {"first": 1 + offset, "list": 2 + offset}


@pytest.mark.parametrize("text", ['"x\n\n  y"', "|\n  x\n\n  y", ">\n  x\n\n  y", "'x\n\n  y'", "&a |-\n  x\n\n  y"])
def test_text_of_several_lines_is_on_its_first_line(text: str) -> None:
    node = composed(f"a: {text}\nb: 1\n")
    assert lines(node) == {".a": 1, ".b": text.count("\n") + 2}


def test_line_of_an_empty_value_is_that_of_its_key() -> None:
    assert lines(composed("a:\n\n# comment\nb:\n- \n- x\n")) == {".a": 1, ".b.0": 5, ".b.1": 6}


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\r"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_text_with_unusual_line_breaks_may_lack_the_last_one(character: str, end: str) -> None:
    assert lines(composed(f"a: 1{character}b: 2{end}")) == {".a": 1, ".b": 1}


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\r"])
def test_only_line_feeds_begin_a_line(character: str) -> None:
    """YAML also counts other characters as line breaks; editors and diffs do not."""
    assert lines(composed(f"a: '1{character} 2'\nb: 3\n")) == {".a": 1, ".b": 2}


def test_colon_at_the_end_of_a_text_in_brackets_is_read() -> None:
    """Kubernetes accepts an IPv6 network in a list in brackets, which libyaml refuses."""
    node = composed("a: [2001:db8::, '::1']\nb:\n- c: [e::, f:]\n")
    assert plain(node) == {"a": ["2001:db8::", "::1"], "b": [{"c": ["e::", "f:"]}]}
    assert lines(node) == {".a.0": 1, ".a.1": 1, ".b.0.c.0": 3, ".b.0.c.1": 3}


@pytest.mark.parametrize("text", ["a: [2001:db8::]\nb: {\n", f"a: [{'b:, ' * 30}]\n"])
def test_error_beside_such_a_text_is_reported(text: str) -> None:
    with pytest.raises(InvalidDocumentError):
        composed(text)


def test_windows_line_breaks_count_once() -> None:
    assert lines(composed("a: 1\r\nb: |\r\n  x\r\n  y\r\nc: 2\r\n")) == {".a": 1, ".b": 2, ".c": 5}


def test_value_of_an_alias_is_on_the_line_where_it_is_written() -> None:
    assert lines(composed("a: &x\n  k: 1\nb: *x\n<<: *x\n")) == {".a.k": 2, ".b.k": 2, ".k": 2}


def test_repeated_keys_are_recorded_with_the_later_line() -> None:
    node = composed("a: 1\nb: 2\na: 3\non: 4\ny: 5\n")
    assert isinstance(node, MapNode)
    assert node.repeated == [("a", 3), ("true", 5)]
    assert plain(node) == {"a": 3, "b": 2, "true": 5}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n\nb:\n- x\n-\n- {c: ~, on: [y, 'y', \"1\"]}\nd: |\n  x\n  y\n1.50: >-\n  z\n",
        "a: 1\r\nb: {}\r\na: []\r\n",
        "a && b! c\n",
        "- - - a\n    - b\n  - c\n- ? d\n  : - e\n",
        "# comment\n'1': x\n1: y\n\"a\\tb\": c\n",
        "[" * 200 + "]" * 200,
    ],
)
def test_simple_document_is_composed_as_from_events(text: str) -> None:
    simple = compose_simple(text, 7)
    assert simple is not None
    assert described(simple.root) == described(compose_yaml(text, 7, Budget()))


@hypothesis.given(st.text(alphabet=" \n\n:-?[]{},'\"#|>ab1y~.\\", max_size=40))
def test_any_simple_document_is_composed_as_from_events(text: str) -> None:
    """The alphabet is that of the structure of YAML."""
    simple = compose_simple(text, 1)
    hypothesis.assume(simple is not None)
    assert simple is not None
    assert described(simple.root) == described(compose_yaml(text, 1, Budget()))


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\n",
        "[&x 1]",
        "!x 1",
        "a: ! 1",
        "{<<: {a: 1}}",
        "a: 1\x85b: 2",
        "a: '1\r2'",
        "- " * 600 + "a",
        "[[" * 300,
        "x" * 200_000,
        "a: [",
        "[a]: 1",
        "~: 1",
        "# comment",
        "[" * 201 + "]" * 201,
        "a: 1\n---\nb: 2",
    ],
)
def test_other_document_is_not_simple(text: str) -> None:
    assert compose_simple(text, 1) is None


def test_member_that_replaces_a_merged_one_is_not_a_repetition() -> None:
    node = composed("<<: {a: 1}\na: 2\n")
    assert isinstance(node, MapNode)
    assert node.repeated == []


@pytest.mark.parametrize(
    "text", ["", "\n", "---\n", "---\n---\n", "# comment\n", "---\n# comment\n---\n", "\ufeff", "---"]
)
def test_empty_documents_are_left_out(text: str) -> None:
    assert list(compose(text)) == []


def test_documents_may_be_yaml_and_json() -> None:
    text = '{"a": 1}\n{"b": "x"}\n---\nc: 3\n---\n{d: 4}\n---\n\t{\n\t"e": 5}\n'
    assert [plain(node) for node in compose(text)] == [{"a": 1}, {"b": "x"}, {"c": 3}, {"d": 4}, {"e": 5}]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: [\n", 3, "not valid YAML"),
        ("a: 1\n  b: 2\n", 2, "mapping values are not allowed in this context"),
        ("a: 1\nb: 's3cret\nc: 2\n", 2, "unexpected end of stream"),
        ("a: 1\n\tb: 2\n", 2, "a tab character"),
        ("a: 1\ns3cret\nb: 2\n", 2, "could not find expected ':'"),
        ("a: 1\n---\nb: *s3cret\n", 3, "An alias names an anchor"),
        ("a: 1\nb: &x [*x]\n", 2, "inside the value that it names"),
        ("a: 1\nb: !!int s3cret\n", 2, "the tag !!int"),
        ("a: 1\n? [s3cret]\n: 1\n", 2, "a key is a list or a mapping"),
        ("a: &x [1]\n*x : 1\n", 2, "A key is a list or a mapping."),
        ("a: 1\n~: s3cret\n", 2, "A key is null."),
        ("a: 1\n<<: s3cret\n", 2, "The value of <<"),
        ("a: 1\n--- {s3cret: 1}\n", 2, "Text follows `---`"),
        ("# comment\n...\nb: s3cret\n", 2, "not valid YAML"),
        ("a: 1\n...b s3cret\n---\nb: 2\n", 2, "could not find expected ':'"),
        ("a: 's3cret\n...\nb: 2'\n", 1, "not valid YAML"),
        ("a: 1\nb: s3cret\x01\n", 2, "a character that YAML does not allow"),
        ("%YAML 1.2\n---\na: 1\n", 2, "not valid YAML"),
        ('{\n"a": s3cret,,\n}\n', 2, "not valid JSON"),
    ],
)
def test_invalid_document_is_reported_with_its_line_and_without_its_content(text: str, line: int, reason: str) -> None:
    error = rejection(text)
    assert (error.line, reason in error.message) == (line, True)
    assert "s3cret" not in f"{error!r}{error.__cause__!r}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("apiVersion: v1\nname: {{ .Values.name }}\n", 2),
        ("{{- if .Values.enabled }}\napiVersion: v1\n{{- end }}\n", 1),
        ("apiVersion: v1\nmetadata:\n  labels:\n    {{- include \"x\" . | nindent 4 }}\n", 4),
        ("apiVersion: v1\nlist:\n- {{ .Values.name }}\n", 3),
        ("apiVersion: v1\n{{- range .Values.list }}\n- {{ . }}\n{{- end }}\n", 2),
    ],
)  # fmt: skip
def test_template_must_be_rendered_first(text: str, line: int) -> None:
    error = rejection(text)
    assert (error.line, error.message) == (line, "The file is a template that is not rendered: it contains {{ … }}.")
    assert "helm template CHART | python -m healthguard.kubernetes -" in error.remedy


def test_braces_in_a_text_do_not_make_a_template() -> None:
    text = "a: |\n  {{ $labels.x }}\nb: '{{ x }}'\nc: [\n"
    assert "not valid YAML" in rejection(text).message


def test_expansion_of_aliases_is_limited() -> None:
    error = rejection(BOMB)
    assert (error.line, error.message) == (6, "The aliases of the document stand for more than 400,000 values.")


def test_aliases_may_be_used_often() -> None:
    text = "a: &a {k: [1, 2]}\nb:\n" + "- *a\n" * 10_000
    assert len(plain(composed(text))["b"]) == 10_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 300,
        "- " * 100_000,
        "".join(f"{' ' * level}a:\n" for level in range(500)),
        "a0: &a0 [x]\n" + "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 1000)),
        '{"a":' * 100_000,
        '{"a":' + "[" * 100_000,
    ],
)
def test_nesting_is_limited(text: str) -> None:
    assert "nested more than 200 levels deep" in rejection(text).message


def test_nesting_that_a_schema_may_have_is_read() -> None:
    assert plain(composed("[" * 200 + "]" * 200))


@pytest.mark.parametrize(
    "text",
    [
        "[" + "a," * 1100 + "]",
        "a: 1\n---\n" * 1000,
        "a\n---\n" * 1000,
        '{"a": [' + "1," * 1000 + "1]}",
    ],
)
def test_number_of_values_is_limited(text: str) -> None:
    budget = Budget(1000)
    with pytest.raises(InvalidDocumentError, match="more than"):
        [document.compose(budget) for document in split_documents(text)]


def test_documents_share_one_budget() -> None:
    budget = Budget(1000)
    [document.compose(budget) for document in split_documents("a: [1, 2]\n---\nb: 1\n")]
    assert 960 <= budget.left < 980


@pytest.mark.parametrize(
    ("text", "templates"),
    [
        ("---\n# Source: shop/templates/web.yaml\na: 1\n", ["shop/templates/web.yaml"]),
        ("# Source: shop/charts/db/templates/a b.yaml\r\n# comment\r\na: 1\r\n", ["shop/charts/db/templates/a b.yaml"]),
        ("# comment\n\n# Source: shop/crds/x.yaml\na: 1\n---\nb: 1\n", ["shop/crds/x.yaml", ""]),
        ("# Source: https://example.com/templates/x.yaml\na: 1\n", [""]),
        ("a: 1\n# Source: shop/templates/web.yaml\n", [""]),
    ],
)
def test_comment_of_helm_names_the_template(text: str, templates: list[str]) -> None:
    assert [document.template for document in split_documents(text)] == templates


def test_text_is_not_part_of_the_repr() -> None:
    (document,) = split_documents("a: s3cret\n")
    (node,) = document.compose(Budget())
    assert "s3cret" not in repr(document) + repr(node)


def test_parser_in_pure_python_reads_the_same() -> None:
    """PyYAML may be installed without libyaml."""
    code = (
        "import json, sys, yaml\ndel yaml.CSafeLoader\n"
        "from tests.kubernetes.reading.test_documents import compose, lines, plain\n"
        "print(json.dumps([[plain(node), lines(node)] for node in compose(sys.stdin.read())]))"
    )
    text = "a: &x {on: [1, 'y', y]}\nb: *x\n---\n# comment\nc: |\n  x\nd: !Ref y\n"
    done = subprocess.run(
        [sys.executable, "-c", code], input=text, capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == [[plain(node), lines(node)] for node in compose(text)]


@pytest.mark.parametrize(
    "text", ["a: *s3cret\n", "a: 's3cret\n", "s3cret\n - b\n", 'a: "\\s3cret"\n', "a: !<s3cret> 1\n"]
)
def test_parser_in_pure_python_shows_no_content(text: str) -> None:
    code = (
        "import sys, yaml\ndel yaml.CSafeLoader\n"
        "from healthguard.kubernetes.reading.documents import compose\n"
        "try:\n    list(compose(sys.stdin.read()))\nexcept Exception as error:\n    print(repr(error))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=text, capture_output=True, text=True, check=True, timeout=120
    )
    assert "s3cret" not in done.stdout
