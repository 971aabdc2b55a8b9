"""Who may see details: whoever brings a token of DETAILS_TOKENS, and anybody with DEBUG."""

from __future__ import annotations

import hmac

from django.conf import settings as django_settings

from healthguard.conf import settings

_SCHEME = "bearer "


def bears_token(authorization: str) -> bool:
    """Whether an Authorization header holds one of the tokens.

    Every token is compared, each in constant time, so that the time it takes tells nothing of any.
    """
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return False
    given = authorization[len(_SCHEME) :].strip().encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(given, token.encode()) for token in settings.details_tokens]
    return any(matches)


def may_see_details(authorization: str) -> bool:
    """Whether the caller sees more than statuses."""
    return bool(django_settings.DEBUG) or bears_token(authorization)
