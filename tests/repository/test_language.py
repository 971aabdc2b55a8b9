"""The texts of the package and of the documentation keep the language rules of CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sites import REPOSITORY

SOURCES = sorted((REPOSITORY / "healthguard").rglob("*.py"))
TESTS = sorted(
    path
    for folder in ("tests", "example_project", ".ci")
    for path in (REPOSITORY / folder).rglob("*.py")
    if path.name != "test_language.py"
)
PAGES = sorted([*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"])

BANNED_OPENING = re.compile(r"(What|Who|Whether|Where|How|When|Why|The same)\b")
"""The words with which no docstring begins: it states what it describes, and does not ask."""
BANNED = {
    r"\b(mend|mends|mended|mending)\b": "fix",
    r"\banew\b": "again",
    r"(?<!\bthere )\b(is|are|was|were) no (?!longer\b|more than\b|less than\b|older than\b|one\b)\w+": "is not a",
    r"\bcannot be (meant|had)\b": "is invalid; could not be obtained",
    r"\b(told|tells?|telling)\b": "reported, returned",
    r"\blook(s|ed|ing)? (at|into|whether)\b": "check",
    r"\bgo(es)? wrong\b|\bwent wrong\b": "fails",
    r"\bin the place of\b": "instead of",
    r"\bunder way\b": "in flight, running",
    r"\bby chance\b": "at random",
}
"""Phrases that made readers read a sentence twice, each with what to write instead."""


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring, those below a constant included."""
    for node in ast.walk(ast.parse(path.read_text())):
        for child in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            if (
                isinstance(child, ast.Expr)
                and isinstance(child.value, ast.Constant)
                and isinstance(child.value.value, str)
            ):
                yield child.lineno, child.value.value


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string in a module: docstrings, messages, hints, log lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def comments(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if (match := re.search(r"(?:^|\s)# (.+)", line)) and "noqa" not in line and "type: ignore" not in line:
            yield number, match[1]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a page that are not code."""
    is_code = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, re.sub(r"`[^`]*`", "`…`", line)


def violations(lines: Iterator[tuple[int, str]]) -> list[str]:
    return [
        f"line {number}: {match[0]!r} (write: {instead})"
        for number, text in lines
        for phrase, instead in BANNED.items()
        if (match := re.search(phrase, text, re.IGNORECASE))
    ]


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def riddles(path: Path) -> list[str]:
    """Return the docstrings that ask instead of stating."""
    return [f"line {line}: {text[:50]!r}" for line, text in docstrings(path) if BANNED_OPENING.match(text)]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_docstrings_state_what_they_describe(path: Path) -> None:
    assert riddles(path) == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_texts_and_comments_have_no_banned_phrase(path: Path) -> None:
    assert violations(texts(path)) + violations(comments(path)) == []


def test_docstrings_and_comments_of_tests_keep_the_same_rules() -> None:
    """Other strings of the tests may be the texts of servers and of attackers."""
    found = [
        f"{name(path)}, {violation}"
        for path in TESTS
        for violation in riddles(path) + violations(docstrings(path)) + violations(comments(path))
    ]
    assert found == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_have_no_banned_phrase(path: Path) -> None:
    assert violations(prose(path)) == []


def test_rules_find_what_they_ban() -> None:
    """A rule that finds nothing would be kept by everything."""
    bad = ["Mend it.", "done anew", "is no dict", "cannot be meant", "it told me", "Look at it", "it goes wrong"]
    bad += ["in the place of", "under way", "by chance"]
    assert len(violations(iter(enumerate(bad)))) == len(bad)
    assert BANNED_OPENING.match("Whether it is.")
    assert violations(iter([(1, "It is no longer there.")])) == []
