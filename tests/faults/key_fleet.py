"""A fleet of processes that look at one key through one cache.

``python -m tests.faults.key_fleet <how many> <seconds>``. Each prints a line a run: the status that it found, and the
problem's code.
"""

from __future__ import annotations

import os
import sys
import time

import django
from django.conf import settings

TTL = 2.0
"""How long a verification holds for all of them (seconds)."""
PAUSE = 0.3
"""How long a process waits between its runs (seconds)."""


def main() -> None:
    """Fork them, and wait until they have all ended."""
    count, seconds = int(sys.argv[1]), float(sys.argv[2])
    settings.configure(
        SECRET_KEY=os.environ["SECRET_KEY"],
        CACHES={"shared": {"BACKEND": os.environ["CACHE_BACKEND"], "LOCATION": os.environ["CACHE_LOCATION"]}},
    )
    django.setup()
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            live(seconds)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def live(seconds: float) -> None:
    """Look again and again."""
    from healthguard.checks import AIProviderKey
    from healthguard.execution import result_of
    from healthguard.service import source_of

    source = source_of(AIProviderKey("anthropic", share="shared", ttl=TTL))
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        result = result_of(source, 5.0)
        line = f"{result.status} {result.problem.code if result.problem else '-'}\n"
        # Lines of many processes: one write each.
        os.write(1, line.encode())
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
