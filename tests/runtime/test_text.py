"""Texts from outside cannot forge log lines or rewrite a screen, and their length is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.functional import lazystr
from hypothesis import given
from hypothesis import strategies as st

from healthguard import Fault, Problem
from healthguard.runtime.text import escaped
from healthguard.status import MAX_EVIDENCE_CHARACTERS, MAX_EVIDENCE_MEMBERS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\x00b\x7fc", r"a\x00b\x7fc"),
        ("line\u2028paragraph\u2029next\x85", r"line\u2028paragraph\u2029next\x85"),
        ("user\u202egpj.exe", r"user\u202egpj.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("half\udc80", r"half\udc80"),
        ("Größe 日本 ✓ 1\u00a0000", "Größe 日本 ✓ 1\u00a0000"),
        ("back\\slash", "back\\slash"),
        ("", ""),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    """Printable text of every language stays unchanged."""
    assert escaped(text) == shown


@given(st.text(max_size=200), st.integers(1, 100))
def test_escaped_text_is_bounded_and_is_not_escaped_again(text: str, limit: int) -> None:
    """An escaped text is one line of at most ``limit`` characters, and a second call returns it unchanged."""
    once = escaped(text, limit)
    assert len(once) <= limit
    assert len(once.splitlines()) <= 1
    assert escaped(once, limit) == once


def test_a_problem_is_escaped_in_all_its_texts() -> None:
    """The message, the hint and evidence at every depth may contain texts from outside."""
    message: Any = lazystr("mess\nage")
    problem = Problem(
        "code",
        Fault.CONFIG,
        message,
        "hi\x1bnt",
        {"na\nme": ["a\nb", {"in\rner": "x" * 1000}], "number": 5, "many": list(range(1000))},
    ).escaped()
    assert (problem.message, problem.hint) == (r"mess\nage", r"hi\x1bnt")
    evidence: Any = problem.evidence
    assert evidence[r"na\nme"][0] == r"a\nb"
    assert len(evidence[r"na\nme"][1][r"in\rner"]) == MAX_EVIDENCE_CHARACTERS
    assert evidence["number"] == 5
    assert len(evidence["many"]) == MAX_EVIDENCE_MEMBERS
