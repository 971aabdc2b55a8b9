"""The heartbeat: a request after each good round, so that another service notices a monitor that has ended."""

from __future__ import annotations

import dataclasses
import enum

from healthguard.http_client import Target, TransportError, call_blocking

LIMIT = 10.0
"""The longest time that the request may take (seconds)."""
_REJECTED = 400


class HeartbeatStyle(enum.StrEnum):
    """The protocol of the service that receives the heartbeat."""

    PLAIN = "plain"
    """A request after each good round."""
    HEALTHCHECKS = "healthchecks"
    """Also a request of the path with ``/fail`` after each bad round, as https://healthchecks.io/docs/ describes it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Heartbeat:
    """The heartbeat.

    Args:
        url: the URL to request. It is a secret.
        style: the protocol of its service.

    Raises:
        ValueError: ``url`` is not an http or https URL. The error does not contain it.
    """

    url: str = dataclasses.field(repr=False)
    style: HeartbeatStyle = HeartbeatStyle.PLAIN

    def __post_init__(self) -> None:
        if Target.of(self.url).is_in_process:
            raise ValueError("not an http or https URL")

    def beat(self, *, is_good: bool) -> str:
        """Send what the round requires; return why it has failed, or an empty text.

        Args:
            is_good: True after a good round.
        """
        target = Target.of(self.url)
        if not is_good:
            if self.style is HeartbeatStyle.PLAIN:
                return ""
            path, separator, query = target.url.raw_path.partition(b"?")
            target = dataclasses.replace(
                target, url=target.url.copy_with(raw_path=path.rstrip(b"/") + b"/fail" + separator + query)
            )
        try:
            response = call_blocking("GET", target, {}, limit=LIMIT)
        except TransportError as error:
            return f"its receiver did not answer: {error.reason}"
        except Exception as error:
            # For example, the process cannot open another file, or start another thread.
            return f"the request could not be sent: {type(error).__name__}"
        return f"its receiver answered with HTTP status {response.status}" if response.status >= _REJECTED else ""
