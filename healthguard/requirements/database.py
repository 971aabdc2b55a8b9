"""The requirement of a variable that names the right database."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from healthguard.requirements.database_names import is_other_database
from healthguard.requirements.requirement import NO_VALUES, Judgement, Requirement, Values
from healthguard.requirements.variable import VariableRequirement
from healthguard.secret_values.showable import shown_name
from healthguard.status import Code, Evidence, Fault, Problem


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseRequirement(Requirement):
    """A variable with the URL or the name of a database.

    Args:
        database: the name of the database; for SQLite, the name or the path of the file.
        alias: the alias in DATABASES.
    """

    database: str
    alias: str = "default"

    @property
    def is_needed_by_jobs(self) -> bool:
        """True, because a process that migrates another database than the application uses does harm."""
        return True

    def judge(self, name: str, value: str, others: Values = NO_VALUES) -> Judgement | None:
        """Return the problem of a URL or a name; None if it shows none, or if its form is not known."""
        judgement = VariableRequirement(self.names).judge(name, value)
        if judgement is not None and not (judgement.is_minor and judgement.problem.code == Code.VARIABLE_PLACEHOLDER):
            # Only a well-known password works. Whitespace would be a part of the name.
            return dataclasses.replace(judgement, is_minor=False)
        if not is_other_database(value, self.database, name):
            return None
        # The name in the value is not shown: if two variables are swapped, it is a password.
        shown = shown_name(name)
        finding = f"{shown} does not name it"
        return Judgement(wrong_database(self.alias, shown_name(self.database), finding, {"variable": shown}, shown))


def wrong_database(
    alias: str, expected: str, finding: str, evidence: Mapping[str, Evidence], variable: str = "DATABASE_URL"
) -> Problem:
    """Return the problem of a database that is not the expected one.

    Args:
        alias: the alias in DATABASES.
        expected: the name of the expected database, as it may be shown.
        finding: the fact, as the last part of a sentence.
        evidence: further facts.
        variable: the variable from which the settings read the address.
    """
    return Problem(
        Code.WRONG_DATABASE,
        Fault.CONFIG,
        f"Database {alias!r} must be {expected!r}, but {finding}.",
        f"Check {variable} or DATABASES[{alias!r}]['NAME'], and the Secret it is mounted from: it points to another "
        "database. Behind a pooler, declare the name that the server itself reports. Do not run migrations until this "
        "is fixed.",
        {"alias": alias, **evidence, "expected": expected},
    )
