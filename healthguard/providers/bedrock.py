"""Amazon Bedrock's short keys, which hold the URL that they stand for, and so tell when they expire."""

from __future__ import annotations

import base64
import binascii
import datetime
from urllib.parse import parse_qs, urlsplit

_PREFIX = "bedrock-api-key-"


def expires_at(key: str) -> datetime.datetime | None:
    """When ``key`` expires (UTC); None for a long-lived one, and for one that cannot be read.

    https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-how.html: a presigned URL without its scheme.
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
