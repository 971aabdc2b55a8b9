"""The expiry of Amazon Bedrock's short-term keys, which is part of the key."""

from __future__ import annotations

import base64
import binascii
import datetime
from urllib.parse import parse_qs, urlsplit

_PREFIX = "bedrock-api-key-"


def expires_at(key: str) -> datetime.datetime | None:
    """Return the time at which ``key`` expires (UTC); None for a long-term key, and for a key that cannot be decoded.

    A short-term key contains a presigned URL without its scheme:
    https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-how.html
    """
    if not key.startswith(_PREFIX):
        return None
    try:
        url = base64.b64decode(key.removeprefix(_PREFIX), validate=True).decode("ascii")
        query = parse_qs(urlsplit(f"https://{url}").query)
        signed = datetime.datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        return signed + datetime.timedelta(seconds=int(query["X-Amz-Expires"][0]))
    except (binascii.Error, ValueError, KeyError, OverflowError):
        return None
