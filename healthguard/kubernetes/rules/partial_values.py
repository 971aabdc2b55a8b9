"""URLs of which only the user, the password or the host are not known: the database that they name is."""

from __future__ import annotations

from healthguard.kubernetes.environment.deferred import is_deferred
from healthguard.kubernetes.environment.variables import Variable
from healthguard.requirements.requirement import Judgement, Requirement, Values
from healthguard.status import Code

_STAND_INS = ("q7Zr2kXw", "v3Nf8bTj6LmYd9Hs")
"""Texts instead of the unknown parts. A problem that is found with each of them does not depend on these parts."""
_MOST_PARTS = 100


def judge_known_parts(requirement: Requirement, variable: Variable, others: Values) -> Judgement | None:
    """Return the problem that a URL names the wrong database; None if that is not certain."""
    judgements = [
        requirement.judge(variable.name, value, others) for value in _completed(variable, _STAND_INS) if value
    ]
    codes = {None if judgement is None else judgement.problem.code for judgement in judgements}
    return judgements[0] if codes == {Code.WRONG_DATABASE} else None


def _completed(variable: Variable, stand_ins: tuple[str, ...]) -> list[str]:
    """Return a URL with each of the stand-ins instead of its unknown parts; nothing if the path is not known."""
    if len(variable.parts) > _MOST_PARTS:
        return []
    written = ""
    for part in variable.parts:
        _, separator, rest = written.partition("://")
        if part.text is None and (not separator or "/" in rest):
            return []
        written += "_" if part.text is None else part.text
    if not variable.parts or is_deferred(written):
        return []
    return ["".join(stand_in if part.text is None else part.text for part in variable.parts) for stand_in in stand_ins]
