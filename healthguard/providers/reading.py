"""Reading a provider's answer: what a status and a body say of the key that asked."""

from __future__ import annotations

import json

from healthguard.providers.provider import Answers, Provider
from healthguard.providers.verdict import Verdict

_DEFAULTS = (
    Answers(Verdict.REJECTED, 401, is_explicit=False),
    Answers(Verdict.NO_FUNDS, 402),
    Answers(Verdict.RESTRICTED, 403, "error.type", ".*permission.*|.*forbidden.*"),
    Answers(Verdict.RESTRICTED, 403, "error.code", ".*permission.*|.*scope.*"),
    Answers(Verdict.RATE_LIMITED, 429),
)


def read(provider: Provider, status: int, content: bytes) -> tuple[Verdict, bool]:
    """The verdict, and whether the answer speaks explicitly of the key.

    What no row knows is unknown: an edge, a proxy or a captive portal answers for the provider more often than one
    would think.
    """
    body = _parsed(content)
    if 200 <= status < 300:
        listed = isinstance(body, dict) and isinstance(body.get(provider.list_field), list)
        # Anthropic answers an admin key with the organisation, an object with an id.
        described = isinstance(body, dict) and isinstance(body.get("id"), str)
        return (Verdict.REAL if listed or described else Verdict.UNKNOWN), True
    for answers in (*provider.answers, *_DEFAULTS):
        if answers.fits(status, body):
            return answers.verdict, answers.is_explicit
    return (Verdict.DOWN if status >= 500 else Verdict.UNKNOWN), True


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
