"""The verdict that a provider's response allows about a key."""

from __future__ import annotations

import enum


class Verdict(enum.StrEnum):
    """The outcome of a verification.

    A key counts as rejected only if the response says so. Any other unexpected response is ``UNKNOWN``.
    """

    VALID = "valid"
    """The key is real and works."""
    RESTRICTED = "restricted"
    """The key is real, but it lacks the permission for the request, or may not be used from this address."""
    NO_FUNDS = "no_funds"
    """The key is real, but its account is out of credit or over a spending limit."""
    ACCEPTED = "accepted"
    """The server accepts the key, but a test with a random key did not show if it accepts any key."""
    UNPROVEN = "unproven"
    """The server responds to a random key in the same way, so the response does not prove that the key is real."""
    REJECTED = "rejected"
    """The key is unknown to the provider, or it has been revoked."""
    RATE_LIMITED = "rate_limited"
    """The provider received too many requests. The response contains no information about the key."""
    UNKNOWN = "unknown"
    """The provider, or a server in front of it, sent a response without information about the key."""
    NOT_ASKED = "not_asked"
    """No request was sent, because the base URL is not an http or https URL."""
    DOWN = "down"
    """The provider did not respond, or its response reports a failure of the provider."""


PROVEN = frozenset({Verdict.VALID, Verdict.RESTRICTED, Verdict.NO_FUNDS})
"""The verdicts which prove that the key is real."""
CONCLUSIVE = PROVEN | {Verdict.ACCEPTED, Verdict.UNPROVEN, Verdict.REJECTED}
"""The verdicts with information about the key, or about the way the server treats keys."""
