"""What an exchange vends: the same inspection as of a key that this process holds, and of the time it is good for."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import TypeVar

from django.conf import settings
from django.utils import timezone

from healthguard import values
from healthguard.calling import Asked
from healthguard.calling.document import MISSING, is_text, kind
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers.asking import asked_about
from healthguard.providers.inspection import (
    Key,
    corruption,
    judgement,
    looks,
    suspicion,
    unaskable,
    unusual_form,
    weighed,
)
from healthguard.providers.provider import Provider
from healthguard.providers.remembered import DEFAULT_TTL, good_at, name_of
from healthguard.providers.routing import route_of
from healthguard.providers.verdict import Verdict
from healthguard.status import Evidence, Fault

_Told = TypeVar("_Told", Unhealthy, Degraded)
_EXPIRY_HINT = (
    "Look at how the exchange sets expires_at (has it a time zone?), at the clock of its machine, and at what renews "
    "the credentials."
)
_DAY = re.compile(r"\d{4}-?\d\d-?\d\d")


class Vended:
    """What an exchange has vended for one provider.

    Args:
        asked: the exchange.
        provider: whose key it should be.
        found: what stands for it in the answer; MISSING where nothing does.
    """

    def __init__(self, asked: Asked, provider: Provider, found: object) -> None:
        self._asked = asked
        self._provider = provider
        self._found = found
        self._variable = provider.variables[0] if provider.variables else None
        self._evidence: dict[str, Evidence] = {**asked.evidence, "provider": provider.name}

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._provider.name

    async def judged(self, limit: float | None) -> Unhealthy | Degraded | None:
        """What is wrong with it.

        Args:
            limit: how long to wait for the provider's word on it (seconds); None to judge by the looks alone.
        """
        path = f"credentials.{self.name}"
        if self._found is MISSING or self._found is None:
            return self._problem("key_missing", f"nothing for {self.name}", self._mounted)
        if is_text(self._found):
            value, expires_at = self._found, None
        elif isinstance(self._found, dict):
            value, expires_at = self._found.get("api_key", MISSING), self._found.get("expires_at")
        else:
            return self._asked.mismatch({path: kind(self._found)})
        if value is None or (value is MISSING and not self._found):
            return self._problem("key_missing", f"no api_key for {self.name}", self._mounted)
        if not isinstance(value, str) or not is_text(value):
            return self._asked.mismatch({f"{path}.api_key": kind(value)})
        if not value:
            hint = f"{self._mounted} {values.EMPTY.remedy}"
            return self._problem("key_empty", f"an empty key (0 bytes) for {self.name}", hint)
        remedy = f"the Secret that {self._variable} is mounted from" if self._variable else "what it is taken from"
        key = Key(self._provider, value, f"what {self._asked.name} vends for {self.name}", remedy, self._evidence)
        found = corruption(key) or self._looks(key) or self._expiry(expires_at) or await self._word(key, limit)
        return found and _sentence(found)

    def _looks(self, key: Key) -> Unhealthy | Degraded | None:
        # A gateway of one's own gives out keys of any form. One that the environment names is no matter of customers.
        return None if self._provider.has_any_form else self._blamed(looks(key))

    def _blamed(self, against: Unhealthy | Degraded | None) -> Unhealthy | Degraded | None:
        """With what to look at first: what vends a mock where it has no key is how the outage began."""
        if against is None or against.problem.code != "key_placeholder":
            return against
        hint = f"{self._mounted} {against.problem.hint}"
        return type(against).of(dataclasses.replace(against.problem, hint=hint))

    def _expiry(self, expires_at: object) -> Unhealthy | None:
        if expires_at is None:
            return None
        try:
            at = self._time(expires_at)
        except (TypeError, ValueError, OverflowError):
            what = f"for {self.name} a credential whose expires_at is no ISO 8601 time"
            return self._problem("credential_expiry_unreadable", what, _EXPIRY_HINT)
        if at > datetime.datetime.now(datetime.UTC):
            return None
        what = f"for {self.name} a credential that expired at {at:%Y-%m-%d %H:%M} {at.tzname()}"
        return self._problem("credential_expired", what, _EXPIRY_HINT)

    def _time(self, text: object) -> datetime.datetime:
        """The moment that ``text`` names; of a day alone its end.

        Raises:
            TypeError, ValueError, OverflowError: it names none.
        """
        if not isinstance(text, str) or not is_text(text):
            raise TypeError
        # RFC 3339 takes a small z too.
        at = datetime.datetime.fromisoformat(text.upper())
        if _DAY.fullmatch(text):
            at = at.replace(hour=23, minute=59, second=59)
        if at.tzinfo is not None:
            return at
        is_local = self._asked.is_inside and not settings.USE_TZ
        return at.replace(tzinfo=timezone.get_default_timezone() if is_local else datetime.UTC)

    async def _word(self, key: Key, limit: float | None) -> Unhealthy | Degraded | None:
        """What the provider has to say, and then the form."""
        against = suspicion(key)
        route = route_of(self._provider, key.value)
        if limit is not None and route.switch is None:
            asked = dataclasses.replace(key, provider=route.provider)
            if flaw := unaskable(asked, route.place):
                return flaw
            doubt = looks(key) or against
            name = name_of(route.provider, route.place, key.value, self._variable)
            verification = await asked_about(
                name,
                route.provider,
                key.value,
                place=route.place,
                variable=self._variable,
                ttl=DEFAULT_TTL,
                limit=limit,
                is_doubtful=doubt is not None,
            )
            if found := weighed(asked, verification, doubt, is_gateway=self._provider.has_any_form):
                return self._blamed(found)
            if told := judgement(asked, verification, good_at(name)):
                is_another = route.place.is_gateway or route.provider is not self._provider
                is_environments = is_another and not route.is_declared and not self._provider.is_gateway
                if verification.verdict is Verdict.REJECTED and is_environments:
                    return _not_the_customers(told, self._provider)
                return told
        elif against is not None and not self._provider.has_any_form:
            return self._blamed(against)
        return None if self._provider.has_any_form else unusual_form(key)

    @property
    def _mounted(self) -> str:
        """What to look at where there is no real key to vend."""
        container = "this container" if self._asked.is_inside else "the container that answers there"
        if self._variable is None:
            return f"Look at where {container} takes the key of {self._provider.label} from."
        return (
            f"Look whether {self._variable} is mounted into {container}: env or envFrom in the manifest, and the "
            "Secret it names."
        )

    def _problem(self, code: str, what: str, hint: str) -> Unhealthy:
        message = f"{self._asked.name} vends {what}."
        return Unhealthy(code, message, fault=Fault.CONFIG, hint=hint, evidence=self._evidence)


def _not_the_customers(rejection: Unhealthy | Degraded, provider: Provider) -> Degraded:
    """Where the environment names a gateway, its word counts for this process; customers may ask the provider."""
    names = " or ".join(provider.place_variables)
    hint = f"{names} names a gateway for this process: if customers are to use it too, it must take what is vended."
    return Degraded.of(dataclasses.replace(rejection.problem, hint=hint))


def _sentence(error: _Told) -> _Told:
    message = error.problem.message
    return type(error).of(dataclasses.replace(error.problem, message=message[0].upper() + message[1:]))
