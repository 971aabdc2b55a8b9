"""What must stand in a database, and what does: one file an engine, one comparison, one judgement."""

from healthguard.schema.comparison import Finding, Kind
from healthguard.schema.expected import Expected, ExpectedColumn, ExpectedTable
from healthguard.schema.inspection import Inspection, Outcome
from healthguard.schema.judgement import judge
from healthguard.schema.live import TableName

__all__ = [
    "Expected",
    "ExpectedColumn",
    "ExpectedTable",
    "Finding",
    "Inspection",
    "Kind",
    "Outcome",
    "TableName",
    "judge",
]
