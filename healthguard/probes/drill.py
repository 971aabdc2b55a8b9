"""The drill: every sabotage of every declared check is run, to prove that each check can fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from healthguard.probes.once import report_once
from healthguard.service import CheckSource, ServiceNode, Tree
from healthguard.service.sabotages import Proof, SabotagedSource, SabotageError, sabotages_of
from healthguard.status import CheckResult, Problem

Path = tuple[str, ...]


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

    path: Path
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
    show_progress: Callable[[list[Path]], None] | None = None,
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
    plan = _Plan(tree)
    shown = (
        None if show_progress is None else lambda paths: show_progress([*dict.fromkeys(map(plan.service_of, paths))])
    )
    report = report_once(plan.tree, deadline=deadline, show_progress=shown, is_inline=None if may_be_inline else False)
    return tuple(plan.exercises({service.path: service.checks[0] for service in report.services()}))


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """One exercise that is planned: a sabotage to run, or the reason why there is none."""

    service: ServiceNode
    source: CheckSource
    sabotaged: SabotagedSource | None = None
    problem: Problem | None = None

    def exercise(self, result: CheckResult | None) -> Exercise:
        """Return the exercise, given the result of its run."""
        if self.sabotaged is None or result is None:
            proof = Proof.UNPROVEN if self.problem is None else Proof.BLOCKED
            return Exercise(self.service.path, self.source.name, proof, problem=self.problem)
        return Exercise(
            self.service.path,
            self.source.name,
            self.sabotaged.proof(result),
            self.sabotaged.description,
            self.sabotaged.codes,
            result.problem,
        )


class _Plan:
    """The exercises to do. Each sabotage is run as a service of its own, so that none keeps another one from running.

    Args:
        tree: the declared services.
    """

    def __init__(self, tree: Tree) -> None:
        self._steps = [step for service in tree.services() for step in _steps(service)]
        self._paths: Mapping[Path, Path] = {
            (str(number),): step.service.path for number, step in enumerate(self._steps)
        }
        self.tree = Tree(
            {
                path[0]: _node(step.service, step.sabotaged.source, path)
                for path, step in zip(self._paths, self._steps, strict=True)
                if step.sabotaged is not None
            }
        )

    def service_of(self, path: Path) -> Path:
        """Return the path of the service whose sabotage is run at ``path``."""
        return self._paths[path]

    def exercises(self, results: Mapping[Path, CheckResult]) -> Iterator[Exercise]:
        """Yield the exercises in the order of the declaration, given the results by path."""
        for path, step in zip(self._paths, self._steps, strict=True):
            yield step.exercise(results.get(path))


def _steps(service: ServiceNode) -> Iterator[_Step]:
    for source in service.sources:
        try:
            sabotages: Sequence[SabotagedSource] = sabotages_of(source)
        except SabotageError as error:
            yield _Step(service, source, problem=error.problem)
            continue
        for sabotaged in sabotages:
            yield _Step(service, source, sabotaged)
        if not sabotages:
            yield _Step(service, source)


def _node(service: ServiceNode, source: CheckSource, path: Path) -> ServiceNode:
    return dataclasses.replace(service, path=path, sources=(source,))
