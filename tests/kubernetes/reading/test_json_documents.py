"""JSON with lines."""

from __future__ import annotations

import json
import math

import hypothesis
import hypothesis.strategies as st
import pytest

from healthguard.kubernetes.reading.errors import InvalidDocumentError
from healthguard.kubernetes.reading.json_documents import compose_json
from healthguard.kubernetes.reading.limits import Budget
from healthguard.kubernetes.reading.nodes import MapNode, Node
from tests.kubernetes.reading.test_documents import lines, plain

NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
)


def composed(text: str, first_line: int = 1) -> Node:
    (node,) = compose_json(text, first_line, Budget())
    return node


@hypothesis.given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_any_document_is_read_as_the_json_module_reads_it(
    value: object, indent: int | str | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert plain(composed(text)) == json.loads(text)


@hypothesis.given(st.text(alphabet='{}[]:,"\\ \n\ttrufalsn01.-e+u', max_size=30))
def test_any_text_is_accepted_exactly_if_the_json_module_accepts_it(text: str) -> None:
    """The json module also accepts NaN and Infinity, which the alphabet does not contain."""
    try:
        expected = [json.loads(text)]
    except ValueError:
        expected = None
    try:
        found = [plain(node) for node in compose_json(text, 1, Budget())]
    except InvalidDocumentError:
        found = None
    assert found == expected or (expected is None and found is not None and len(found) != 1)


def test_each_value_and_each_key_has_its_line() -> None:
    node = composed('\n{\n\t"a": [1,\n2\n],\r\n"b":\n{"c"\n: "x"}}', first_line=10)
    assert lines(node) == {".a.0": 12, ".a.1": 13, ".b.c": 17}
    assert isinstance(node, MapNode)
    assert (node.line, node.key_lines) == (11, {"a": 12, "b": 15})


def test_repeated_keys_are_recorded_with_the_later_line() -> None:
    node = composed('{"a": 1,\n"b": 2,\n"a": 3}')
    assert isinstance(node, MapNode)
    assert (node.repeated, plain(node)) == ([("a", 3)], {"a": 3, "b": 2})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud83d\ude00"', "\N{GRINNING FACE}"),
        (r'"a\ud83d"', "a\N{REPLACEMENT CHARACTER}"),
        (r'"\ude00\ud83d"', "\N{REPLACEMENT CHARACTER}" * 2),
        (r'"\u0000\n\/\\"', "\0\n/\\"),
    ],
)
def test_escapes_are_read_as_go_reads_them(text: str, value: str) -> None:
    assert plain(composed(text)) == value


@pytest.mark.parametrize("text", ["1" * 10_000, f"-{'1' * 10_000}", f"1.{'1' * 10_000}", "1e99999"])
def test_number_of_any_length_is_read(text: str) -> None:
    assert isinstance(plain(composed(text)), float)


def test_type_of_a_number_depends_on_its_form() -> None:
    assert [type(plain(composed(text))) for text in ("1", "-0", "1.0", "1e2")] == [int, int, float, float]
    assert not math.isnan(plain(composed("1e2")))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": "s3cret\n"}', 1),
        ('{\n"s3cret" 1}', 2),
        ('{"a": 1,\n}', 2),
        ("[1,\n2", 2),
        ('{"a": s3cret}', 1),
        ("[1 2]", 1),
        ("{'s3cret': 1}", 1),
        ("[NaN]", 1),
        ("[01]", 1),
        ('{"a": "\\s3cret"}', 1),
        ('{"a": 1}}', 1),
        ('["\t"]', 1),
        ("{s3cret: 1}", 1),
        ("// s3cret", 1),
    ],
)
def test_invalid_json_is_reported_with_its_line_and_without_its_content(text: str, line: int) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        list(compose_json(text, 1, Budget()))
    error = caught.value
    assert (error.line, error.message.startswith("The file is not valid JSON: ")) == (line, True)
    assert "s3cret" not in f"{error!r}{error.__cause__!r}"
