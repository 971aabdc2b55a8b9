"""The rules by their ids: those that are applied to the inputs, and those about annotations that silence others."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

from healthguard.kubernetes import rules
from healthguard.kubernetes.findings import Severity
from healthguard.kubernetes.rules.rule import CONTAINER_RULES, OBJECT_RULES
from healthguard.status import Code


@dataclasses.dataclass(frozen=True, slots=True)
class RuleSummary:
    """A rule, as formats and documentation describe it.

    Args:
        id: its id.
        severity: the severity of its findings, if they state no other.
        summary: the fault that it finds, as one sentence.
    """

    id: str
    severity: Severity
    summary: str


IGNORE_INVALID = RuleSummary(
    "ignore-invalid", Severity.WARNING, "An annotation healthguard.io/ignore cannot be read, or has no reason."
)
IGNORE_UNKNOWN_RULE = RuleSummary(
    "ignore-unknown-rule", Severity.WARNING, "An annotation healthguard.io/ignore names a rule that does not exist."
)
IGNORE_UNMATCHED = RuleSummary(
    "ignore-unmatched", Severity.WARNING, "An annotation healthguard.io/ignore silences nothing."
)
VALUE_INVALID = "value-invalid"
_JUDGED = ("key_", "secret_key_", "variable_")
"""The beginnings of the codes of problems that a value of a variable may have."""
_ABOUT_IGNORES = (IGNORE_INVALID, IGNORE_UNKNOWN_RULE, IGNORE_UNMATCHED)


def load_rules() -> None:
    """Import the modules of ``healthguard.kubernetes.rules`` and its packages, which register their rules."""
    for module in pkgutil.walk_packages(rules.__path__, f"{rules.__name__}."):
        importlib.import_module(module.name)


def summaries() -> tuple[RuleSummary, ...]:
    """Return the rules, one per id, in alphabetical order of the ids."""
    registered = [RuleSummary(rule.id, rule.severity, rule.summary) for rule in CONTAINER_RULES]
    registered += [RuleSummary(rule.id, rule.severity, rule.summary) for rule in OBJECT_RULES]
    by_id: dict[str, RuleSummary] = {}
    for summary in (*registered, *_ABOUT_IGNORES):
        by_id.setdefault(summary.id, summary)
    return tuple(by_id[key] for key in sorted(by_id))


def known_ids() -> frozenset[str]:
    """Return the ids that a finding may have.

    The findings of the rule ``value-invalid`` have the codes of the problems that a requirement reports as their ids.
    """
    codes = (code.replace("_", "-") for code in Code if code.startswith(_JUDGED) or code == Code.WRONG_DATABASE)
    return frozenset(summary.id for summary in summaries()).difference({VALUE_INVALID}).union(codes)
