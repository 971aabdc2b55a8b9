"""The inspection of a credential that an exchange vends: the checks of a key, and the check of its expiry time."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import TypeVar

from django.conf import settings
from django.utils import timezone

from healthguard.exceptions import Degraded, Unhealthy
from healthguard.http_client import EndpointCall
from healthguard.http_client.document import MISSING, is_text, kind
from healthguard.providers.inspection import endpoint_problem, unhealthy_of, unrefuted_problem, verdict_problem
from healthguard.providers.key_value import (
    Key,
    corruption,
    offline_problem,
    secret_of,
    suspected_placeholder,
    unusual_format,
)
from healthguard.providers.lookup import find_verification
from healthguard.providers.provider import Provider
from healthguard.providers.routed_key import RoutedKey
from healthguard.providers.routing import route_of
from healthguard.providers.verdict import Verdict
from healthguard.providers.verdict_cache import DEFAULT_TTL, last_verified_at
from healthguard.secret_values import values
from healthguard.status import Code, Evidence, Fault

_ProblemError = TypeVar("_ProblemError", Unhealthy, Degraded)
_EXPIRY_HINT = (
    "Check how the exchange sets expires_at (does it have a time zone?), the clock of its machine, and the renewal of "
    "the credentials."
)
_DAY = re.compile(r"\d{4}-?\d\d-?\d\d")


class Vended:
    """The credential that an exchange vends for one provider.

    Args:
        exchange: the exchange.
        provider: the provider that the key should belong to.
        entry: the JSON value for the provider in the response; MISSING if there is none.
    """

    def __init__(self, exchange: EndpointCall, provider: Provider, entry: object) -> None:
        self._exchange = exchange
        self._provider = provider
        self._entry = entry
        self._variable = provider.variables[0] if provider.variables else None
        self._evidence: dict[str, Evidence] = {**exchange.evidence, "provider": provider.name}

    @property
    def name(self) -> str:
        """The name of the provider."""
        return self._provider.name

    async def find_problem(self, limit: float | None) -> Unhealthy | Degraded | None:
        """Return the problem of the credential; None if it has none.

        Args:
            limit: the time limit of the verification (seconds); None to inspect the credential without verifying it.
        """
        path = f"credentials.{self.name}"
        if self._entry is MISSING or self._entry is None:
            return self._problem(Code.KEY_MISSING, f"nothing for {self.name}", self._mount_hint)
        if is_text(self._entry):
            value, expires_at = self._entry, None
        elif isinstance(self._entry, dict):
            value, expires_at = self._entry.get("api_key", MISSING), self._entry.get("expires_at")
        else:
            return self._exchange.mismatch({path: kind(self._entry)})
        if value is None or (value is MISSING and not self._entry):
            return self._problem(Code.KEY_MISSING, f"no api_key for {self.name}", self._mount_hint)
        if not isinstance(value, str) or not is_text(value):
            return self._exchange.mismatch({f"{path}.api_key": kind(value)})
        if not value:
            hint = f"{self._mount_hint} {values.EMPTY.remedy}"
            return self._problem(Code.KEY_EMPTY, f"an empty key (0 bytes) for {self.name}", hint)
        location = secret_of(self._variable) if self._variable else "the source of the key"
        source = f"the key that {self._exchange.name} vends for {self.name}"
        key = Key(self._provider, value, source, location, self._evidence)
        problem = (
            unhealthy_of(corruption(key))
            or self._offline_problem(key)
            or self._expiry_problem(expires_at)
            or await self._online_problem(key, limit)
        )
        return problem and _capitalized(problem)

    def _offline_problem(self, key: Key) -> Unhealthy | Degraded | None:
        # A declared gateway issues keys of any format. A gateway from the environment does not matter to customers.
        return (
            None if self._provider.is_format_irrelevant else self._with_mount_hint(unhealthy_of(offline_problem(key)))
        )

    def _with_mount_hint(self, error: Unhealthy | Degraded | None) -> Unhealthy | Degraded | None:
        """Return the error with a hint to check the mounted key first, if the key is a placeholder.

        An exchange may vend a mock because its real key is not mounted.
        """
        if error is None or error.problem.code != Code.KEY_PLACEHOLDER:
            return error
        hint = f"{self._mount_hint} {error.problem.hint}"
        return type(error).of(dataclasses.replace(error.problem, hint=hint))

    def _expiry_problem(self, expires_at: object) -> Unhealthy | None:
        if expires_at is None:
            return None
        try:
            at = self._parse_time(expires_at)
        except (TypeError, ValueError, OverflowError):
            credential = f"a credential for {self.name} whose expires_at is not an ISO 8601 time"
            return self._problem(Code.CREDENTIAL_EXPIRY_UNREADABLE, credential, _EXPIRY_HINT)
        if at > datetime.datetime.now(datetime.UTC):
            return None
        credential = f"a credential for {self.name} that expired at {at:%Y-%m-%d %H:%M} {at.tzname()}"
        return self._problem(Code.CREDENTIAL_EXPIRED, credential, _EXPIRY_HINT)

    def _parse_time(self, text: object) -> datetime.datetime:
        """Return the time in ``text``; the end of the day if it is a date.

        Raises:
            TypeError, ValueError, OverflowError: ``text`` is not a time.
        """
        if not isinstance(text, str) or not is_text(text):
            raise TypeError
        # RFC 3339 also allows a lowercase z.
        at = datetime.datetime.fromisoformat(text.upper())
        if _DAY.fullmatch(text):
            at = at.replace(hour=23, minute=59, second=59)
        if at.tzinfo is not None:
            return at
        is_local = self._exchange.is_in_process and not settings.USE_TZ
        return at.replace(tzinfo=timezone.get_default_timezone() if is_local else datetime.UTC)

    async def _online_problem(self, key: Key, limit: float | None) -> Unhealthy | Degraded | None:
        """Return the problem that the verification shows, or else the problem of the key's format."""
        placeholder = suspected_placeholder(key)
        route = route_of(self._provider, key.value)
        if limit is not None and route.switch is None:
            key_of_route = dataclasses.replace(key, provider=route.provider)
            if problem := endpoint_problem(key_of_route, route.endpoint):
                return problem
            suspicion = offline_problem(key) or placeholder
            routed = RoutedKey(route.provider, key.value, route.endpoint, self._variable)
            verification, _ = await find_verification(
                routed, ttl=DEFAULT_TTL, limit=limit, is_suspicious=suspicion is not None
            )
            is_gateway = self._provider.is_format_irrelevant
            if unrefuted := unrefuted_problem(key_of_route, verification, suspicion, is_gateway=is_gateway):
                return self._with_mount_hint(unrefuted)
            if error := verdict_problem(key_of_route, verification, last_verified_at(routed.verification_id)):
                is_another = route.endpoint.is_gateway or route.provider is not self._provider
                is_from_environment = is_another and not route.is_declared and not self._provider.is_gateway
                if verification.verdict is Verdict.REJECTED and is_from_environment:
                    return _rejected_by_gateway(error, self._provider)
                return error
        elif placeholder is not None and not self._provider.is_format_irrelevant:
            return self._with_mount_hint(Unhealthy.of(placeholder))
        unusual = None if self._provider.is_format_irrelevant else unusual_format(key)
        return None if unusual is None else Degraded.of(unusual)

    @property
    def _mount_hint(self) -> str:
        """The hint for an exchange without a real key to vend."""
        container = "this container" if self._exchange.is_in_process else "the container that serves this endpoint"
        if self._variable is None:
            return f"Check the source from which {container} reads the key of {self._provider.label}."
        return (
            f"Check that {self._variable} is mounted into {container}: env or envFrom in the manifest, and the Secret "
            "it names."
        )

    def _problem(self, code: Code, vended: str, hint: str) -> Unhealthy:
        message = f"{self._exchange.name} vends {vended}."
        return Unhealthy(code, message, fault=Fault.CONFIG, hint=hint, evidence=self._evidence)


def _rejected_by_gateway(rejection: Unhealthy | Degraded, provider: Provider) -> Degraded:
    """Return a rejection by a gateway from the environment as degraded: customers may use the provider itself."""
    names = " or ".join(provider.endpoint_variables)
    hint = f"{names} points this process to a gateway. If customers use it too, make it accept the vended keys."
    return Degraded.of(dataclasses.replace(rejection.problem, hint=hint))


def _capitalized(error: _ProblemError) -> _ProblemError:
    message = error.problem.message
    return type(error).of(dataclasses.replace(error.problem, message=message[0].upper() + message[1:]))
