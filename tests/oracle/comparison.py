"""The comparison of the check with the operations after each change."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import ForeignKey, GeneratedField

from healthguard.checks import ModelSchema
from healthguard.runner.execution import result_of
from healthguard.runtime.cache_age import max_cache_age
from healthguard.service import source_of
from healthguard.status import CheckResult, Status
from tests.oracle.changes import Change, ModelColumn, change_of, model_columns
from tests.oracle.engines import ChangeRefused, Engine
from tests.oracle.known_disagreements import known_disagreement
from tests.oracle.operations import (
    FieldOperations,
    ModelOperations,
    Operation,
    ReferenceOperations,
    generated_field_operations,
    observe,
)
from tests.oracle.relations import RELATIONS
from tests.oracle.rows import writable


@dataclasses.dataclass(frozen=True)
class Case:
    """A change, the operations that it affects, and the result of the check after it.

    Args:
        number: the number from which the change is made.
        change: the change.
        failing: the operations whose results differ, each with the results before and after the change.
        outcome: the result of the check.
    """

    number: int
    change: Change
    failing: Sequence[tuple[Operation, object, object]]
    outcome: CheckResult

    @property
    def disagreement(self) -> str | None:
        """The kind of disagreement of the check and the operations, or None if they agree."""
        if not self.failing:
            return None if self.outcome.status is Status.HEALTHY else "false alarm"
        if self.outcome.status is Status.HEALTHY:
            return "missed"
        if self.outcome.status is Status.DEGRADED and any(operation.reads for operation, _, _ in self.failing):
            return "only degraded"
        return None

    @property
    def known_as(self) -> str | None:
        """The name of the known disagreement that applies to this case, or None."""
        return known_disagreement(self)

    @property
    def codes(self) -> set[str]:
        """The kinds of findings of the check."""
        problem = self.outcome.problem
        if problem is None:
            return set()
        return {problem.code, *(key for key, value in problem.evidence.items() if isinstance(value, list | tuple))}

    def report(self) -> str:
        """Return the text that describes the case."""
        problem = self.outcome.problem
        status = self.outcome.status.value
        reported = status if problem is None else f"{status}: {problem.message}"
        lines = [f"{self.number}: {self.disagreement}: {self.change}", f"   reported {reported}"]
        for operation, before, after in self.failing[:4]:
            lines.append(f"   {operation.name}: {before!r:.100} -> {after!r:.200}")
        return "\n".join(lines)


class Comparison:
    """The comparison on one engine.

    Args:
        engine: a prepared database.
        seed: the seed of the changes.
    """

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine = engine
        self._seed = seed
        vendor = engine.connection.vendor
        self._targets: list[ModelColumn] = model_columns(vendor)
        self._operations = list(operations(engine.connection))
        self._before = {operation.name: observe(operation, engine.connection) for operation in self._operations}
        failed = {
            name: result for name, result in self._before.items() if isinstance(result, str) and "Error" in result
        }
        assert not failed, failed
        assert self._outcome().status is Status.HEALTHY, self._outcome()

    def cases(self, numbers: Sequence[int]) -> Iterator[Case | None]:
        """Yield a case for each number, or None if the database refuses the change."""
        for number in numbers:
            change = change_of(self._engine.makers, self._targets, f"{self._seed} {number}")
            try:
                with self._engine.changed(change):
                    yield Case(number, change, self._failing(change), self._outcome())
            except ChangeRefused:
                yield None

    def count_disagreements(
        self, numbers: Sequence[int], report: Callable[[str], object]
    ) -> tuple[int, dict[str, int]]:
        """Report all new disagreements, and return their number and the numbers of the known ones by name."""
        new = 0
        known: Counter[str] = Counter()
        for case in self.cases(numbers):
            if case is None:
                known["refused by the database"] += 1
            elif case.disagreement is not None:
                if case.known_as is None:
                    new += 1
                    report(case.report())
                else:
                    known[case.known_as] += 1
        return new, known

    def _failing(self, change: Change) -> list[tuple[Operation, object, object]]:
        failing: list[tuple[Operation, object, object]] = []
        for operation in self._operations:
            if change.concerns(operation.tables):
                before, after = self._before[operation.name], observe(operation, self._engine.connection)
                if not operation.has_same_result(before, after):
                    failing.append((operation, before, after))
        return failing

    def _outcome(self) -> CheckResult:
        with max_cache_age(0):
            return result_of(source_of(ModelSchema(self._engine.alias)), 30.0)


def operations(connection: BaseDatabaseWrapper) -> Iterator[Operation]:
    """Yield all operations of the application."""
    for model in apps.get_app_config("oracle").get_models(include_auto_created=True):
        if model._meta.required_db_vendor in (None, connection.vendor):
            yield from ModelOperations(model).all()
            for field in model._meta.local_concrete_fields:
                if isinstance(field, ForeignKey):
                    yield from ReferenceOperations(model, field).all()
                elif field.column is not None and field in set(writable(model)):
                    yield from FieldOperations(model, field, connection).all()
                elif isinstance(field, GeneratedField):
                    yield from generated_field_operations(model, field)
    yield from RELATIONS
