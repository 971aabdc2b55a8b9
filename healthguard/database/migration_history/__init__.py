"""The migrations in the code and the migrations that are applied to a database."""

from healthguard.database.migration_history.applied import Rows, applied_migrations, never_migrated
from healthguard.database.migration_history.comparison import Comparison, compare
from healthguard.database.migration_history.files import Key, MigrationFiles, migration_files
from healthguard.database.migration_history.hidden_changes import HiddenChanges, hidden_changes

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
