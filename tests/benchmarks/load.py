"""A server under load."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import time
from pathlib import Path

from tests.sites import Server

CONNECTIONS = 8

_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """What was measured.

    Args:
        requests: how many were answered.
        rate: how many were answered per second.
        p50: the median latency (seconds).
        p99: the latency that one in a hundred exceeds (seconds).
        cpu: how long the server's processors worked for one request (seconds).
        threads: how many threads the server had meanwhile.
    """

    requests: int
    rate: float
    p50: float
    p99: float
    cpu: float
    threads: int


def is_wrk_here() -> bool:
    """Whether there is something to make the load with."""
    return shutil.which("wrk") is not None


def load(server: Server, path: str, seconds: float) -> Sample:
    """Ask for ``path`` for whole ``seconds``, over connections that are kept.

    Raises:
        SystemExit: something else than a 200 came back. An error page is never measured.
    """
    url = f"http://127.0.0.1:{server.port}{path}"
    reply = server.get(path)
    if reply.status != 200:
        raise SystemExit(f"{url} gave {reply.status}, and no load was made:\n{server.log}")
    begin = _cpu(server)
    command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds:.0f}s", "--latency"]
    with subprocess.Popen([*command, f"--script={_SCRIPT}", url], stdout=subprocess.PIPE, text=True) as wrk:
        time.sleep(seconds / 2)
        threads = server.threads()
        output, _ = wrk.communicate()
    told = json.loads(output.strip().rpartition("\n")[2])
    if told["bad"] or told["broken"] or not told["requests"]:
        raise SystemExit(f"{url} failed under load:\n{output}\n{server.log}")
    requests = told["requests"]
    cpu = (_cpu(server) - begin) / requests
    return Sample(requests, requests / told["seconds"], told["p50"], told["p99"], cpu, threads)


def _cpu(server: Server) -> float:
    used = [worker.cpu_times() for worker in server.workers()]
    return sum(times.user + times.system for times in used)
