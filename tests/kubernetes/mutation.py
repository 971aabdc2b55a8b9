"""Mutations of the rules: ``python -m tests.kubernetes.mutation [RULE...]``.

Each rule is disabled in turn, and then gets another severity. A broken manifest of tests/kubernetes/manifests states
the only finding and its severity, so its test notices both if the rule finds it. For all other rules, the tests of the
rules are run in this process. A mutation that no test notices is printed, and the exit code is 1.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from healthguard.kubernetes.catalog import load_rules
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.rules.rule import CONTAINER_RULES, OBJECT_RULES, Rule
from tests.kubernetes.case_folders import cases
from tests.support.sites import REPOSITORY

_AnyRule: TypeAlias = Rule[Any]
_TESTS = [str(REPOSITORY / "tests/kubernetes" / name) for name in ("test_documented_rules.py", "rules")]
_OTHER = {
    Severity.ERROR: Severity.WARNING,
    Severity.WARNING: Severity.ERROR,
    Severity.ADVICE: Severity.WARNING,
    Severity.UNKNOWN: Severity.WARNING,
}


def find_nothing(subject: Any, rule: _AnyRule) -> Iterator[Finding]:
    """Yield no finding, as a disabled rule does."""
    yield from ()


def disabled(rule: _AnyRule) -> _AnyRule:
    """Return a rule that finds nothing."""
    return dataclasses.replace(rule, find=find_nothing)


def with_other_severity(rule: _AnyRule) -> _AnyRule:
    """Return a rule whose findings have another severity."""

    def find(subject: Any, given: _AnyRule) -> Iterator[Finding]:
        for each in rule.find(subject, given):
            yield dataclasses.replace(each, severity=_OTHER[each.severity])

    return dataclasses.replace(rule, find=find)


MUTATIONS: dict[str, Callable[[_AnyRule], _AnyRule]] = {
    "disabled": disabled,
    "with another severity": with_other_severity,
}


@contextlib.contextmanager
def mutated(rule: _AnyRule, mutation: Callable[[_AnyRule], _AnyRule]) -> Iterator[None]:
    """Replace a rule until the end of the context."""
    rules: list[_AnyRule] = CONTAINER_RULES if any(each is rule for each in CONTAINER_RULES) else OBJECT_RULES
    place = next(index for index, each in enumerate(rules) if each is rule)
    rules[place] = mutation(rule)
    try:
        yield
    finally:
        rules[place] = rule


def found_by_cases() -> set[str]:
    """Return the ids of the rules that find the fault of a broken manifest."""
    found: set[str] = set()

    def recorded(rule: _AnyRule) -> _AnyRule:
        def find(subject: Any, given: _AnyRule) -> Iterator[Finding]:
            for each in rule.find(subject, given):
                if each.severity in (Severity.ERROR, Severity.WARNING):
                    found.add(rule.id)
                yield each

        return dataclasses.replace(rule, find=find)

    registered = CONTAINER_RULES[:], OBJECT_RULES[:]
    CONTAINER_RULES[:], OBJECT_RULES[:] = map(recorded, CONTAINER_RULES), map(recorded, OBJECT_RULES)
    try:
        for case in cases():
            # To render a folder takes a second.
            if case.is_pair and not (case.folder / "broken").is_dir():
                case.examine("broken")
    finally:
        CONTAINER_RULES[:], OBJECT_RULES[:] = registered
    return found


def is_noticed() -> bool:
    """Return True if a test of the rules fails."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        # The modules are imported before pytest can rewrite their assertions, about which it warns.
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore", *_TESTS]
        return pytest.main(arguments) == pytest.ExitCode.TESTS_FAILED


def survivors(names: list[str]) -> Iterator[str]:
    """Yield a description of each mutation that no test notices; of all rules if no names are given."""
    noticed = found_by_cases()
    rules: list[_AnyRule] = [*CONTAINER_RULES, *OBJECT_RULES]
    for rule in rules:
        if rule.id in noticed or (names and rule.id not in names):
            continue
        for name, mutation in MUTATIONS.items():
            with mutated(rule, mutation):
                if not is_noticed():
                    yield f"{rule.id} {name}"


def main(names: list[str]) -> int:
    """Print the mutations that survive, and return the exit code."""
    load_rules()
    if is_noticed():
        print("The tests fail without a mutation.")
        return 2
    count = 0
    for survivor in survivors(names):
        count += 1
        print(survivor, flush=True)
    print(f"{count} mutations are not noticed.")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
