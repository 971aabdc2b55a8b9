"""The migrations that the code has and those that a database has had."""

from healthguard.history.comparison import Comparison, compare
from healthguard.history.files import Key, MigrationFiles, migration_files

__all__ = ["Comparison", "Key", "MigrationFiles", "compare", "migration_files"]
