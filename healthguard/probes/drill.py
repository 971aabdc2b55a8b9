"""The drill, which runs every sabotage of the declared checks, to prove that they can fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from healthguard.probes.once import report_once
from healthguard.service import CheckSource, ServiceNode, Tree
from healthguard.service.sabotages import Proof, SabotagedSource, SabotageError, sabotages_of
from healthguard.status import CheckResult, Problem

ServicePath: TypeAlias = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Exercise:
    """The proof that one sabotage of a check gave, or the fact that the check offers none.

    Args:
        path: the path of the service.
        check: the name of the check's class.
        proof: what was proven.
        sabotage: what is wrong with the sabotaged check; None if the check offers no sabotages.
        expected: the codes of the problems that it must find; empty for any.
        problem: the problem that it found, or the reason why the sabotages could not be obtained; None without either.
    """

    path: ServicePath
    check: str
    proof: Proof
    sabotage: str | None = None
    expected: frozenset[str] = frozenset()
    problem: Problem | None = None

    @property
    def name(self) -> str:
        """The path of the service as text, like ``"ai_providers/openai"``."""
        return "/".join(self.path)


def worst_proof(exercises: Iterable[Exercise]) -> Proof:
    """Return the most severe proof of ``exercises``; proven if there are none."""
    proofs = (exercise.proof for exercise in exercises)
    return max(proofs, key=lambda proof: proof.severity, default=Proof.PROVEN)


def drill(
    tree: Tree,
    *,
    deadline: float | None = None,
    show_progress: Callable[[list[ServicePath]], None] | None = None,
    may_be_inline: bool = True,
) -> tuple[Exercise, ...]:
    """Run the sabotages of all checks of ``tree`` in this process, and return what they have proven.

    The checks themselves are not run.

    Args:
        tree: the services.
        deadline: the longest time to wait (seconds). By default each sabotage has the timeout of its service.
        show_progress: a function to call several times a second with the paths of the services still waited for.
        may_be_inline: False to ignore INLINE.
    """
    # Each sabotage is run as a service of its own, so that none keeps another one from running.
    steps: dict[ServicePath, _Step] = {(str(number),): step for number, step in enumerate(_steps(tree))}
    sabotaged = Tree({path[0]: step.node(path) for path, step in steps.items() if step.sabotaged is not None})

    def show(paths: list[ServicePath]) -> None:
        if show_progress is not None:
            show_progress([*dict.fromkeys(steps[path].service.path for path in paths)])

    report = report_once(sabotaged, deadline=deadline, show_progress=show, is_inline=None if may_be_inline else False)
    results = {service.path: service.checks[0] for service in report.services() if service.path in steps}
    return tuple(step.exercise(results.get(path)) for path, step in steps.items())


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """One exercise that is planned: a sabotage to run, or the reason why there is none."""

    service: ServiceNode
    source: CheckSource
    sabotaged: SabotagedSource | None = None
    problem: Problem | None = None

    def node(self, path: ServicePath) -> ServiceNode:
        """Return the service that runs the sabotage."""
        source = self.source if self.sabotaged is None else self.sabotaged.source
        return dataclasses.replace(self.service, path=path, sources=(source,))

    def exercise(self, result: CheckResult | None) -> Exercise:
        """Return the exercise, given the result of its run; None without a sabotage."""
        if self.sabotaged is None:
            proof = Proof.UNPROVEN if self.problem is None else Proof.BLOCKED
            return Exercise(self.service.path, self.source.name, proof, problem=self.problem)
        assert result is not None
        return Exercise(
            self.service.path,
            self.source.name,
            self.sabotaged.proof(result),
            self.sabotaged.description,
            self.sabotaged.codes,
            result.problem,
        )


def _steps(tree: Tree) -> Iterator[_Step]:
    for service in tree.services():
        for source in service.sources:
            try:
                sabotages = sabotages_of(source)
            except SabotageError as error:
                yield _Step(service, source, problem=error.problem)
                continue
            for sabotaged in sabotages:
                yield _Step(service, source, sabotaged)
            if not sabotages:
                yield _Step(service, source)
