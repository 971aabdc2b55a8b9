"""The signed text of a stored record, and the outcomes and claims that it describes.

Whatever cannot be read, or does not have a valid signature, counts as absent: a file may be damaged, or written by
another program.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from healthguard.runner.changes import LoggedState
from healthguard.runner.outcome import Outcome
from healthguard.status import NO_EVIDENCE, CheckResult, Evidence, Fault, Problem, Status

Content: TypeAlias = "dict[str, Any]"
"""The content of a record: plain JSON values."""

_SIGNATURE_LENGTH = hashlib.sha256().digest_size * 2
_CLOCK_TOLERANCE = 0.5
"""The time by which a recorded moment may be in the future (seconds). A later one is of another clock."""


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """The right of one process to run a service.

    Args:
        generation: the number of the run.
        owner: the token of the process; see :mod:`healthguard.runner.pod.presence`.
        started: when the process made the claim (``time.monotonic()`` seconds).
        requested: when the first request for a run came, since the last one ended (``time.monotonic()`` seconds).
    """

    generation: int
    owner: str
    started: float
    requested: float


def sealed(name: str, content: Content, key: bytes) -> bytes:
    """Return the record ``name`` as bytes, with a signature."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    return _signature(name, text, key) + text


def unsealed(name: str, record: bytes, key: bytes) -> Content | None:
    """Return the content of the record ``name``; None if its signature is not valid."""
    signature, text = record[:_SIGNATURE_LENGTH], record[_SIGNATURE_LENGTH:]
    if not hmac.compare_digest(signature, _signature(name, text, key)):
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _signature(name: str, text: bytes, key: bytes) -> bytes:
    return hmac.new(key, name.encode() + b"\n" + text, hashlib.sha256).hexdigest().encode()


def claim_content(claim: Claim) -> Content:
    """Return a claim as plain values. Its generation is in the name of its record."""
    return {"owner": claim.owner, "started": claim.started, "requested": claim.requested}


def claim_from(content: Content, generation: int, now: float) -> Claim | None:
    """Return the claim that ``content`` describes; None if it is not valid."""
    owner, started, requested = content.get("owner"), _moment(content, "started"), _moment(content, "requested")
    if not isinstance(owner, str) or started is None or requested is None or started > now + _CLOCK_TOLERANCE:
        return None
    return Claim(generation, owner, started, min(requested, started))


def outcome_content(outcome: Outcome) -> Content:
    """Return an outcome as plain values. Its position is in the name of its record."""
    return {
        "results": [_result_content(result) for result in outcome.results],
        "started": outcome.started,
        "finished": outcome.finished,
        "checked_at": outcome.checked_at.isoformat(),
        "fresh_until": outcome.fresh_until,
        "bypassed_cache": outcome.bypassed_cache,
        "aborts": outcome.aborts,
    }


def outcome_from(content: Content, generation: int, now: float, *, is_final: bool) -> Outcome | None:
    """Return the outcome that ``content`` describes; None if it is not valid."""
    try:
        outcome = Outcome(
            generation=generation,
            results=tuple(map(_result, content["results"])),
            started=float(content["started"]),
            finished=float(content["finished"]),
            checked_at=datetime.datetime.fromisoformat(content["checked_at"]),
            fresh_until=float(content["fresh_until"]),
            is_final=is_final,
            bypassed_cache=bool(content["bypassed_cache"]),
            aborts=int(content["aborts"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    is_of_this_clock = outcome.started <= outcome.finished <= now + _CLOCK_TOLERANCE
    return outcome if is_of_this_clock and math.isfinite(outcome.fresh_until) else None


def logged_state_content(state: LoggedState) -> Content:
    """Return a logged state as plain values."""
    return {"status": state[0], "codes": list(state[1])}


def logged_state_from(content: Content) -> LoggedState | None:
    """Return the logged state that ``content`` describes; None if it is not valid."""
    status, codes = content.get("status"), content.get("codes")
    if status not in list(Status) or not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        return None
    return Status(status), tuple(codes)


def _moment(content: Content, name: str) -> float | None:
    value = content.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _result_content(result: CheckResult) -> Content:
    return {
        "check": result.check,
        "status": result.status,
        "problem": None if result.problem is None else _problem_content(result.problem),
        "evidence": _plain(result.evidence),
    }


def _result(content: Mapping[str, Any]) -> CheckResult:
    problem = content["problem"]
    return CheckResult(
        str(content["check"]),
        Status(content["status"]),
        None if problem is None else _problem(problem),
        _evidence(content["evidence"]),
    )


def _problem_content(problem: Problem) -> Content:
    return {
        "code": problem.code,
        "fault": problem.fault,
        "message": problem.message,
        "hint": problem.hint,
        "evidence": _plain(problem.evidence),
    }


def _problem(content: Mapping[str, Any]) -> Problem:
    return Problem(
        str(content["code"]),
        Fault(content["fault"]),
        str(content["message"]),
        str(content["hint"]),
        _evidence(content["evidence"]),
    )


def _evidence(content: Any) -> Mapping[str, Evidence]:
    if not isinstance(content, dict):
        raise TypeError("evidence is not a mapping")
    return content or NO_EVIDENCE


def _plain(value: Evidence) -> Any:
    """Return evidence as values that json can write: it does not know mappings other than dict."""
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(member) for member in value]
    return value
