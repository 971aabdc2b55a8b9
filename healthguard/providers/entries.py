"""Entries of a shared cache: signed text, so that whoever writes into the cache cannot make one up."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

from django.core import signing

from healthguard.providers.verdict import TELLS_OF_KEY, Verdict
from healthguard.providers.verification import Verification

MAX_ENTRY_CHARACTERS = 8192
_MAX_TEXT = 300
_CLOCK_SKEW = 60.0
"""The largest difference between the clocks of a fleet's machines (seconds)."""
_MAX_NUMBER = 1e12


def write_entry(name: str, verification: Verification, good_at: float | None, hold: float) -> str:
    """Return what came of asking as signed text.

    Args:
        name: the name of the question. The entry is valid for no other.
        verification: what came of asking.
        good_at: when the provider last knew the key (``time.time()`` seconds); None if it never did.
        hold: how long the entry is valid (seconds).
    """
    fields = dataclasses.asdict(verification) | {"good_at": good_at, "written_at": time.time(), "hold": hold}
    return signing.dumps(fields, salt=_salt(name))


def read_entry(name: str, entry: object, ttl: float) -> tuple[Verification, float | None] | None:
    """Return what another process wrote, and when the provider last knew the key; None for anything else.

    Args:
        name: the name of the question.
        entry: what is in the cache. Others may have written it.
        ttl: how old an answer about the key may be for this process (seconds).
    """
    # Not a subclass, which may run code of its own.
    if type(entry) is not str or len(entry) > MAX_ENTRY_CHARACTERS:
        return None
    try:
        fields = signing.loads(entry, salt=_salt(name))
    except (signing.BadSignature, ValueError):
        return None
    return _rebuild(fields, ttl)


def _rebuild(fields: Any, ttl: float) -> tuple[Verification, float | None] | None:
    """Return the fields of an entry if each is of its type and the entry has not expired."""
    match fields:
        case {
            "verdict": str(verdict),
            "reason": str(reason),
            "host": str(host),
            "http_status": status,
            "good_at": good_at,
            "written_at": written_at,
            "hold": hold,
        }:
            is_known = verdict in set(Verdict) and len(reason) <= _MAX_TEXT and len(host) <= _MAX_TEXT
            has_status = status is None or (type(status) is int and 100 <= status <= 999)
            has_good_at = good_at is None or (_is_number(good_at) and 0 < good_at <= time.time() + _CLOCK_SKEW)
            if not (is_known and has_status and has_good_at and _is_number(written_at) and _is_number(hold)):
                return None
            # A pause that the provider has asked for may be longer than the ttl.
            limit = min(hold, ttl) if Verdict(verdict) in TELLS_OF_KEY else hold
            # An old entry that somebody writes again has expired.
            if not -_CLOCK_SKEW <= time.time() - written_at <= limit + _CLOCK_SKEW:
                return None
            is_empty = fields.get("is_empty") is True
            return Verification(Verdict(verdict), reason, host, status, is_empty=is_empty), good_at
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX_NUMBER


def _salt(name: str) -> str:
    return f"healthguard.providers.entries:{json.dumps(name)}"
