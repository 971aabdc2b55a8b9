"""The formats of a drill: text for people, and JSON."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from healthguard.formats.text import Style
from healthguard.probes.drill import Exercise, worst_proof
from healthguard.service.sabotages import Proof, codes_in_words

_COLORS = {Proof.PROVEN: "green", Proof.UNPROVEN: "yellow", Proof.BLOCKED: "yellow", Proof.ESCAPED: "red"}
_SYMBOLS = {Proof.PROVEN: "✓", Proof.UNPROVEN: "?", Proof.BLOCKED: "!", Proof.ESCAPED: "✗"}
_WORDS = {Proof.PROVEN: "proven", Proof.UNPROVEN: "unproven", Proof.BLOCKED: "BLOCKED", Proof.ESCAPED: "ESCAPED"}


def render(exercises: Sequence[Exercise], style: Style) -> str:
    """Return the text: one block per service with an unproven check, one line per other service, and a summary."""
    services = [(name, list(group)) for name, group in itertools.groupby(exercises, lambda exercise: exercise.name)]
    services.sort(key=lambda service: -worst_proof(service[1]).severity)
    proven = [(name, group) for name, group in services if worst_proof(group) is Proof.PROVEN]
    width = max((len(name) for name, _ in proven), default=0)
    lines: list[str] = []
    for name, group in services[: len(services) - len(proven)]:
        lines += [*_block(name, group, style), ""]
    if style.verbosity > 0:
        for name, group in proven:
            checks = ", ".join(dict.fromkeys(exercise.check for exercise in group))
            lines.append(f"{_mark(Proof.PROVEN, style)} {name.ljust(width)}  {checks}")
            if style.verbosity > 1:
                lines += [line for exercise in group for line in _proven(exercise, style)]
        lines += [""] if proven else []
    return "\n".join([*lines, _summary(exercises, style)]) + "\n"


def render_json(exercises: Sequence[Exercise]) -> str:
    """Return the JSON: the worst proof, the number of exercises by proof, and the exercises."""
    body = {
        "status": worst_proof(exercises),
        "counts": _counts(exercises),
        "exercises": [*map(_as_json, exercises)],
    }
    return json.dumps(body) + "\n"


def _as_json(exercise: Exercise) -> dict[str, Any]:
    problem = exercise.problem
    return {
        "service": exercise.name,
        "check": exercise.check,
        "sabotage": exercise.sabotage,
        "proof": exercise.proof,
        "expected": sorted(exercise.expected),
        "problem": problem
        and {"code": problem.code, "fault": problem.fault, "message": problem.message, "hint": problem.hint},
    }


def _block(name: str, exercises: Sequence[Exercise], style: Style) -> Iterator[str]:
    yield f"{_mark(worst_proof(exercises), style)} {style.paint(name, 'bold')}"
    for check, group in itertools.groupby(exercises, lambda exercise: exercise.check):
        own = list(group)
        yield f"  {_mark(worst_proof(own), style)} {check}"
        deeper = " " * (_mark_width(style) + 3)
        for exercise in own:
            if exercise.proof is not Proof.PROVEN:
                yield from style.wrapped(_sentence(exercise), deeper)
        problems = (exercise.problem for exercise in own if exercise.proof is Proof.BLOCKED)
        for problem in {problem.explanation: problem for problem in problems if problem is not None}.values():
            yield from style.explained(problem, deeper)


def _sentence(exercise: Exercise) -> str:
    found = "" if exercise.problem is None else exercise.problem.code
    if exercise.proof is Proof.UNPROVEN:
        return "It offers no sabotages, so nothing proves that it can fail."
    if exercise.proof is Proof.ESCAPED:
        return f"Escaped: {exercise.sabotage}. The sabotaged check passed, so this check does not notice such a fault."
    if exercise.sabotage is None:
        return f"Not run: {found}."
    return f"Blocked: {exercise.sabotage}. Expected {codes_in_words(exercise.expected)}, but found {found}."


def _proven(exercise: Exercise, style: Style) -> Iterator[str]:
    found = "" if exercise.problem is None else exercise.problem.code
    yield from style.wrapped(f"{exercise.check}: {exercise.sabotage} ({found})", " " * (_mark_width(style) + 1))


def _summary(exercises: Sequence[Exercise], style: Style) -> str:
    offered = [exercise for exercise in exercises if exercise.proof is not Proof.UNPROVEN]
    worst = worst_proof(offered or exercises)
    counts = _counts(exercises)
    sabotages = len(exercises) - counts[Proof.UNPROVEN]
    parts = [f"{counts[proof]} {proof}" for proof in (Proof.ESCAPED, Proof.BLOCKED, Proof.PROVEN) if counts[proof]]
    unproven = counts[Proof.UNPROVEN]
    noun = "check offers" if unproven == 1 else "checks offer"
    more = f" {unproven} {noun} none." if unproven else ""
    word = "sabotage" if sabotages == 1 else "sabotages"
    listed = f", of which {', '.join(parts)}" if parts else ""
    return f"{style.paint(worst.value.capitalize(), _COLORS[worst])}: {sabotages} {word}{listed}.{more}"


def _counts(exercises: Sequence[Exercise]) -> dict[Proof, int]:
    return {proof: sum(exercise.proof is proof for exercise in exercises) for proof in Proof}


def _mark(proof: Proof, style: Style) -> str:
    marks = _SYMBOLS if style.is_colored else _WORDS
    return style.paint(marks[proof].ljust(_mark_width(style)), _COLORS[proof])


def _mark_width(style: Style) -> int:
    return max(map(len, (_SYMBOLS if style.is_colored else _WORDS).values()))
