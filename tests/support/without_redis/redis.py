"""A module that hides the Redis client from the servers that tests start.

django-health-check imports the client if it is installed. The import takes a fifth of the time that a server needs to
start, and the tests start hundreds of servers.
"""

from __future__ import annotations

raise ModuleNotFoundError("No module named 'redis'", name="redis")
