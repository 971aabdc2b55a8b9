"""Asking an endpoint as a check declares it, and what is wrong with its answer; nothing sent or received is told."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import TypeAlias

from healthguard import values
from healthguard.callables import value_of
from healthguard.calling.answer import MAX_BODY, Answer, NoAnswerError
from healthguard.calling.call import call
from healthguard.calling.document import parsed
from healthguard.calling.target import Target
from healthguard.deadline import wait_limit
from healthguard.declared import shown_name
from healthguard.exceptions import Unhealthy
from healthguard.listing import listed
from healthguard.status import Evidence, Fault

Headers: TypeAlias = "Mapping[str, str | Callable[[], str | Awaitable[str]]]"
"""Header values by name; a callable is called when the call is made, and may ask a database."""

_MAX_SPELLED_OUT = 3
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE = re.compile(r"([\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?)?")
_SCHEME = re.compile(r"^(basic|bearer|token)( |$)", re.IGNORECASE)
# The library sets them, from what is sent.
_FRAMING = frozenset({"content-length", "transfer-encoding"})


class Asked:
    """One call, and what it is judged by.

    Args:
        method: the HTTP method.
        url: the path or URL, which has been found to be one.
        seconds: how long it may take where no deadline is set.
    """

    def __init__(self, method: str, url: str, seconds: float) -> None:
        self._target = Target.of(url)
        self._seconds = seconds
        self._method = method
        self.name = f"{method} {self._target.shown}"
        self.evidence: dict[str, Evidence] = {"endpoint": self.name}

    @property
    def is_inside(self) -> bool:
        """Whether it is this project's own."""
        return self._target.is_inside

    async def answer(self, headers: Headers | None, body: object, statuses: Collection[int]) -> Answer:
        """The answer, with one of ``statuses``.

        Raises:
            Unhealthy: there is none, or one with another status.
        """
        content = None if body is None else json.dumps(body).encode()
        sent = {name: await self._header(name, value) for name, value in (headers or {}).items()}
        try:
            answer = await call(self._method, self._target, sent, content, limit=wait_limit(self._seconds))
        except NoAnswerError as error:
            raise self._unanswered(error) from None
        self.evidence["http_status"] = answer.status
        if answer.status not in statuses:
            raise self._status(answer, statuses)
        return answer

    def document(self, answer: Answer) -> object:
        """The JSON of an answer.

        Raises:
            Unhealthy: it is none.
        """
        what = f"more than {MAX_BODY} bytes, which are not read as JSON"
        if answer.content is not None:
            try:
                return parsed(answer.content)
            except ValueError:
                what = "what is not JSON"
        raise Unhealthy(
            "endpoint_not_json",
            f"{self.name} answers {what}.",
            fault=Fault.CONFIG,
            hint="Look whether this is the right address, and whether a proxy or a login page answers in its place.",
            evidence=self.evidence,
        )

    def mismatch(self, kinds: Mapping[str, str]) -> Unhealthy:
        """What tells, by JSON path, what kind of thing is in the place of what is expected."""
        found = "; ".join(f"{path} is {kind}" for path, kind in kinds.items())
        return Unhealthy(
            "endpoint_mismatch",
            f"{self.name} does not answer as it must: {found}.",
            fault=Fault.CONFIG,
            hint="Compare its answer with what is expected; the values are not shown here, for they may be secrets.",
            evidence={**self.evidence, "mismatches": dict(kinds)},
        )

    async def _header(self, name: str, value: str | Callable[[], object]) -> str:
        text: object = value
        limit = wait_limit(self._seconds)
        try:
            if callable(value):
                async with asyncio.timeout(limit) as bound:
                    text = await value_of(value)
        except Exception as error:
            if isinstance(error, TimeoutError) and bound.expired():
                raise self._no_header(name, f"cannot be had in {limit:.1f} s") from None
            raise self._no_header(name, f"cannot be had ({type(error).__name__})") from None
        if not isinstance(text, str):
            raise self._no_header(name, "is no text")
        if not _HEADER_VALUE.fullmatch(text):
            raise self._no_header(name, "cannot be sent: it holds a line break, space around it or what is not ASCII")
        if (flaw := _secret_flaw(name, text)) is not None:
            raise self._no_header(name, flaw)
        return text

    def _no_header(self, name: str, what: str) -> Unhealthy:
        return Unhealthy(
            "endpoint_header",
            f"The header {shown_name(name)} for {self.name} {what}.",
            fault=Fault.CONFIG,
            hint="Look at what the declaration takes it from: is that mounted into this container, and whole?",
            evidence=self.evidence,
        )

    def _unanswered(self, error: NoAnswerError) -> Unhealthy:
        evidence: dict[str, Evidence] = {**self.evidence, "reason": error.reason}
        if error.is_late:
            return Unhealthy(
                "endpoint_timeout",
                f"{self.name} gives {error.reason}.",
                fault=Fault.OUTAGE,
                hint="See what it waits for; if it is just slow, give its Service a longer timeout.",
                evidence=evidence,
            )
        return Unhealthy(
            "endpoint_unreachable",
            f"{self.name} cannot be reached ({error.reason}).",
            fault=Fault.OUTAGE,
            hint="Look whether it runs, and whether this pod may reach it (DNS, egress, proxy, certificates).",
            evidence=evidence,
        )

    def _status(self, answer: Answer, statuses: Collection[int]) -> Unhealthy:
        is_outage = answer.status >= 500 or answer.status == 429
        names = [str(int(status)) for status in sorted(statuses)]
        right = " or ".join(names) if len(names) <= _MAX_SPELLED_OUT else f"one of {listed(names)}"
        raised = f" (the application raised {answer.raised})" if answer.raised else ""
        return Unhealthy(
            "endpoint_status",
            f"{self.name} answers HTTP {answer.status}, not {right}{raised}.",
            fault=Fault.OUTAGE if is_outage else Fault.CONFIG,
            hint=_status_hint(answer.status),
            evidence=self.evidence,
        )


def _secret_flaw(name: str, value: str) -> str | None:
    """Return what is wrong with the value of a header that carries a secret; None for any other header."""
    if name.lower() != "authorization" and not values.names_a_secret(name.replace("-", "_")):
        return None
    secret = _SCHEME.sub("", value)
    if not secret:
        return values.EMPTY.what
    flaw = values.corruption(secret) or values.blank(secret)
    return None if flaw is None else flaw.what


def _status_hint(status: int) -> str:
    if status >= 500:
        return "Look into the log of what answers there: this is its own trouble, or that of something it needs."
    if status == 429:
        return "It limits the rate: if it stays, ask less often, with a longer ttl of the Service."
    if status >= 400:
        return (
            "Look at the declaration: the address, the method, and what the headers are taken from; 403 may be CSRF, "
            "400 a Host that ALLOWED_HOSTS does not have."
        )
    if status >= 300:
        return (
            "Declare the address that it leads to, for redirects are not followed; or send what it wants first, like a "
            "login or a Host header."
        )
    return "Compare expect_status in the declaration with what it does."


def flaws(url: object, headers: object) -> Iterator[str]:
    """What is wrong with a declared address and declared headers, as sentences; no callable is called.

    What cannot be meant is not shown: who knows what it is.
    """
    has_user = False
    try:
        has_user = bool(Target.of(url).url.userinfo)
    except ValueError:
        yield "It takes a path like '/api/v1/things', or an http or https URL."
    if headers is not None:
        yield from header_flaws(headers)
    if has_user and isinstance(headers, Mapping) and any(str(name).lower() == "authorization" for name in headers):
        yield "The URL has a user, who is sent in the header Authorization, and headers has that too."


def header_flaws(headers: object) -> Iterator[str]:
    """What is wrong with declared headers, as sentences; no callable is called."""
    if not isinstance(headers, Mapping):
        yield "headers is a dict: a value, or a callable that gives it, by name."
        return
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            yield "headers has a name that no header can have."
        elif name.lower() in _FRAMING:
            yield f"The header {shown_name(name)} follows from what is sent."
        elif not callable(value) and (not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value)):
            yield f"The header {shown_name(name)} has no value that can be sent."
