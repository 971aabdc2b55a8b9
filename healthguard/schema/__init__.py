"""The live schema, one file an engine, and its comparison with what is expected."""

from healthguard.schema.comparison import Expected, Finding, Kind, compare
from healthguard.schema.live import Column, LiveSchema, Table
from healthguard.schema.reading import read_schema

__all__ = ["Column", "Expected", "Finding", "Kind", "LiveSchema", "Table", "compare", "read_schema"]
