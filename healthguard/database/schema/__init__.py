"""The comparison of the schema that a database must have with the schema that it has.

Each engine has its own module; the comparison and the judgement of its findings are shared.
"""

from healthguard.database.schema.expected import Expected, ExpectedColumn, ExpectedTable
from healthguard.database.schema.inspection import Inspected, Inspection, enforces_types
from healthguard.database.schema.judgement import WHICH_DATABASE, judge
from healthguard.database.schema.kinds import Finding, FindingKind, in_order
from healthguard.database.schema.live import TableName
from healthguard.database.schema.sequences import sequences_behind

__all__ = [
    "WHICH_DATABASE",
    "Expected",
    "ExpectedColumn",
    "ExpectedTable",
    "Finding",
    "FindingKind",
    "Inspected",
    "Inspection",
    "TableName",
    "enforces_types",
    "in_order",
    "judge",
    "sequences_behind",
]
