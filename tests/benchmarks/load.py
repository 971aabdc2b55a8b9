"""Load on a server."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import time
from pathlib import Path

from tests.support.sites import Server

CONNECTIONS = 8

_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """The measurements of one load.

    Args:
        requests: the number of requests answered.
        rate: the number of requests answered per second.
        p50: the median latency (seconds).
        p99: the latency that one in a hundred requests exceeds (seconds).
        cpu: the CPU time of the server per request (seconds).
        threads: the number of threads of the server under load.
    """

    requests: int
    rate: float
    p50: float
    p99: float
    cpu: float
    threads: int


def is_wrk_here() -> bool:
    """Return True if wrk, which generates the load, is installed."""
    return shutil.which("wrk") is not None


def load(server: Server, path: str, seconds: float) -> Sample:
    """Request ``path`` for ``seconds``, rounded to whole seconds, over persistent connections.

    Raises:
        SystemExit: a response has another status than 200. An error page is never measured.
    """
    url = f"http://127.0.0.1:{server.port}{path}"
    reply = server.get(path)
    if reply.status != 200:
        raise SystemExit(f"{url} answers {reply.status} instead of 200. Nothing was measured.\n{server.log}")
    begin = _cpu(server)
    command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds:.0f}s", "--latency"]
    with subprocess.Popen([*command, f"--script={_SCRIPT}", url], stdout=subprocess.PIPE, text=True) as wrk:
        time.sleep(seconds / 2)
        threads = server.threads()
        output, _ = wrk.communicate()
    summary = json.loads(output.strip().rpartition("\n")[2])
    if summary["bad"] or summary["broken"] or not summary["requests"]:
        raise SystemExit(f"{url} failed under load:\n{output}\n{server.log}")
    requests = summary["requests"]
    cpu = (_cpu(server) - begin) / requests
    return Sample(requests, requests / summary["seconds"], summary["p50"], summary["p99"], cpu, threads)


def _cpu(server: Server) -> float:
    used = [worker.cpu_times() for worker in server.workers()]
    return sum(times.user + times.system for times in used)
