"""Inputs that are made to exhaust the memory or the time of programs."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.reading.limits import MAX_NODES, Budget
from healthguard.kubernetes.reading.manifests import parse_manifest

OBJECT = "apiVersion: v1\nkind: ConfigMap\n"
NESTED = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [{0},{0}]\nc: &c [{1},{1}]\nd: &d [{2},{2}]\ne: [{3},{3}]\n".format(
    *(", ".join([f"*{name}"] * 5) for name in "abcd")
)


def test_aliases_of_many_documents_are_counted_together() -> None:
    """Each document may stand for 100,000 values, but not all of them."""
    manifest = parse_manifest("---\n".join([OBJECT + NESTED] * 100), "x.yaml", Budget())

    assert 0 < len(manifest.objects) < 30
    assert [error.message for error in manifest.errors] == [
        f"The inputs contain more than {MAX_NODES:,} keys and values."
    ]


@pytest.mark.parametrize("text", ["a: [" + "{}," * 600_000 + "]", '{"a": [' + ",".join(["{}"] * 600_000) + "]}"])
def test_empty_mappings_count_by_their_memory(text: str) -> None:
    """A mapping needs as much memory as several texts."""
    manifest = parse_manifest(OBJECT + text if text.startswith("a") else text, "x.yaml", Budget())

    assert [error.message for error in manifest.errors] == [
        f"The inputs contain more than {MAX_NODES:,} keys and values."
    ]


def test_file_of_invalid_documents_is_not_read_to_its_end() -> None:
    """The first errors are enough to see that the file is not a manifest."""
    manifest = parse_manifest("a: [\n---\n" * 1000, "x.yaml", Budget())

    assert len(manifest.errors) == 101
    assert manifest.errors[-1].message == "100 documents are not valid, so the rest of the file was not read."


@pytest.mark.parametrize("line", ["# a comment\n", "\n", "  \n"])
def test_many_lines_before_a_document_do_no_harm(line: str) -> None:
    """A regular expression with a repeated group needs a gigabyte for these lines."""
    manifest = parse_manifest(line * 300_000 + OBJECT, "x.yaml", Budget())

    assert [obj.node.line for obj in manifest.objects] == [300_001]


def test_document_that_ends_before_it_begins_is_empty() -> None:
    """The end of a document may follow comments."""
    manifest = parse_manifest("# a comment\n\n... # the end\n\n---\n" + OBJECT, "x.yaml", Budget())

    assert len(manifest.objects) == 1
    assert manifest.errors == ()
