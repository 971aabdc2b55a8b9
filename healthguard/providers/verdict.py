"""What a provider's answer says of a key."""

from __future__ import annotations

import enum


class Verdict(enum.StrEnum):
    """What is not explicitly known to be bad is unknown, not bad."""

    REAL = "real"
    RESTRICTED = "restricted"
    """Real, but it may not do what was asked, or not from here."""
    NO_FUNDS = "no_funds"
    """Real, but out of credit or over a spending limit."""
    ACCEPTED = "accepted"
    """The server takes the key. Whether it takes any other could not be found out."""
    UNPROVEN = "unproven"
    """The server gives a random key the same answer: nothing shows the key to be real."""
    REJECTED = "rejected"
    """The provider does not know the key, or has revoked it."""
    RATE_LIMITED = "rate_limited"
    """The provider answers too many requests: it says nothing of the key."""
    UNKNOWN = "unknown"
    """The provider, or something before it, answered what tells nothing of the key."""
    NOT_ASKED = "not_asked"
    """There is no way to ask: the base URL is not a URL."""
    DOWN = "down"
    """No answer, or one that says that the provider is in trouble."""


KNOWS_KEY = frozenset({Verdict.REAL, Verdict.RESTRICTED, Verdict.NO_FUNDS})
"""The verdicts that show that the provider knows the key."""
TELLS_OF_KEY = KNOWS_KEY | {Verdict.ACCEPTED, Verdict.UNPROVEN, Verdict.REJECTED}
"""The verdicts that say something of the key, or of the server's answer to it."""
