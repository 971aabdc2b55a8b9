"""An HTTP endpoint answers as it must: the project's own, called in this process, or another over the network."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from health_check.base import HealthCheck

from healthguard.calling import Asked, Headers, Target, flaws
from healthguard.calling.document import MISSING, at, is_path, kind, mismatch
from healthguard.deadline import wait_limit
from healthguard.declared import shown_name
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.patterns import is_pattern
from healthguard.providers import PROVIDERS, Provider, provider_flaws
from healthguard.providers.vended import Vended
from healthguard.status import Evidence, Problem

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


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

    def _misdeclared(self, message: str, *hint: str) -> Problem:
        return Problem.misdeclared(f"{self!r}: {message}", *hint)


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
            with dots between, like ``"items.0.name"``; ``"$"`` for the whole answer. A dot in one fits a line break.
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
        asked = Asked(self.method, self.url, self.timeout.total_seconds())
        answer = await asked.answer(self.headers, self.json, _statuses(self.expect_status))
        if self.expect:
            document = asked.document(answer)
            found = {shown_name(path): mismatch(at(document, path), pattern) for path, pattern in self.expect.items()}
            if wrong := {path: what for path, what in found.items() if what is not None}:
                raise asked.mismatch(wrong)
        return asked.evidence

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself. No header's value is asked for."""
        for flaw in flaws(self.url, self.headers):
            yield self._misdeclared(flaw)
        if self.method not in _METHODS:
            yield self._misdeclared(f"method is none of {', '.join(_METHODS)}.")
        try:
            json.dumps(self.json, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            yield self._misdeclared("What json holds cannot be written as JSON.")
        statuses = _statuses(self.expect_status)
        if not statuses or not all(map(_is_status, statuses)):
            yield self._misdeclared("expect_status is an HTTP status, or a list of them.")
        if self.expect and self.method == "HEAD":
            yield self._misdeclared("An answer to HEAD has no body in which to find what is expected.")
        if self.expect is not None and not isinstance(self.expect, Mapping):
            yield self._misdeclared("expect is a dict: a regular expression by JSON path.")
        else:
            yield from self._misdeclared_expect(self.expect or {})

    def _misdeclared_expect(self, expect: Mapping[str, str]) -> Iterator[Problem]:
        for path, pattern in expect.items():
            if not is_path(path):
                hint = "It takes names and positions, with dots between, and no brackets."
                yield self._misdeclared("A path in expect is not like 'items.0.name'.", hint)
                continue
            if not is_pattern(pattern):
                yield self._misdeclared(f"What is expected at {shown_name(path)} is not a regular expression.")


def _is_status(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and 100 <= given <= 599


def _statuses(declared: object) -> Collection[Any]:
    if isinstance(declared, Collection) and not isinstance(declared, str | bytes | Mapping):
        return declared
    return (declared,)


@dataclasses.dataclass(repr=False)
class CredentialExchange(_Endpoint):
    """What vends the keys of AI providers vends real ones: whole, no mocks, the right provider's, not expired.

    It is asked as a customer asks: ``{"providers": ["anthropic"], "ttl_minutes": 60}`` in a POST, to be answered with
    200 or 201 and ``{"credentials": {"anthropic": {"api_key": "…", "expires_at": "…"}}}``. ``expires_at`` is ISO 8601
    and may be absent; where it names no time zone it is UTC, or TIME_ZONE in a project of yours with USE_TZ=False.
    ``{"anthropic": "…"}``, a key alone, will do too.

    Args:
        url: its path in this project, which is called in this process; or its URL.
        providers: the providers to ask it for, by name; or a Provider of your own.
        headers: what to send, like a customer's key. A value may be a callable, which is called for each run.
        ttl_minutes: for how long the credentials are asked for (minutes).
        verify: whether to ask the providers about the keys, too.
    """

    url: str = dataclasses.field(repr=False)
    providers: Sequence[str | Provider] = dataclasses.field(repr=False)
    headers: Headers | None = dataclasses.field(default=None, repr=False)
    ttl_minutes: int = dataclasses.field(default=60, repr=False)
    verify: bool = False

    ttl = 60.0
    """How long a service holds the answer if it does not say otherwise (seconds): an exchange is no mere look."""

    async def run(self) -> Mapping[str, Evidence]:
        """Exchange, and judge what is vended; returns facts about it.

        Raises:
            Unhealthy: there is no answer as described; or a key, or its time, is none that can be used.
            Degraded: a key is of an unusual form; or its provider restricts it, or does not tell.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        providers = [PROVIDERS[given] if isinstance(given, str) else given for given in self.providers]
        asked = Asked("POST", self.url, self.timeout.total_seconds())
        names = [provider.name for provider in providers]
        wanted = {"providers": names, "ttl_minutes": self.ttl_minutes}
        document = asked.document(await asked.answer(self.headers, wanted, [200, 201]))
        credentials = at(document, "credentials")
        if not isinstance(credentials, dict):
            raise asked.mismatch({"credentials": kind(credentials)})
        vended = [Vended(asked, provider, credentials.get(provider.name, MISSING)) for provider in providers]
        limit = wait_limit(self.timeout.total_seconds()) if self.verify else None
        judged = await asyncio.gather(*(one.judged(limit) for one in vended))
        problems = {one.name: problem for one, problem in zip(vended, judged, strict=True) if problem is not None}
        if problems:
            raise _worst(problems)
        return {**asked.evidence, "vended": names}

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself. No header's value is asked for."""
        for flaw in flaws(self.url, self.headers):
            yield self._misdeclared(flaw)
        if isinstance(self.providers, str) or not isinstance(self.providers, Sequence) or not self.providers:
            yield self._misdeclared("providers is a list of names of AI providers, at least one.")
        else:
            for given in self.providers:
                for told in provider_flaws(given, "A name in providers is none of an AI provider."):
                    yield self._misdeclared(*told)
        if not isinstance(self.verify, bool):
            yield self._misdeclared("verify is True or False.")
        minutes = self.ttl_minutes
        if isinstance(minutes, bool) or not isinstance(minutes, int) or minutes <= 0:
            yield self._misdeclared("ttl_minutes is a whole number of minutes.")


def _worst(problems: Mapping[str, Unhealthy | Degraded]) -> Unhealthy | Degraded:
    """The first that takes the service out, or the first; it names the others."""
    worst = next((problem for problem in problems.values() if isinstance(problem, Unhealthy)), None)
    worst = worst or next(iter(problems.values()))
    if len(problems) > 1:
        codes = {name: problem.problem.code for name, problem in problems.items()}
        told = dataclasses.replace(worst.problem, evidence={**worst.problem.evidence, "problems": codes})
        return type(worst).of(told)
    return worst
