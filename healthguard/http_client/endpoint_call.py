"""A call to an endpoint as a check declares it, and the problems of its response.

No problem shows a value that was sent or received.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import TypeAlias

from healthguard.exceptions import Unhealthy
from healthguard.http_client.call import call
from healthguard.http_client.document import parse_json
from healthguard.http_client.response import MAX_BODY, EndpointResponse, TransportError
from healthguard.http_client.target import Target
from healthguard.runtime.callables import resolve_value
from healthguard.runtime.deadline import wait_limit
from healthguard.runtime.lists import truncated_list
from healthguard.secret_values import embedded, values, variable_names
from healthguard.secret_values.showable import shown_name
from healthguard.status import Code, Evidence, Fault

Headers: TypeAlias = "Mapping[str, str | Callable[[], str | Awaitable[str]]]"
"""Header values by name. A callable is called for each request and may query a database."""

_MAX_SPELLED_OUT = 3
_REJECTED = 400
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE = re.compile(r"([\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?)?")
_SCHEME = re.compile(r"^(basic|bearer|token)( |$)", re.IGNORECASE)
# The HTTP library sets these headers from the request body.
_FRAMING = frozenset({"content-length", "transfer-encoding"})


class EndpointCall:
    """One call to an endpoint, with the name and the evidence that its problems share.

    Args:
        method: the HTTP method.
        url: the path or URL, which must be valid.
        seconds: the time limit if no deadline is set (seconds).
    """

    def __init__(self, method: str, url: str, seconds: float) -> None:
        self._target = Target.of(url)
        self._url = str(url)
        self._seconds = seconds
        self._method = method
        self.name = f"{method} {self._target.shown}"
        self.evidence: dict[str, Evidence] = {"endpoint": self.name}

    @property
    def is_in_process(self) -> bool:
        """True if the endpoint belongs to this project, which is called in this process."""
        return self._target.is_in_process

    async def send(self, headers: Headers | None, body: object, statuses: Collection[int]) -> EndpointResponse:
        """Send the request and return the response, which has one of ``statuses``.

        Raises:
            Unhealthy: a header or a secret has no usable value, no response arrives, or its status is not one of
                ``statuses``.
        """
        # A request that must be rejected may have any password.
        if any(status < _REJECTED for status in statuses):
            self._refuse_flawed_secrets(body)
        content = None if body is None else json.dumps(body).encode()
        header_values = {name: await self._header(name, value) for name, value in (headers or {}).items()}
        try:
            response = await call(self._method, self._target, header_values, content, limit=wait_limit(self._seconds))
        except TransportError as error:
            raise self._transport_problem(error) from None
        return self.accepted(response, statuses)

    def accepted(self, response: EndpointResponse, statuses: Collection[int]) -> EndpointResponse:
        """Return the response, which has one of ``statuses``.

        Raises:
            Unhealthy: it has another status.
        """
        self.evidence["http_status"] = response.status
        if response.status not in statuses:
            raise self._status_problem(response, statuses)
        return response

    def document(self, response: EndpointResponse) -> object:
        """Return the JSON document in a response.

        Raises:
            Unhealthy: the body is not JSON, or is longer than MAX_BODY.
        """
        description = f"a body of more than {MAX_BODY} bytes, which is too long to be read as JSON"
        if response.content is not None:
            try:
                return parse_json(response.content)
            except ValueError:
                description = "a body that is not JSON"
        raise Unhealthy(
            Code.ENDPOINT_NOT_JSON,
            f"{self.name} returned {description}.",
            fault=Fault.CONFIG,
            hint="Check that this is the right address, and that no proxy or login page responds instead of it.",
            evidence=self.evidence,
        )

    def mismatch(self, kinds: Mapping[str, str]) -> Unhealthy:
        """Return the problem of a document with unexpected values: their JSON paths and their types in words."""
        mismatches = "; ".join(f"{path} is {kind}" for path, kind in kinds.items())
        return Unhealthy(
            Code.ENDPOINT_MISMATCH,
            f"{self.name} did not return the expected JSON: {mismatches}.",
            fault=Fault.CONFIG,
            hint="Compare the response with what the check expects. The values are not shown because they may be "
            "secrets.",
            evidence={**self.evidence, "mismatches": dict(kinds)},
        )

    async def _header(self, name: str, value: str | Callable[[], object]) -> str:
        text: object = value
        limit = wait_limit(self._seconds)
        try:
            if callable(value):
                async with asyncio.timeout(limit) as bound:
                    text = await resolve_value(value)
        except Exception as error:
            if isinstance(error, TimeoutError) and bound.expired():
                raise self._header_problem(name, f"could not be obtained within {limit:.1f} s") from None
            raise self._header_problem(name, f"could not be obtained ({type(error).__name__})") from None
        if not isinstance(text, str):
            raise self._header_problem(name, "is not a string")
        if not _HEADER_VALUE.fullmatch(text):
            raise self._header_problem(
                name,
                "cannot be sent: it contains a line break, leading or trailing whitespace, or a character that is not "
                "printable ASCII",
            )
        if (flaw := _secret_flaw(name, text)) is not None:
            raise self._header_problem(name, flaw)
        return text

    def _refuse_flawed_secrets(self, body: object) -> None:
        """Raise an error if a secret in the URL or in the body is unusable: the endpoint may ignore it.

        Raises:
            Unhealthy: one is.
        """
        for part, flaw in (("url", embedded.url_flaw(self._url)), ("json", embedded.json_flaw(body))):
            if flaw is not None:
                raise Unhealthy(
                    Code.ENDPOINT_SECRET,
                    f"The declared {part} for {self.name} {flaw.what}.",
                    fault=Fault.CONFIG,
                    hint=f"Check where the declaration takes the value from. {flaw.remedy}",
                    evidence=self.evidence,
                )

    def _header_problem(self, name: str, description: str) -> Unhealthy:
        return Unhealthy(
            Code.ENDPOINT_HEADER,
            f"The value of header {shown_name(name)} for {self.name} {description}.",
            fault=Fault.CONFIG,
            hint="Check where the declaration takes the value from, and that it is mounted into this container, "
            "complete and unchanged.",
            evidence=self.evidence,
        )

    def _transport_problem(self, error: TransportError) -> Unhealthy:
        evidence: dict[str, Evidence] = {**self.evidence, "reason": error.reason}
        if error.is_late:
            return Unhealthy(
                Code.ENDPOINT_TIMEOUT,
                f"{self.name} timed out: {error.reason}.",
                fault=Fault.OUTAGE,
                hint="Check what the endpoint is waiting for. If it is only slow, give its Service a longer timeout.",
                evidence=evidence,
            )
        return Unhealthy(
            Code.ENDPOINT_UNREACHABLE,
            f"{self.name} cannot be reached ({error.reason}).",
            fault=Fault.OUTAGE,
            hint="Check that the endpoint is running, and that this pod can reach it (DNS, egress, proxy, "
            "certificates).",
            evidence=evidence,
        )

    def _status_problem(self, response: EndpointResponse, statuses: Collection[int]) -> Unhealthy:
        is_outage = response.status >= 500 or response.status == 429
        names = [str(int(status)) for status in sorted(statuses)]
        expected = " or ".join(names) if len(names) <= _MAX_SPELLED_OUT else f"one of {truncated_list(names)}"
        raised = f" (the application raised {response.raised})" if response.raised else ""
        return Unhealthy(
            Code.ENDPOINT_STATUS,
            f"{self.name} returned HTTP {response.status}, not {expected}{raised}.",
            fault=Fault.OUTAGE if is_outage else Fault.CONFIG,
            hint=_status_hint(response.status),
            evidence=self.evidence,
        )


def _secret_flaw(name: str, value: str) -> str | None:
    """Return the flaw of a header value that carries a secret, as a clause; None if it has none or is not a secret."""
    if name.lower() != "authorization" and not variable_names.names_a_secret(name.replace("-", "_")):
        return None
    secret = _SCHEME.sub("", value)
    if not secret:
        return values.EMPTY.what
    flaw = values.corruption(secret) or values.blank(secret)
    return None if flaw is None else flaw.what


def _status_hint(status: int) -> str:
    if status >= 500:
        return "Check the logs of the endpoint's application: it failed, or one of its dependencies did."
    if status == 429:
        return "Set a longer ttl on the Service if this persists, so that fewer requests reach the rate limit."
    if status >= 400:
        return (
            "Check the declaration: the address, the method, and the sources of the header values. A 403 may come from "
            "Django's CSRF protection, a 400 from a Host header that ALLOWED_HOSTS rejects."
        )
    if status >= 300:
        return (
            "Declare the address that the redirect leads to, because redirects are not followed. Or send what the "
            "endpoint requires before it responds, such as a login or a Host header."
        )
    return "Compare expect_status in the declaration with the status that the endpoint is meant to return."


def url_errors(url: object, headers: object) -> Iterator[str]:
    """Yield the errors of a declared URL and of the headers declared with it, as sentences.

    No callable is called. Invalid values are not shown because they may be secrets.
    """
    has_user = False
    try:
        has_user = bool(Target.of(url).url.userinfo)
    except ValueError:
        yield "url must be a path like '/api/v1/things', or an http or https URL."
    if headers is not None:
        yield from header_errors(headers)
    if has_user and isinstance(headers, Mapping) and any(str(name).lower() == "authorization" for name in headers):
        yield "The user in url is sent as the header Authorization, which headers declares as well."


def header_errors(headers: object) -> Iterator[str]:
    """Yield the errors of declared headers, as sentences; no callable is called."""
    if not isinstance(headers, Mapping):
        yield "headers must be a dict of names and values; a value may be a callable that returns it."
        return
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            yield "headers contains an invalid header name."
        elif name.lower() in _FRAMING:
            yield f"The header {shown_name(name)} cannot be declared because it is derived from the request body."
        elif not callable(value) and (not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value)):
            yield (
                f"The value of header {shown_name(name)} must be a string of printable ASCII without leading or "
                "trailing whitespace."
            )
