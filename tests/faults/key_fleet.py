"""A fleet of processes that check one key through one cache, until its standard input is closed.

``python -m tests.faults.key_fleet <processes> <ttl> [<cache seconds>]``. Each process prints one line per run: its
number, the status it found, and the problem's code.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import django
from django.conf import settings

LIMIT = 60.0
"""The timeout of one run (seconds), far above the duration of a run on a busy machine."""
PAUSE = 0.5
"""The seconds between two runs of one process."""


def main() -> None:
    """Fork the processes, and end them when standard input is closed."""
    count, ttl = int(sys.argv[1]), float(sys.argv[2])
    settings.configure(
        SECRET_KEY=os.environ["SECRET_KEY"],
        CACHES={"shared": {"BACKEND": os.environ["CACHE_BACKEND"], "LOCATION": os.environ["CACHE_LOCATION"]}},
    )
    django.setup()
    # Import and load once, before the fork: doing it forty times would take seconds of both cores.
    import anyio._backends._asyncio  # noqa: F401
    import httpcore  # noqa: F401
    import redis  # noqa: F401

    from healthguard.checks import AIProviderKey
    from healthguard.http_client.network import certificates
    from healthguard.providers import shared_cache
    from healthguard.runner.execution import result_of
    from healthguard.service import source_of

    certificates()
    if len(sys.argv) > 3:
        shared_cache.CACHE_SECONDS = float(sys.argv[3])
    source = source_of(AIProviderKey("anthropic", share="shared", ttl=ttl))
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            while os.getppid() == parent:
                result = result_of(source, LIMIT)
                line = f"{number} {result.status} {result.problem.code if result.problem else '-'}\n"
                # One write per line, because many processes share the pipe.
                os.write(1, line.encode())
                time.sleep(PAUSE)
            os._exit(0)
        children.append(child)
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    parent = os.getpid()
    main()
