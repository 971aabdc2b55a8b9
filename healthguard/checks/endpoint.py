"""Checks of HTTP endpoints: the project's own, called in this process, and others over the network."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from healthguard.checks.base import SABOTAGED_NAME, Check
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.http_client import EndpointCall, EndpointResponse, Headers, Target, url_errors
from healthguard.http_client.document import MISSING, is_path, kind, mismatch, value_at
from healthguard.providers import PROVIDERS, Provider
from healthguard.providers.declaration import provider_flaws
from healthguard.providers.vended import Vended
from healthguard.runtime.deadline import wait_limit
from healthguard.secret_values.patterns import is_pattern
from healthguard.secret_values.showable import shown_name
from healthguard.service.sabotages import Sabotage
from healthguard.status import Code, Evidence, Problem

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
"""The methods whose requests change nothing. https://www.rfc-editor.org/rfc/rfc9110#name-safe-methods"""
_RARE_STATUSES = range(599, 99, -1)
"""The statuses from which a sabotage chooses one that is not expected: those that no server sends come first."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class _Endpoint(Check):
    """The base of checks that call ``url``. It shows no secrets of a URL: its password, or a token in its query."""

    url: str
    _response: EndpointResponse | None = None
    """The response that a sabotaged check uses, because sending its request could change something."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r})"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the check in django-health-check's metrics."""
        return {"check": type(self).__name__, "url": self._shown}

    @property
    def _shown(self) -> str:
        try:
            return Target.of(self.url).shown
        except ValueError:
            return "?"

    async def _respond(
        self, endpoint: EndpointCall, headers: Headers | None, body: object, statuses: Collection[int]
    ) -> EndpointResponse:
        if self._response is not None:
            return endpoint.accepted(self._response, statuses)
        return await endpoint.send(headers, body, statuses)

    def _invalid(self, message: str, *hint: str) -> Problem:
        return Problem.invalid_declaration(f"{self!r}: {message}", *hint)


@dataclasses.dataclass(repr=False)
class HTTPEndpoint(_Endpoint):
    """A check that an HTTP endpoint returns the expected status and the expected JSON.

    A path is a path of this project: its application is called in this process, with all of its middleware and without
    a socket. A URL is called over the network. Redirects are not followed.

    Args:
        url: a path like ``"/api/v1/things"``, or an http or https URL. User and password in it are sent as basic auth.
        method: the HTTP method.
        headers: the headers to send. A value may be a callable, which is called for each run.
        json: the value to send as a JSON body; None to send no body.
        expect_status: the expected status, or several.
        expect: regular expressions by JSON path, each of which must match a whole value of the JSON response. A path
            consists of names and positions separated by dots, like ``"items.0.name"``; ``"$"`` is the whole response.
            A dot in a regular expression matches a line break too.
    """

    url: str = dataclasses.field(repr=False)
    method: str = "GET"
    headers: Headers | None = dataclasses.field(default=None, repr=False)
    json: Any = dataclasses.field(default=None, repr=False)
    expect_status: int | Collection[int] = 200
    expect: Mapping[str, str] | None = dataclasses.field(default=None, repr=False)

    @property
    def needs_deployment(self) -> bool:
        """True if the endpoint is not a path of this project."""
        try:
            return not Target.of(self.url).is_in_process
        except ValueError:
            return False

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield copies that expect another status, and one value more and another value if values are expected.

        A request that may change something is not sent. Instead, the copy gets a response.
        """
        is_sent = self.method in _SAFE_METHODS
        statuses = _statuses(self.expect_status)
        other = next((status for status in _RARE_STATUSES if status not in statuses), None)
        if other is not None:
            changes = {"expect_status": [other]} if is_sent else {"_response": EndpointResponse(other)}
            yield Sabotage("another status", self._sabotaged(**changes), [Code.ENDPOINT_STATUS])
        if self.expect:
            response = None if is_sent else EndpointResponse(min(statuses), b"{}")
            check = self._sabotaged(expect={**self.expect, SABOTAGED_NAME: ""}, _response=response)
            yield Sabotage("one value more", check, [Code.ENDPOINT_MISMATCH])
            check = self._sabotaged(expect={"$": r"(?!)"}, _response=response)
            yield Sabotage("another value", check, [Code.ENDPOINT_MISMATCH])

    async def run(self) -> Mapping[str, Evidence]:
        """Send the request, check the response, and return facts about it.

        Raises:
            Unhealthy: no response arrives, or it is not the expected one.
        """
        for problem in self.declaration_errors():
            raise Unhealthy.of(problem)
        endpoint = EndpointCall(self.method, self.url, self.timeout.total_seconds())
        response = await self._respond(endpoint, self.headers, self.json, _statuses(self.expect_status))
        if self.expect:
            document = endpoint.document(response)
            kinds = {path: mismatch(value_at(document, path), pattern) for path, pattern in self.expect.items()}
            # Several paths may have the same shown form.
            if mismatches := {shown_name(path): kind for path, kind in kinds.items() if kind is not None}:
                raise endpoint.mismatch(mismatches)
        return endpoint.evidence

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself. No callable in the headers is called."""
        for error in url_errors(self.url, self.headers):
            yield self._invalid(error)
        if self.method not in _METHODS:
            yield self._invalid(f"method must be one of {', '.join(_METHODS)}.")
        try:
            json.dumps(self.json, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            yield self._invalid("json must be a value that can be encoded as JSON.")
        statuses = _statuses(self.expect_status)
        if not statuses or not all(map(_is_status, statuses)):
            yield self._invalid("expect_status must be an HTTP status or a list of HTTP statuses.")
        if self.expect and self.method == "HEAD":
            yield self._invalid("expect cannot be used with method HEAD because a response to HEAD has no body.")
        if self.expect is not None and not isinstance(self.expect, Mapping):
            yield self._invalid("expect must be a dict of JSON paths and regular expressions.")
        else:
            yield from self._expect_errors(self.expect or {})

    def _expect_errors(self, expect: Mapping[str, str]) -> Iterator[Problem]:
        for path, pattern in expect.items():
            if not is_path(path):
                hint = "Use names and positions separated by dots, like 'items.0.name', without brackets."
                yield self._invalid("expect contains an invalid JSON path.", hint)
                continue
            if not is_pattern(pattern):
                yield self._invalid(f"The value for {shown_name(path)} in expect is not a regular expression.")


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599


def _statuses(expect_status: object) -> Collection[Any]:
    if isinstance(expect_status, Collection) and not isinstance(expect_status, str | bytes | Mapping):
        return expect_status
    return (expect_status,)


@dataclasses.dataclass(repr=False)
class CredentialExchange(_Endpoint):
    """A check that an endpoint that vends keys of AI providers vends real ones.

    The keys must be complete, not mocks, of the right provider and not expired. The check sends the request that a
    customer sends, a POST with ``{"providers": ["anthropic"], "ttl_minutes": 60}``. It expects 200 or 201 and
    ``{"credentials": {"anthropic": {"api_key": "…", "expires_at": "…"}}}``. ``expires_at`` is ISO 8601 and optional.
    Without a time zone it is in UTC, or in TIME_ZONE if the endpoint belongs to this project and USE_TZ is False. A key
    without ``expires_at`` may also be a plain string: ``{"anthropic": "…"}``.

    Args:
        url: the path of the endpoint in this project, which is called in this process, or its URL.
        providers: the providers to request keys of: names, or Provider instances of your own.
        headers: the headers to send, such as a customer's key. A value may be a callable, which is called for each run.
        ttl_minutes: the lifetime to request for the credentials (minutes).
        verify: True to verify the keys with their providers, too.
    """

    url: str = dataclasses.field(repr=False)
    providers: Sequence[str | Provider] = dataclasses.field(repr=False)
    headers: Headers | None = dataclasses.field(default=None, repr=False)
    ttl_minutes: int = dataclasses.field(default=60, repr=False)
    verify: bool = False

    needs_deployment = True
    ttl = 60.0
    """The ttl of a service that does not set one (seconds). An exchange is not read-only, so it runs less often."""

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield copies that get an error, an empty key, and a mock, as if the endpoint had responded with them.

        No request is sent, because an exchange may change something.
        """
        names = [provider.name for provider in self._resolve_providers()]
        error = EndpointResponse(_RARE_STATUSES[0])
        yield Sabotage("an error instead of credentials", self._sabotaged(_response=error), [Code.ENDPOINT_STATUS])
        empty = _vending(dict.fromkeys(names, ""))
        yield Sabotage("an empty key is vended", self._sabotaged(_response=empty), [Code.KEY_EMPTY])
        if not all(provider.is_format_irrelevant for provider in self._resolve_providers()):
            mocks = _vending({name: f"mock_{name}_key" for name in names})
            check = self._sabotaged(_response=mocks, verify=False)
            yield Sabotage("a mock is vended", check, [Code.KEY_PLACEHOLDER])

    async def run(self) -> Mapping[str, Evidence]:
        """Request credentials, check them, and return facts about the exchange.

        Raises:
            Unhealthy: the response is not as described, or a key or its expiry time is unusable.
            Degraded: a key has an unusual form, or its provider restricts it or does not confirm it.
        """
        for problem in self.declaration_errors():
            raise Unhealthy.of(problem)
        providers = self._resolve_providers()
        exchange = EndpointCall("POST", self.url, self.timeout.total_seconds())
        names = [provider.name for provider in providers]
        body = {"providers": names, "ttl_minutes": self.ttl_minutes}
        document = exchange.document(await self._respond(exchange, self.headers, body, [200, 201]))
        credentials = value_at(document, "credentials")
        if not isinstance(credentials, dict):
            raise exchange.mismatch({"credentials": kind(credentials)})
        vended = [Vended(exchange, provider, credentials.get(provider.name, MISSING)) for provider in providers]
        limit = wait_limit(self.timeout.total_seconds()) if self.verify else None
        results = await asyncio.gather(*(one.find_problem(limit) for one in vended))
        problems = {one.name: problem for one, problem in zip(vended, results, strict=True) if problem is not None}
        if problems:
            raise _worst(problems)
        return {**exchange.evidence, "vended": names}

    def _resolve_providers(self) -> list[Provider]:
        return [PROVIDERS[entry] if isinstance(entry, str) else entry for entry in self.providers]

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself. No callable in the headers is called."""
        for error in url_errors(self.url, self.headers):
            yield self._invalid(error)
        if isinstance(self.providers, str) or not isinstance(self.providers, Sequence) or not self.providers:
            yield self._invalid("providers must be a list of at least one AI provider.")
        else:
            for entry in self.providers:
                for texts in provider_flaws(
                    entry, "providers contains a value that is not the name of an AI provider."
                ):
                    yield self._invalid(*texts)
        if not isinstance(self.verify, bool):
            yield self._invalid("verify must be True or False.")
        minutes = self.ttl_minutes
        if isinstance(minutes, bool) or not isinstance(minutes, int) or minutes <= 0:
            yield self._invalid("ttl_minutes must be a positive whole number of minutes.")


def _vending(keys: Mapping[str, str]) -> EndpointResponse:
    """Return the response of an exchange that vends ``keys``."""
    credentials = {name: {"api_key": key} for name, key in keys.items()}
    return EndpointResponse(200, json.dumps({"credentials": credentials}).encode())


def _worst(problems: Mapping[str, Unhealthy | Degraded]) -> Unhealthy | Degraded:
    """Return the first problem that makes the service unhealthy, or the first; its evidence has the codes of all."""
    worst = next((problem for problem in problems.values() if isinstance(problem, Unhealthy)), None)
    worst = worst or next(iter(problems.values()))
    if len(problems) > 1:
        codes = {name: problem.problem.code for name, problem in problems.items()}
        problem = dataclasses.replace(worst.problem, evidence={**worst.problem.evidence, "problems": codes})
        return type(worst).of(problem)
    return worst
