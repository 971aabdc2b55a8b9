"""What findings mean for traffic, and how they are told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from healthguard.declared import shown_name
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.listing import MAX_SHOWN, listed
from healthguard.schema.comparison import Finding, Kind
from healthguard.schema.inspection import Outcome
from healthguard.schema.live import TableName
from healthguard.status import Evidence, Fault, Problem

_MAX_SENTENCES = 5


@dataclasses.dataclass(frozen=True, slots=True)
class _Meaning:
    """What a kind of finding means.

    Args:
        exception: Unhealthy where the code cannot work as things are, Degraded where only some of what it does fails.
        sentence: says it: of all findings with ``{names}``, or of each with ``{name}``.
        hint: the remedy.
    """

    exception: type[Unhealthy | Degraded]
    sentence: str
    hint: str


_MIGRATE = "Run 'python manage.py migrate' against this database; if nothing is pending, {} by hand."
_MEANINGS: Mapping[Kind, _Meaning] = {
    Kind.TABLE_MISSING: _Meaning(
        Unhealthy,
        "missing tables: {names}",
        "See that DATABASE_URL names the right database. " + _MIGRATE.format("the table was dropped"),
    ),
    Kind.TABLE_UNREADABLE: _Meaning(
        Unhealthy,
        "tables that the database user may not read: {names}",
        "Grant the database user SELECT on the tables, and USAGE on their schema.",
    ),
    Kind.COLUMN_MISSING: _Meaning(
        Unhealthy, "missing columns: {names}", _MIGRATE.format("the column was dropped or renamed")
    ),
    Kind.COLUMN_TYPE: _Meaning(
        Unhealthy,
        "{name} is {actual}, {who} {expected}",
        _MIGRATE.format("the column was altered") + " If the column is right, mend the declaration.",
    ),
    Kind.UNKNOWN_TYPE: _Meaning(
        Unhealthy,
        "{name} is {actual}, {who} {expected}, which this server does not know",
        "Mend the type in the declaration, or create the extension or domain that defines it.",
    ),
    Kind.COLUMN_UNREADABLE: _Meaning(
        Unhealthy,
        "columns that the database user may not read: {names}",
        "Grant the database user SELECT on the columns.",
    ),
    Kind.COLUMN_UNEXPECTED: _Meaning(
        Degraded,
        "{name} is NOT NULL without a default and no model knows it: INSERTs will fail",
        "Give the column a default, let it be NULL, or drop it. In a rolling deploy it is newer code's: then give its "
        "field a db_default.",
    ),
    Kind.COLUMN_DEFAULT: _Meaning(
        Degraded,
        "{name} has no default, and the model leaves its value to the database: INSERTs will fail, or store NULL",
        _MIGRATE.format("its default, identity or sequence was taken away"),
    ),
    Kind.COLUMN_NOT_NULL: _Meaning(
        Degraded,
        "{name} is NOT NULL, the model allows null: saving without a value will fail",
        _MIGRATE.format("the column was altered"),
    ),
    Kind.COLUMN_NARROWER: _Meaning(
        Degraded,
        "{name} is {actual}, {who} {expected}: some values will be refused or cut",
        _MIGRATE.format("the column was altered"),
    ),
}


def judge(
    outcome: Outcome, *, alias: str, tables: int, who: str, is_handwritten: bool = False
) -> Unhealthy | Degraded | None:
    """What must be told of ``outcome``; None where all is well.

    Args:
        outcome: the comparison's.
        alias: the database's, in DATABASES.
        tables: how many were looked for.
        who: what the expected types come from, as "the model says".
        is_handwritten: whether names and types come from a declaration, where a secret may stand in their place.
    """
    if not outcome.findings:
        return None
    outcome = _with_shown_names(outcome) if is_handwritten else outcome
    by_kind: dict[Kind, list[Finding]] = {}
    for finding in outcome.findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    evidence: dict[str, Evidence] = {"alias": alias}
    for kind, findings in by_kind.items():
        evidence[kind] = [_told(finding) for finding in findings[:MAX_SHOWN]]
        if len(findings) > MAX_SHOWN:
            evidence[f"{kind}_more"] = len(findings) - MAX_SHOWN
    sentences = [_sentence(kind, findings, who) for kind, findings in by_kind.items()]
    worst = next(iter(by_kind))
    hint = _MEANINGS[worst].hint
    if worst is Kind.TABLE_MISSING:
        sentences[0] = _missing(by_kind[worst], tables, outcome.elsewhere)
    if outcome.elsewhere:
        evidence["found_in_schemas"] = _schemas(outcome.elsewhere)[:MAX_SHOWN]
        hint = (
            "Set the search_path of the database user or of the connection, grant the user USAGE on the schema, or "
            "name the schema with the table."
        )
    if not _MEANINGS[worst].sentence.startswith("{name}"):
        sentences[0] = f"{sentences[0][0].upper()}{sentences[0][1:]}"
    problem = Problem(worst, Fault.CONFIG, f"{'; '.join(sentences)}.", hint, evidence)
    return _MEANINGS[worst].exception.of(problem)


def _with_shown_names(outcome: Outcome) -> Outcome:
    """Return the outcome with those declared names and types that may be shown."""
    findings = tuple(
        dataclasses.replace(
            finding,
            table=_shown_table(finding.table),
            column=None if finding.column is None else shown_name(finding.column),
            expected=None if finding.expected is None else shown_name(finding.expected),
        )
        for finding in outcome.findings
    )
    return Outcome(findings, {_shown_table(table): schemas for table, schemas in outcome.elsewhere.items()})


def _shown_table(table: TableName) -> TableName:
    return TableName(shown_name(table.name), None if table.schema is None else shown_name(table.schema))


def _missing(findings: Sequence[Finding], tables: int, elsewhere: Mapping[TableName, tuple[str, ...]]) -> str:
    gone = [finding.name for finding in findings if finding.table not in elsewhere]
    told: list[str] = []
    if len(findings) == tables > 1:
        told.append(f"0 of {tables} tables exist" + ("" if elsewhere else ": wrong or empty database"))
    elif len(gone) * 2 > tables > 1:
        told.append(
            f"only {tables - len(findings)} of {tables} tables exist, perhaps in the wrong database; "
            f"missing tables: {listed(gone)}"
        )
    elif gone:
        told.append(f"missing {'table' if len(gone) == 1 else 'tables'}: {listed(gone)}")
    for is_named, where in (
        (False, "which is not in the search_path, or which the user may not use"),
        (True, "and not where it is looked for"),
    ):
        found = {table: schemas for table, schemas in elsewhere.items() if (table.schema is not None) is is_named}
        if found:
            these = "this table is" if len(found) == 1 else "these tables are"
            told.append(f"{these} in schema {listed(_schemas(found))}, {where}: {listed([*map(str, found)])}")
    return "; ".join(told)


def _schemas(elsewhere: Mapping[TableName, tuple[str, ...]]) -> list[str]:
    return sorted({schema for schemas in elsewhere.values() for schema in schemas})


def _sentence(kind: Kind, findings: Sequence[Finding], who: str) -> str:
    text = _MEANINGS[kind].sentence
    if "{names}" in text:
        return text.format(names=listed([finding.name for finding in findings]))
    told = [
        text.format(name=finding.name, actual=finding.actual, expected=finding.expected, who=who)
        for finding in findings[:_MAX_SENTENCES]
    ]
    more = len(findings) - _MAX_SENTENCES
    return "; ".join(told) + (f"; and {more} more like that" if more > 0 else "")


def _told(finding: Finding) -> Evidence:
    if finding.expected is None:
        return finding.name
    return {"column": finding.name, "expected": finding.expected, "actual": finding.actual}
