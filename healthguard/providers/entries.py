"""The entries of a shared cache. They are signed text, so that write access to the cache is not enough to forge one."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

from django.core import signing

from healthguard.providers.verdict import CONCLUSIVE, Verdict
from healthguard.providers.verification import MAX_RETRY_AFTER, Verification

MAX_ENTRY_CHARACTERS = 8192
"""The maximum length of an entry (characters)."""
_MAX_TEXT = 300
_CLOCK_SKEW = 60.0
"""The maximum difference between the clocks of a fleet's machines (seconds)."""
_MAX_NUMBER = 1e12


def write_entry(verification_id: str, verification: Verification, last_verified_at: float | None, ttl: float) -> str:
    """Return a verification as signed text.

    Args:
        verification_id: the ID of the verification. The entry is valid only for this ID.
        verification: the verification.
        last_verified_at: the time at which the provider last accepted the key (``time.time()`` seconds); None if it
            never did.
        ttl: the time for which the entry is valid (seconds).
    """
    fields = dataclasses.asdict(verification) | {
        "last_verified_at": last_verified_at,
        "written_at": time.time(),
        "hold": ttl,
    }
    return signing.dumps(fields, salt=_salt(verification_id))


def read_entry(verification_id: str, entry: object, ttl: float) -> tuple[Verification, float | None] | None:
    """Return the verification in an entry, and the time at which the provider last accepted the key.

    Return None if this project did not sign the entry, or if the entry has expired.

    Args:
        verification_id: the ID of the verification.
        entry: the value in the cache. It is not trusted, because other programs may have written it.
        ttl: the maximum age of a conclusive verification for this process (seconds).
    """
    # Subclasses of str are rejected, because their methods could run any code.
    if type(entry) is not str or len(entry) > MAX_ENTRY_CHARACTERS:
        return None
    try:
        fields = signing.loads(entry, salt=_salt(verification_id))
    except (signing.BadSignature, ValueError):
        return None
    return _parse_fields(fields, ttl)


def _parse_fields(fields: Any, ttl: float) -> tuple[Verification, float | None] | None:
    """Return the content of an entry if each field has the right type and the entry has not expired; else None."""
    match fields:
        case {
            "verdict": str(verdict),
            "reason": str(reason),
            "host": str(host),
            "http_status": status,
            "last_verified_at": last_verified_at,
            "written_at": written_at,
            "hold": entry_ttl,
        }:
            has_texts = verdict in set(Verdict) and len(reason) <= _MAX_TEXT and len(host) <= _MAX_TEXT
            has_status = status is None or (type(status) is int and 100 <= status <= 999)
            has_last_verified_at = last_verified_at is None or (
                _is_number(last_verified_at) and 0 < last_verified_at <= time.time() + _CLOCK_SKEW
            )
            # Versions before the message named the pause have not stored its beginning.
            retry_after, answered_at = fields.get("retry_after"), fields.get("answered_at")
            has_pause = (retry_after is None or (_is_number(retry_after) and 0 <= retry_after <= MAX_RETRY_AFTER)) and (
                answered_at is None or (_is_number(answered_at) and 0 < answered_at <= time.time() + _CLOCK_SKEW)
            )
            has_times = has_last_verified_at and has_pause and _is_number(written_at) and _is_number(entry_ttl)
            if not (has_texts and has_status and has_times):
                return None
            # A pause that the provider requested (Retry-After) may be longer than the ttl.
            max_age = min(entry_ttl, ttl) if Verdict(verdict) in CONCLUSIVE else entry_ttl
            # The age is signed, so an old entry that is written into the cache again stays expired.
            if not -_CLOCK_SKEW <= time.time() - written_at <= max_age + _CLOCK_SKEW:
                return None
            is_empty = fields.get("is_empty") is True
            verification = Verification(Verdict(verdict), reason, host, status, retry_after, is_empty, answered_at)
            return verification, last_verified_at
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX_NUMBER


def _salt(verification_id: str) -> str:
    return f"healthguard.providers.entries:{json.dumps(verification_id)}"
