"""A requirement for the tests of rules, whose judgement is a table."""

from __future__ import annotations

import dataclasses
import re

from healthguard.requirements.requirement import NO_VALUES, Judgement, Requirement, Values
from healthguard.status import Fault, Problem


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Need(Requirement):
    """A requirement that the value must match a pattern.

    Args:
        pattern: the pattern.
        code: the code of the problem if it does not.
        is_minor: True if the problem is minor.
        is_for_jobs: True if Jobs need the variable as well.
    """

    pattern: str = r"\S(?:.*\S)?"
    code: str = "variable_mismatch"
    is_minor: bool = False
    is_for_jobs: bool = False

    @property
    def is_needed_by_jobs(self) -> bool:
        return self.is_for_jobs

    def judge(self, name: str, value: str, others: Values = NO_VALUES) -> Judgement | None:
        if value == "":
            return Judgement(Problem("variable_empty", Fault.CONFIG, f"{name} is empty.", "Set it."))
        if re.fullmatch(self.pattern, value):
            return None
        return Judgement(Problem(self.code, Fault.CONFIG, f"{name} is invalid.", "Fix it."), self.is_minor)
