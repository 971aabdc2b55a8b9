"""Declared patterns: their time limit, their language, and the texts that they spell out."""

from __future__ import annotations

import re
import threading

import pytest

from healthguard.secret_values.patterns import (
    MAX_CHARACTERS,
    UnusablePatternError,
    fits,
    is_found,
    is_pattern,
    spells_out,
)

SLOW = [
    (r".*ok.*running.*", "ok" * 100_000),
    (r"(a|aa)+$", "a" * 60 + "!"),
    (r"(?:(?:x+x+)+y)+", "x" * 40),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 60),
]


@pytest.mark.parametrize(("pattern", "text"), SLOW)
def test_slow_pattern_ends_without_a_match(pattern: str, text: str) -> None:
    """Python's own engine would take minutes or years."""
    assert not _fits(pattern, text)


def test_slow_pattern_does_not_block_other_threads() -> None:
    pattern, text = SLOW[0]
    turns = 0
    is_over = threading.Event()

    def count() -> None:
        nonlocal turns
        while not is_over.wait(0.001):
            turns += 1

    other = threading.Thread(target=count)
    other.start()
    try:
        with pytest.raises(UnusablePatternError, match="takes longer than"):
            fits(pattern, text)
    finally:
        is_over.set()
        other.join()
    assert turns > 0


def _fits(pattern: str, text: str) -> bool:
    try:
        return fits(pattern, text)
    except UnusablePatternError:
        return False


def test_text_that_is_too_long_is_not_compared() -> None:
    with pytest.raises(UnusablePatternError, match="more than"):
        fits(".*", "x" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("sk-.*", "sk-a\nb"),
        (r"[\w-]+", "größe-1"),
        (r"\d{3,4}", "1234"),
        (r"\d{,2}", "12"),
        ("item{i}", "item{i}"),
        ("a{e<=1}", "a{e<=1}"),
        ("{id}", "{id}"),
        (r"\{3\}", "{3}"),
        ("[{]x", "{x"),
        (r"(?i:OK)|no", "ok"),
        (r"\N{LATIN SMALL LETTER A}", "a"),
        ("a{,}b", "aaab"),
        ("x{,2}", ""),
        (r"\\{,2}", "\\\\"),
        ("[{,}]+", "{,}"),
        (r"\\\{e\}", "\\{e}"),
        (r"(?!mock)\w+", "real"),
        (r"(?P<a>x)(?P=a)", "xx"),
        (r"(?>a+)b", "aab"),
    ],
)
def test_pattern_has_the_same_meaning_as_in_python(pattern: str, text: str) -> None:
    """The engine is not that of Python, but the language is."""
    assert re.fullmatch(pattern, text, re.DOTALL) is not None
    assert fits(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("item{i}", "itemX"), ("a{e<=1}", "b"), ("(?:foo){i}", "fooX"), (r"\\{e}", "xyz"), (r"[[:alpha:]]", "b")],
)
def test_braces_do_not_start_fuzzy_matching(pattern: str, text: str) -> None:
    """Fuzzy matching is an extension of the engine that Python's re does not have."""
    assert not fits(pattern, text)
    assert not is_found(f"^{pattern}$", text)


@pytest.mark.parametrize("given", ["(", "[", "a{2", "*", r"\p{L}", "(?e)x", None, 5, b"x", re.compile("x")])
def test_only_patterns_of_python_are_patterns(given: object) -> None:
    """A text that Python's re rejects is not a pattern, even if the engine accepts it."""
    is_right = isinstance(given, str) and _compiles(given)
    assert is_pattern(given) == is_right


def _compiles(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def test_flags_are_applied() -> None:
    assert is_found("^b$", "A\nB", re.IGNORECASE | re.MULTILINE)
    assert not is_found("^b$", "A\nB")
    assert is_found("a . b", "axb", re.VERBOSE)
    assert not is_found(r"^\w$", "ö", re.ASCII)


@pytest.mark.parametrize(
    ("pattern", "text"), [*SLOW, (r"^((a|aa)+)$", "a" * 60), ("x", ""), ("(a", "a" * 300), (".", "a")]
)
def test_pattern_that_matches_other_texts_spells_out_none(pattern: str, text: str) -> None:
    """A slow pattern spells out nothing either, nor is a text of more than 200 characters spelled out."""
    assert not spells_out(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("none|debug", "none"),
        (r"^\$NAME$", "$NAME"),
        ("^[Nn]one$", "None"),
        ("^a?b$", "ab"),
        (r"\A(?:q|qq)\Z", "qq"),
        ("^7~$", "7~"),
        (r"^7\^$", "7^"),
    ],
)
def test_pattern_spells_out_the_only_text_that_it_matches(pattern: str, text: str) -> None:
    """The spelling of the pattern does not matter."""
    assert spells_out(pattern, text)
