"""The nodes of the declared checks in pytest's tree: one collector per group and service, one item per check."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import pytest
from django.conf import settings as django_settings

from healthguard.conf import global_problem, settings
from healthguard.pytest_plugin import DegradedWarning
from healthguard.pytest_plugin.plan import Plan, plan_check
from healthguard.service import CheckSource, ServiceNode, Tree
from healthguard.service.sabotages import Proof, SabotagedSource, SabotageError, codes_in_words, sabotages_of
from healthguard.status import CheckResult, Code, Problem, Status

_ROOT = "healthguard"


class DeclaredChecks(pytest.Module):
    """The collector of all declared checks. It is a module, because fixtures with the scope of a module need one.

    Args:
        is_deployment: True if this process has the environment of a deployment.
    """

    def __init__(self, *, is_deployment: bool, **options: Any) -> None:
        super().__init__(**options)
        self._is_deployment = is_deployment

    @classmethod
    def from_session(cls, session: pytest.Session, *, is_deployment: bool) -> Self:
        """Return the collector of this session."""
        path = _settings_file() or session.path
        return cls.from_parent(session, name=_ROOT, nodeid=_ROOT, path=path, is_deployment=is_deployment)

    def _getobj(self) -> ModuleType:
        return sys.modules[__name__]

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Yield the collectors of the services and groups, and an item for a declaration that is invalid.

        Raises:
            CollectError: a setting raises an exception when it is read.
        """
        try:
            tree, problem = settings.tree(), global_problem()
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            raise self.CollectError(
                f"The HEALTHGUARD setting cannot be read: {type(error).__name__} at {frame.filename}:{frame.lineno}.\n"
                "Fix: Correct the setting."
            ) from None
        if problem is not None:
            yield ProblemItem.from_parent(self, name="Declaration", problem=problem)
        yield from _members(self, tree, is_deployment=self._is_deployment)


class GroupChecks(pytest.Collector):
    """The collector of the checks of a group of services.

    Args:
        tree: the services of the group.
        is_deployment: True if this process has the environment of a deployment.
    """

    def __init__(self, *, tree: Tree, is_deployment: bool, **options: Any) -> None:
        super().__init__(**options)
        self._tree = tree
        self._is_deployment = is_deployment

    def collect(self) -> Iterator[pytest.Collector]:
        """Yield the collectors of the services and groups."""
        yield from _members(self, self._tree, is_deployment=self._is_deployment)


class ServiceChecks(pytest.Collector):
    """The collector of the checks of a service.

    Args:
        service: the service.
        is_deployment: True if this process has the environment of a deployment.
    """

    def __init__(self, *, service: ServiceNode, is_deployment: bool, **options: Any) -> None:
        super().__init__(**options)
        self._service = service
        self._is_deployment = is_deployment

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item per check, each followed by the items of its sabotages."""
        names = _Names()
        for source in self._service.sources:
            name = names.unique(source.name)
            plan = self._plan(source)
            yield CheckItem.from_parent(self, name=name, plan=plan)
            try:
                sabotages = sabotages_of(source)
            except SabotageError as error:
                # The item of the check itself reports a declaration that is invalid.
                if error.problem.code == Code.EXCEPTION:
                    yield ProblemItem.from_parent(self, name=names.unique(f"{name}[sabotages]"), problem=error.problem)
                continue
            for sabotage in sabotages:
                yield SabotageItem.from_parent(
                    self,
                    name=names.unique(f"{name}[{sabotage.description}]"),
                    plan=self._plan(sabotage.source),
                    sabotage=sabotage,
                    intact=plan,
                )

    def _plan(self, source: CheckSource) -> Plan:
        return plan_check(self._service, source, is_deployment=self._is_deployment)


class _Item(pytest.Function):
    """The base of the items. It is a function, because pytest-django and other plugins prepare only functions.

    Args:
        function: the function that is run, with fixtures as its arguments.
    """

    def __init__(self, *, function: Callable[..., None], **options: Any) -> None:
        super().__init__(callobj=function, **options)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the file of the settings as the location, and the id without its first part as the title."""
        return self.path, 0, self.nodeid.partition("::")[2].replace("::", " ")


class ProblemItem(_Item):
    """An item that fails because of a problem that was found without a run.

    Args:
        problem: the problem.
    """

    def __init__(self, *, problem: Problem, **options: Any) -> None:
        super().__init__(function=lambda: pytest.fail(_text(problem), pytrace=False), **options)


class CheckItem(_Item):
    """An item that runs one check.

    Args:
        plan: the plan for the check.
    """

    def __init__(self, *, plan: Plan, **options: Any) -> None:
        super().__init__(function=_verify_on_databases if plan.databases else _verify, **options)
        self._plan = plan
        if plan.databases:
            self.add_marker(pytest.mark.django_db(databases=list(plan.databases)))
        if plan.skip_reason is not None:
            self.add_marker(pytest.mark.skip(reason=plan.skip_reason))

    def verify(self) -> None:
        """Run the check, and fail if its result makes the service unhealthy."""
        report = self._plan.run()
        (result,) = report.checks
        self._judge(result, report.counted(result))

    def _judge(self, result: CheckResult, status: Status) -> None:
        problem = result.problem
        if problem is None:
            return
        # An invalid declaration must be corrected, even if the service is not critical.
        is_warning = status is Status.DEGRADED and problem.code != Code.INVALID_DECLARATION
        service = "/".join(self._plan.service.path)
        fact = f"{service} is {status if is_warning else result.status}: {_text(problem)}"
        text = "\n".join([fact, f"Found by {result.check}: {problem.code} ({problem.fault})", *_facts(problem)])
        if not is_warning:
            pytest.fail(text, pytrace=False)
        try:
            self.warn(DegradedWarning(text))
        except DegradedWarning:
            # The filters of the project turn this warning into an error.
            pytest.fail(text, pytrace=False)


class SabotageItem(CheckItem):
    """An item that runs a sabotaged copy of a check. It fails if the copy passes.

    Args:
        plan: the plan for the copy.
        sabotage: the copy.
        intact: the plan for the check itself.
    """

    def __init__(self, *, sabotage: SabotagedSource, intact: Plan, **options: Any) -> None:
        super().__init__(**options)
        self._sabotage = sabotage
        self._intact = intact
        # This selects or deselects the sabotages: -k "not sabotage".
        self.extra_keyword_matches.add("sabotage")

    def _judge(self, result: CheckResult, status: Status) -> None:
        proof = self._sabotage.proof(result)
        if proof is Proof.PROVEN:
            return
        problem = result.problem
        if problem is None:
            pytest.fail(
                f"{result.check} passed although it was sabotaged: {self._sabotage.description}. It does not notice "
                "such a fault.\nFix: Correct the check or its method sabotages().",
                pytrace=False,
            )
        (intact,) = self._intact.run().checks
        if intact.problem is not None and intact.problem.code == problem.code:
            pytest.skip(f"The check itself reports {problem.code}, so its sabotage proves nothing.")
        expected = codes_in_words(self._sabotage.codes)
        pytest.fail(
            f"{result.check} was sabotaged ({self._sabotage.description}), but failed with {problem.code} instead of "
            f"{expected}.\n{_text(problem)}",
            pytrace=False,
        )


class _Names:
    """The names of the items of a service. The second item with a name gets a number, and so on."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def unique(self, name: str) -> str:
        """Return the name, or the name with a number if it was returned before."""
        self._counts[name] += 1
        number = self._counts[name]
        return name if number == 1 else f"{name}-{number}"


def _verify(request: pytest.FixtureRequest) -> None:
    item = request.node
    assert isinstance(item, CheckItem)
    item.verify()


def _verify_on_databases(request: pytest.FixtureRequest, healthguard_data: None) -> None:
    _verify(request)


def _members(parent: pytest.Collector, tree: Tree, *, is_deployment: bool) -> Iterator[pytest.Collector]:
    for name, member in tree.members.items():
        if isinstance(member, Tree):
            yield GroupChecks.from_parent(parent, name=name, tree=member, is_deployment=is_deployment)
        else:
            yield ServiceChecks.from_parent(parent, name=name, service=member, is_deployment=is_deployment)


def _settings_file() -> Path | None:
    module = sys.modules.get(getattr(django_settings, "SETTINGS_MODULE", None) or "")
    file = getattr(module, "__file__", None)
    return None if file is None else Path(file).resolve()


def _text(problem: Problem) -> str:
    return f"{problem.message}\nFix: {problem.hint}"


def _facts(problem: Problem) -> list[str]:
    return [f"  {name}: {value}" for name, value in problem.evidence.items()]
