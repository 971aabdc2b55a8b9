"""The commands of a shell script."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.rules.probes.shell import parse, simple_commands
from healthguard.kubernetes.rules.probes.shell_tokens import UnsupportedScriptError


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("curl -f http://x", [("curl", "-f", "http://x")]),
        ("a 'b c' \"d e\"", [("a", "b c", "d e")]),
        ("a b\\ c", [("a", "b c")]),
        ("a \\\n b", [("a", "b")]),
        ("a; b && c || d | e & f", [("a",), ("b",), ("c",), ("d",), ("e",), ("f",)]),
        ("a\nb\n\n# comment\nc # more", [("a",), ("b",), ("c",)]),
        ("a >/dev/null 2>&1 </dev/null b", [("a", "b")]),
        ("a &>/dev/null; b >> log", [("a",), ("b",)]),
        ("a 2 > log", [("a", "2")]),
        ("(a; b) && { c; d; }", [("a",), ("b",), ("c",), ("d",)]),
        ("if a; then b; else c; fi", [("a",), ("b",), ("c",)]),
        ("a $(b; c) `d` ${e}", [("a", "$(b; c)", "`d`", "${e}")]),
        ('a "$(b "c)")"', [("a", '$(b "c)")')]),
        ("! a", [("a",)]),
        ("a '|' \";\"", [("a", "|", ";")]),
        ("a &&\n b", [("a",), ("b",)]),
        ("'if' a", [("if", "a")]),
        ("", []),
    ],
)
def test_script_is_split_into_commands(script: str, commands: list[tuple[str, ...]]) -> None:
    """Quotes, operators, redirections and groups are those of POSIX."""
    assert [command.words for command in simple_commands(parse(script))] == commands


@pytest.mark.parametrize(
    "script",
    [
        "'open",
        '"open',
        "$(open",
        "`open",
        "${open",
        "a <<EOF\nb\nEOF",
        "for i in 1 2; do a; done",
        "while a; do b; done",
        "case $x in a) b;; esac",
        "name() { a; }",
        "(a",
        "a)",
        "{ a; ",
        "if a; then b",
        "a |",
        "a &&",
        "&& a",
        ">",
        "fi",
        "(" * 100_000,
        "a " * 20_000,
        "{ " * 1_000,
    ],
    ids=lambda script: script[:20],
)
def test_other_script_is_not_parsed(script: str) -> None:
    """A script that is invalid, or contains more than is known here, raises one exception."""
    with pytest.raises(UnsupportedScriptError):
        parse(script)


def test_repr_contains_no_word() -> None:
    """A word may be a secret."""
    assert "s3cr3t" not in repr(parse("login s3cr3t && (curl s3cr3t)"))
