"""What must stand in a database, and what does: one file an engine, one comparison, one judgement."""

from healthguard.schema.expected import Expected, ExpectedColumn, ExpectedTable
from healthguard.schema.inspection import Inspection, Outcome
from healthguard.schema.judgement import WHICH_DATABASE, judge
from healthguard.schema.kinds import Finding, Kind, in_order
from healthguard.schema.live import TableName
from healthguard.schema.sequences import sequences_behind

__all__ = [
    "WHICH_DATABASE",
    "Expected",
    "ExpectedColumn",
    "ExpectedTable",
    "Finding",
    "Inspection",
    "Kind",
    "Outcome",
    "TableName",
    "in_order",
    "judge",
    "sequences_behind",
]
