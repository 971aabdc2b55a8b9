"""The rules that turn a provider's response into a verdict about the key."""

from __future__ import annotations

import json

from healthguard.providers.provider import Provider, ResponseRule, values_at
from healthguard.providers.verdict import Verdict

_BILLING = r"insufficient_(quota|balance|credits?|funds)|billing_\w+|\w*credit\w*_exhausted|\w*(spend|usage)_limit\w*"
_DEFAULTS = (
    ResponseRule(Verdict.REJECTED, 401, is_explicit=False),
    ResponseRule(Verdict.NO_FUNDS, 402),
    # A 403 alone is not about the key: it may be caused by the region, for example.
    ResponseRule(Verdict.RESTRICTED, 403, "error.type", ".*permission.*"),
    ResponseRule(Verdict.RESTRICTED, 403, "error.code", ".*permission.*|.*scope.*"),
    *(ResponseRule(Verdict.NO_FUNDS, status, "error.code", _BILLING) for status in (400, 429)),
    *(ResponseRule(Verdict.NO_FUNDS, status, "error.type", _BILLING) for status in (400, 429)),
    ResponseRule(Verdict.RATE_LIMITED, 429),
)


def read_verdict(
    provider: Provider, status: int, content: bytes, *, is_via_gateway: bool = False
) -> tuple[Verdict, bool]:
    """Return the verdict of a response, and True if the response refers explicitly to the key.

    A response that matches no rule is ``UNKNOWN``, because edge servers, proxies and captive portals often respond
    instead of the provider.

    Args:
        provider: the provider of the key.
        status: the HTTP status.
        content: the body.
        is_via_gateway: True if a gateway responds instead of the provider. The provider's rules that depend only on the
            status do not apply then, because the gateway may use the status differently.
    """
    body = _parsed(content)
    provider_rules = (rule for rule in provider.response_rules if rule.field or not is_via_gateway)
    for rule in (*provider_rules, *_DEFAULTS):
        if rule.fits(status, body):
            return rule.verdict, rule.is_explicit
    if 200 <= status < 300:
        return (
            Verdict.VALID if any(_has_field(body, path) for path in provider.success_fields) else Verdict.UNKNOWN
        ), True
    return (Verdict.DOWN if status >= 500 else Verdict.UNKNOWN), True


def has_empty_list(provider: Provider, content: bytes) -> bool:
    """Return True if the success fields of a response are lists and all of them are empty."""
    body = _parsed(content)
    lists = [body] if isinstance(body, list) else []
    if isinstance(body, dict):
        names = [path.removesuffix("[]") for path in provider.success_fields if path.endswith("[]") and path != "[]"]
        lists = [value for name in names for value in values_at(body, name) if isinstance(value, list)]
    return bool(lists) and not any(lists)


def _has_field(body: object, path: str) -> bool:
    if path == "[]":
        return isinstance(body, list)
    name = path.removesuffix("[]")
    values = list(values_at(body, name)) if isinstance(body, dict) else []
    return any(isinstance(value, list) if name != path else value is not None for value in values)


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
