"""The migrations that the code has and those that a database has had."""

from healthguard.history.applied import Rows, applied_migrations, never_migrated
from healthguard.history.comparison import Comparison, compare
from healthguard.history.files import Key, MigrationFiles, migration_files
from healthguard.history.removed import removed_by_migrations

__all__ = [
    "Comparison",
    "Key",
    "MigrationFiles",
    "Rows",
    "applied_migrations",
    "compare",
    "migration_files",
    "never_migrated",
    "removed_by_migrations",
]
