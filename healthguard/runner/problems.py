"""The problems that the runner itself reports: runs in flight, stale results, timeouts, checks that were not run."""

from __future__ import annotations

from healthguard.service import CheckSource, ServiceNode
from healthguard.status import CheckResult, Code, Fault, Problem, Status

PENDING = Problem(
    Code.PENDING,
    Fault.OUTAGE,
    "The first run of this service has not finished yet.",
    "Send the request again in a few seconds.",
)
REQUESTED = Problem(
    Code.PENDING,
    Fault.OUTAGE,
    "The run that this request started has not finished within DEADLINE.",
    "Send the request again without fresh=1. The result is stored as soon as the run ends.",
)
STALE = Problem(
    Code.STALE,
    Fault.OUTAGE,
    "The last result is older than the service's ttl and stale_for allow, and the next run has not finished.",
    "Send the request again. If this persists, the checks take longer than DEADLINE: raise ttl or stale_for.",
)
BACKGROUND_TASK_STUCK = Problem(
    Code.BACKGROUND_TASK_STUCK,
    Fault.OUTAGE,
    "The checks cannot run again, because a background task that one of them started is still running.",
    "Find out what the task is waiting for, and give it a timeout of its own.",
)
RUN_CRASHED = Problem(
    Code.EXCEPTION,
    Fault.CONFIG,
    "The run crashed outside its checks.",
    "Report this as a bug in healthguard, with the versions of healthguard, Django and Python.",
)
NO_THREAD = Problem(
    Code.NO_THREAD,
    Fault.OUTAGE,
    "The process cannot start another thread.",
    "Check the number of threads of the process, and its limits (ulimit -u, the pod's pids limit).",
)


def timed_out(source: CheckSource, timeout: float) -> CheckResult:
    """Return the result of a check that ran longer than the timeout of its service (seconds)."""
    problem = Problem(
        Code.TIMEOUT,
        Fault.OUTAGE,
        f"{source.name} did not finish within the service's timeout of {timeout:g} s.",
        "Find out what the check is waiting for. If it is only slow, give its Service a longer timeout.",
        {"timeout_seconds": timeout},
    )
    return CheckResult(source.name, Status.UNHEALTHY, problem)


def not_run_after_outage(source: CheckSource, failed: str) -> CheckResult:
    """Return the result of a check that was not run because the check named ``failed`` reported an outage."""
    return _not_run(source, Fault.OUTAGE, failed, "reported an outage")


def not_run_on_unusable_database(source: CheckSource, failed: CheckResult) -> CheckResult:
    """Return the result of a check that was not run because ``failed`` found that its database cannot be used."""
    return _not_run(source, Fault.CONFIG, failed.check, "found that the database cannot be used")


def _not_run(source: CheckSource, fault: Fault, failed: str, reason: str) -> CheckResult:
    problem = Problem(
        Code.NOT_RUN,
        fault,
        f"Not run, because {failed}, an earlier check of this service, {reason}.",
        f"Fix the problem reported by {failed} first.",
    )
    return CheckResult(source.name, Status.UNKNOWN, problem)


def all_unknown(service: ServiceNode, problem: Problem) -> tuple[CheckResult, ...]:
    """Return an unknown result with this problem for each check of the service."""
    return tuple(CheckResult(source.name, Status.UNKNOWN, problem) for source in service.sources)


def all_unhealthy(service: ServiceNode, problem: Problem) -> tuple[CheckResult, ...]:
    """Return an unhealthy result with this problem for each check of the service."""
    return tuple(CheckResult(source.name, Status.UNHEALTHY, problem) for source in service.sources)
