"""A test of healthguard's default checks on the databases of third-party projects: ``python -m tests.projects``.

Each database is migrated as the project's documentation describes, checked, damaged, and checked again.
"""
