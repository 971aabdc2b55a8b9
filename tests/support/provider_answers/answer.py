"""A response of a provider, and the verdict that it means."""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
from typing import Any

from healthguard.providers import Verdict


@dataclasses.dataclass(frozen=True)
class Answer:
    """One response of a provider.

    Args:
        verdict: the verdict that the response means.
        status: the HTTP status.
        body: the JSON, or the bytes.
        name: the part of the label that distinguishes the provider's responses with the same status.
        headers: the headers in addition to the content type.
        requests: the number of requests after which the verdict counts.
    """

    verdict: Verdict
    status: int
    body: Any
    name: str = ""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    requests: int = 1

    @property
    def label(self) -> str:
        """The part of a test's ID that stands for this response."""
        return f"{self.status}{'-' * bool(self.name)}{self.name}"


def in_a_minute() -> str:
    """Return the time in one minute, as an HTTP date."""
    return email.utils.format_datetime(
        datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60), usegmt=True
    )
