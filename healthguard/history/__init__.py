"""The migrations that the code has and those that a database has had."""

from healthguard.history.applied import Rows, applied_migrations, never_migrated
from healthguard.history.comparison import Comparison, compare
from healthguard.history.files import Key, MigrationFiles, migration_files
from healthguard.history.hidden_changes import HiddenChanges, hidden_changes

__all__ = [
    "Comparison",
    "HiddenChanges",
    "Key",
    "MigrationFiles",
    "Rows",
    "applied_migrations",
    "compare",
    "hidden_changes",
    "migration_files",
    "never_migrated",
]
