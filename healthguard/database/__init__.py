"""Database access: queries and their errors, the connections of a run, the schema and the migration history."""
