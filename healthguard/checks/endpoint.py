"""An HTTP endpoint answers as it must: the project's own, called in this process, or another over the network."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeAlias

from health_check.base import HealthCheck

from healthguard.calling import MAX_BODY, Answer, NoAnswerError, Target, call
from healthguard.deadline import wait_limit
from healthguard.exceptions import Unhealthy
from healthguard.status import Evidence, Fault, Problem

Headers: TypeAlias = "Mapping[str, str | Callable[[], str]]"

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE = re.compile(r"([\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?)?")
# The library sets them, from what is sent.
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_JSON_PATH = re.compile(r"\$|(\$\.)?[^.\s]+(\.[^.\s]+)*")


class _Endpoint(HealthCheck):
    """What is shown of a check that calls ``url``: a URL may hold a password, and a token in its query."""

    url: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r})"

    @property
    def labels(self) -> dict[str, str]:
        """What django-health-check's metrics tell it by."""
        return {"check": type(self).__name__, "url": self._shown}

    @property
    def _shown(self) -> str:
        try:
            return Target.of(self.url).shown
        except ValueError:
            return "?"


@dataclasses.dataclass(repr=False)
class HTTPEndpoint(_Endpoint):
    """An HTTP endpoint answers with the status, and the JSON, that it must.

    A path is a path of this project: its application is called in this process, with all of its middleware, and
    without a socket. A URL is called over the network. Redirects are not followed.

    Args:
        url: a path like ``"/api/v1/things"``, or an http or https URL. User and password in it are sent as basic auth.
        method: the HTTP method.
        headers: what to send. A value may be a callable, which is called for each run.
        json: what to send as the body, in JSON; None to send none.
        expect_status: the status that is right, or several.
        expect: regular expressions for the whole of the values in the JSON answer, by their paths: names and positions
            with dots between, like ``"items.0.name"``.
    """

    url: str = dataclasses.field(repr=False)
    method: str = "GET"
    headers: Headers | None = dataclasses.field(default=None, repr=False)
    json: Any = dataclasses.field(default=None, repr=False)
    expect_status: int | Collection[int] = 200
    expect: Mapping[str, str] | None = dataclasses.field(default=None, repr=False)

    async def run(self) -> Mapping[str, Evidence]:
        """Call it, and judge the answer; returns facts about it.

        Raises:
            Unhealthy: there is no answer, or another than expected.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        asked = _Asked(self.method, self.url, self.timeout.total_seconds())
        answer = await asked.answer(self.headers, self.json, _statuses(self.expect_status))
        if self.expect:
            asked.judge(asked.parsed(answer), self.expect)
        return asked.evidence

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself. No header's value is asked for."""
        yield from _misdeclared_call(self)
        if self.method not in _METHODS:
            yield _misdeclared(self, f"method is none of {', '.join(_METHODS)}.")
        try:
            json.dumps(self.json, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            yield _misdeclared(self, "what json holds cannot be written as JSON.")
        statuses = _statuses(self.expect_status)
        if not statuses or not all(type(status) is int and 100 <= status <= 599 for status in statuses):
            yield _misdeclared(self, "expect_status is an HTTP status, or a list of them.")
        yield from self._misdeclared_expect()

    def _misdeclared_expect(self) -> Iterator[Problem]:
        if self.expect is None:
            return
        if not isinstance(self.expect, Mapping):
            yield _misdeclared(self, "expect is a dict: a regular expression by JSON path.")
            return
        for path, pattern in self.expect.items():
            if not isinstance(path, str) or not _JSON_PATH.fullmatch(path):
                yield _misdeclared(self, "a path in expect is not like 'items.0.name'.")
                continue
            try:
                re.compile(pattern)
            except (re.error, TypeError, RecursionError, OverflowError):
                yield _misdeclared(self, f"what is expected at {path} is not a regular expression.")


class _Asked:
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
        sent = {name: self._header(name, value) for name, value in (headers or {}).items()}
        try:
            answer = await call(self._method, self._target, sent, content, limit=wait_limit(self._seconds))
        except NoAnswerError as error:
            raise self._unanswered(error) from None
        self.evidence["http_status"] = answer.status
        if answer.status not in statuses:
            raise self._status(answer, statuses)
        return answer

    def parsed(self, answer: Answer) -> object:
        """The JSON of an answer.

        Raises:
            Unhealthy: it is none.
        """
        try:
            if answer.content is not None:
                return json.loads(answer.content, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
            what = f"more than {MAX_BODY} bytes, which are not read as JSON"
        except (ValueError, RecursionError):
            what = "what is not JSON"
        raise Unhealthy(
            "endpoint_not_json",
            f"{self.name} answers {what}.",
            fault=Fault.CONFIG,
            hint="Look whether this is the right address, and whether a proxy or a login page answers in its place.",
            evidence=self.evidence,
        ) from None

    def judge(self, document: object, expect: Mapping[str, str]) -> None:
        """Compare a document with what is expected in it.

        Raises:
            Unhealthy: something in it is not as it must be.
        """
        kinds = {path: kind for path, pattern in expect.items() if (kind := _mismatch(document, path, pattern))}
        if kinds:
            raise self.mismatch(kinds)

    def mismatch(self, kinds: Mapping[str, str]) -> Unhealthy:
        """What tells, by JSON path, what kind of thing is in the place of what is expected."""
        found = "; ".join(f"{path} is {kind}" for path, kind in kinds.items())
        return Unhealthy(
            "endpoint_mismatch",
            f"{self.name} does not answer as declared: {found}.",
            fault=Fault.CONFIG,
            hint="Compare its answer with the declaration; the values are not shown here, for they may be secrets.",
            evidence={**self.evidence, "mismatches": dict(kinds)},
        )

    def _header(self, name: str, value: str | Callable[[], str]) -> str:
        try:
            text: object = value() if callable(value) else value
        except Exception as error:
            raise self._no_header(name, f"cannot be had ({type(error).__name__})") from None
        if not isinstance(text, str):
            raise self._no_header(name, "is no text")
        if not _HEADER_VALUE.fullmatch(text):
            raise self._no_header(name, "cannot be sent: it holds a line break, space around it or what is not ASCII")
        return text

    def _no_header(self, name: str, what: str) -> Unhealthy:
        return Unhealthy(
            "endpoint_header",
            f"The header {name} for {self.name} {what}.",
            fault=Fault.CONFIG,
            hint="Look at what the declaration takes it from: is that variable mounted into this container, and whole?",
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
        right = " or ".join(map(str, sorted(statuses)))
        raised = f" (the application raised {answer.raised})" if answer.raised else ""
        return Unhealthy(
            "endpoint_status",
            f"{self.name} answers HTTP {answer.status}, not {right}{raised}.",
            fault=Fault.OUTAGE if is_outage else Fault.CONFIG,
            hint=_status_hint(answer.status),
            evidence=self.evidence,
        )


class _Number(str):
    """A number of a JSON document, as it is written there."""

    __slots__ = ()


def _mismatch(document: object, path: str, pattern: str) -> str | None:
    """What kind of thing stands at ``path`` instead of what is expected; None where it fits."""
    found = document
    for name in [] if path == "$" else path.removeprefix("$.").split("."):
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return "missing"
    if found is None:
        return "null"
    if isinstance(found, dict | list):
        return "an object" if isinstance(found, dict) else "a list"
    if re.fullmatch(pattern, found if isinstance(found, str) else json.dumps(found)):
        return None
    kind = "a truth value" if isinstance(found, bool) else "a number" if isinstance(found, _Number) else "a text"
    return f"{kind} of another form"


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
        return "Declare the address that it redirects to: redirects are not followed."
    return "Compare expect_status in the declaration with what it does."


def _statuses(declared: object) -> Collection[Any]:
    if isinstance(declared, Collection) and not isinstance(declared, str | bytes | Mapping):
        return declared
    return (declared,)


def _misdeclared_call(check: Any) -> Iterator[Problem]:
    """What is wrong with the address and the headers of ``check``."""
    try:
        Target.of(check.url)
    except ValueError:
        # It is not shown: who knows what it is.
        yield _misdeclared(check, "it takes a path like '/api/v1/things', or an http or https URL.")
    if check.headers is None:
        return
    if not isinstance(check.headers, Mapping):
        yield _misdeclared(check, "headers is a dict: a value, or a callable that gives it, by name.")
        return
    for name, value in check.headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            yield _misdeclared(check, "headers has a name that no header can have.")
        elif name.lower() in _FRAMING:
            yield _misdeclared(check, f"the header {name} follows from what is sent.")
        elif not callable(value) and (not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value)):
            yield _misdeclared(check, f"the header {name} has no value that can be sent.")


def _misdeclared(check: HealthCheck, message: str) -> Problem:
    return Problem("misdeclared", Fault.CONFIG, f"{check!r}: {message}", "Mend it in the HEALTHGUARD setting.")
