"""The known disagreements of the check and the ORM. docs/oracle.md gives the reason of each, by the same names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.oracle.comparison import Case


@dataclasses.dataclass(frozen=True)
class KnownDisagreement:
    """A kind of change that the check does not report, or reports although all operations work.

    Args:
        name: the name in docs/oracle.md.
        applies: a function that returns True if a case is of this kind.
    """

    name: str
    applies: Callable[[Case], bool]


def _is_missed(case: Case, *kinds: str) -> bool:
    """Return True if the check does not report a change of one of ``kinds``; of any kind if none is given."""
    return case.disagreement == "missed" and (not kinds or case.change.kind in kinds)


def _is_false_alarm(case: Case, *kinds: str) -> bool:
    """Return True if the check reports a change of one of ``kinds`` although all operations work."""
    return case.disagreement == "false alarm" and (not kinds or case.change.kind in kinds)


def _message_has(case: Case, text: str) -> bool:
    return case.outcome.problem is not None and text in case.outcome.problem.message


def _fails_with(case: Case, text: str) -> bool:
    return all(text in str(after) for _, _, after in case.failing)


def _is_cut(case: Case) -> bool:
    """Return True if a narrower type has changed the values that are read, without an error."""
    return (
        case.disagreement == "only degraded"
        and "column_narrower" in case.codes
        and not any("Error" in str(after) for operation, _, after in case.failing if operation.reads)
    )


def _sets_key(case: Case) -> bool:
    """Return True if only operations fail that choose the value of an automatic key."""
    return all(operation.name.endswith(("add with a large key", "key is unique")) for operation, _, _ in case.failing)


KNOWN_DISAGREEMENTS = [
    KnownDisagreement(
        "Narrower automatic keys",
        lambda case: _is_missed(case) and case.change.has('ALTER "id" TYPE', "`id`") and _fails_with(case, "ange"),
    ),
    KnownDisagreement(
        "Triggers and rules", lambda case: _is_missed(case) and case.change.has("CREATE TRIGGER", "CREATE RULE")
    ),
    KnownDisagreement("CHECK constraints", lambda case: _is_missed(case) and case.change.has("CHECK (")),
    KnownDisagreement(
        "Unique constraints that no model has",
        lambda case: _is_missed(case, "more_unique", "add_column") and case.change.has("UNIQUE"),
    ),
    KnownDisagreement(
        "UPDATE and DELETE rights",
        lambda case: _is_missed(case, "rights") and case.change.has("UPDATE", "DELETE", "ALL"),
    ),
    KnownDisagreement(
        "A user without INSERT rights", lambda case: _is_missed(case) and case.change.has("REVOKE INSERT ON ALL TABLES")
    ),
    KnownDisagreement(
        "The right to insert the key",
        lambda case: _is_missed(case, "rights") and case.change.has("GRANT INSERT (") and _sets_key(case),
    ),
    KnownDisagreement("Expressions of policies", lambda case: _is_missed(case, "policies")),
    KnownDisagreement(
        "Another default than `db_default`",
        lambda case: (
            _is_missed(case, "default", "column_definition", "column_again")
            and case.change.has("state")
            and case.change.has("DEFAULT")
        ),
    ),
    KnownDisagreement(
        "Other expressions of generated columns",
        lambda case: _is_missed(case, "generated") and not any("Error" in str(after) for _, _, after in case.failing),
    ),
    KnownDisagreement("Views of some rows", lambda case: _is_missed(case, "view") and case.change.has(" WHERE ")),
    KnownDisagreement("Values cut by the change", _is_cut),
    KnownDisagreement(
        "Invalid unique indexes",
        lambda case: _is_false_alarm(case, "invalid_index") and case.codes == {"unique_missing"},
    ),
    KnownDisagreement(
        "Unique indexes with a condition or an expression",
        lambda case: (
            _is_false_alarm(case, "another_unique_index", "partial_unique") and case.codes == {"unique_missing"}
        ),
    ),
    KnownDisagreement(
        "PostgreSQL: foreign keys",
        lambda case: _is_missed(case) and _fails_with(case, "foreign key constraint"),
    ),
    KnownDisagreement(
        "PostgreSQL: types that are converted silently",
        lambda case: (
            _is_false_alarm(case)
            and (_message_has(case, "the model requires tsvector") or _message_has(case, "is oid, but the model"))
        ),
    ),
    KnownDisagreement(
        "SQLite: durations in a floating-point column",
        lambda case: _is_false_alarm(case) and case.change.has("REDEFINE oracle_moment type lasts"),
    ),
    KnownDisagreement(
        "MariaDB: text in place of `uuid`",
        lambda case: _is_false_alarm(case) and _message_has(case, "the model requires uuid"),
    ),
    KnownDisagreement("MariaDB: further foreign keys", lambda case: _is_missed(case, "foreign_key")),
    KnownDisagreement(
        "MariaDB: a default beside AUTO_INCREMENT",
        lambda case: _is_missed(case, "default") and case.change.has("`id`"),
    ),
    KnownDisagreement(
        "MariaDB: triggers that fill a column", lambda case: _is_false_alarm(case, "filled_by_a_trigger")
    ),
    KnownDisagreement(
        "MariaDB and SQLite: capitals and small letters",
        lambda case: _is_missed(case) and case.change.has(" COLLATE ", " collate ", "CONVERT TO"),
    ),
]
"""The first one that applies to a case counts."""


def known_disagreement(case: Case) -> str | None:
    """Return the name of the first known disagreement that applies."""
    return next((known.name for known in KNOWN_DISAGREEMENTS if known.applies(case)), None)
