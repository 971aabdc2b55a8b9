"""Access to details: callers with a token of DETAILS_TOKENS have it, and every caller if DEBUG is on."""

from __future__ import annotations

import hmac

from django.conf import settings as django_settings

from healthguard.conf import settings

_SCHEME = "bearer "


def bears_token(authorization: str) -> bool:
    """Return True if an Authorization header contains one of the tokens.

    All tokens are compared, each in constant time, so that the duration does not reveal anything about them.
    """
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return False
    sent_token = authorization[len(_SCHEME) :].strip().encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(sent_token, token.encode()) for token in settings.details_tokens]
    return any(matches)


def may_see_details(authorization: str) -> bool:
    """Return True if the caller may see more than statuses."""
    return bool(django_settings.DEBUG) or bears_token(authorization)
