"""Reading a provider's answer: what a status and a body say of the key that asked."""

from __future__ import annotations

import json

from healthguard.providers.provider import Answers, Provider, at
from healthguard.providers.verdict import Verdict

_BILLING = r"insufficient_(quota|balance|credits?|funds)|billing_\w+|\w*credit\w*_exhausted|\w*(spend|usage)_limit\w*"
_DEFAULTS = (
    Answers(Verdict.REJECTED, 401, is_explicit=False),
    Answers(Verdict.NO_FUNDS, 402),
    # That something is forbidden says nothing of the key: so is a region.
    Answers(Verdict.RESTRICTED, 403, "error.type", ".*permission.*"),
    Answers(Verdict.RESTRICTED, 403, "error.code", ".*permission.*|.*scope.*"),
    *(Answers(Verdict.NO_FUNDS, status, "error.code", _BILLING) for status in (400, 429)),
    *(Answers(Verdict.NO_FUNDS, status, "error.type", _BILLING) for status in (400, 429)),
    Answers(Verdict.RATE_LIMITED, 429),
)


def read(provider: Provider, status: int, content: bytes, *, stands_in: bool = False) -> tuple[Verdict, bool]:
    """The verdict, and whether the answer speaks explicitly of the key.

    Args:
        provider: whose key it is.
        status: the HTTP status.
        content: the body.
        stands_in: whether something else answers in the provider's place, a gateway: what a status alone means is
            then as by default, for the provider's own habits are not known to be its.

    What no row knows is unknown: an edge, a proxy or a captive portal answers for the provider more often than one
    would think.
    """
    body = _parsed(content)
    own = (answers for answers in provider.answers if answers.field or not stands_in)
    for answers in (*own, *_DEFAULTS):
        if answers.fits(status, body):
            return answers.verdict, answers.is_explicit
    if 200 <= status < 300:
        return (Verdict.REAL if any(_proves(body, path) for path in provider.proofs) else Verdict.UNKNOWN), True
    return (Verdict.DOWN if status >= 500 else Verdict.UNKNOWN), True


def has_empty_list(provider: Provider, content: bytes) -> bool:
    """Return True if what shows an answer to be the provider's is a list without members."""
    body = _parsed(content)
    lists = [body] if isinstance(body, list) else []
    if isinstance(body, dict):
        names = [path.removesuffix("[]") for path in provider.proofs if path.endswith("[]") and path != "[]"]
        lists = [found for name in names for found in at(body, name) if isinstance(found, list)]
    return bool(lists) and not any(lists)


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
