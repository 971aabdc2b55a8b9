"""Whether healthguard's defaults stay quiet on the databases of projects that others wrote.

``python -m tests.projects``. Each is migrated as its documentation says, asked how it is, damaged, and asked again.
"""
