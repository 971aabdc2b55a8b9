"""Reading a provider's answer: what a status and a body say of the key that asked."""

from __future__ import annotations

import json

from healthguard.providers.provider import Answers, Provider, at
from healthguard.providers.verdict import Verdict

_DEFAULTS = (
    Answers(Verdict.REJECTED, 401, is_explicit=False),
    Answers(Verdict.NO_FUNDS, 402),
    # That something is forbidden says nothing of the key: so is a region.
    Answers(Verdict.RESTRICTED, 403, "error.type", ".*permission.*"),
    Answers(Verdict.RESTRICTED, 403, "error.code", ".*permission.*|.*scope.*"),
    Answers(Verdict.NO_FUNDS, 429, "error.code", "insufficient_quota|.*credit.*exhausted.*|.*spend_limit.*"),
    Answers(Verdict.RATE_LIMITED, 429),
)


def read(provider: Provider, status: int, content: bytes) -> tuple[Verdict, bool]:
    """The verdict, and whether the answer speaks explicitly of the key.

    What no row knows is unknown: an edge, a proxy or a captive portal answers for the provider more often than one
    would think.
    """
    body = _parsed(content)
    for answers in (*provider.answers, *_DEFAULTS):
        if answers.fits(status, body):
            return answers.verdict, answers.is_explicit
    if 200 <= status < 300:
        return (Verdict.REAL if any(_proves(body, path) for path in provider.proofs) else Verdict.UNKNOWN), True
    return (Verdict.DOWN if status >= 500 else Verdict.UNKNOWN), True


def _proves(body: object, path: str) -> bool:
    if path == "[]":
        return isinstance(body, list)
    name = path.removesuffix("[]")
    found = list(at(body, name)) if isinstance(body, dict) else []
    return any(isinstance(value, list) if name != path else value is not None for value in found)


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
