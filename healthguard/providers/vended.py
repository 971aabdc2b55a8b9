"""What an exchange vends: the same inspection as of a key that this process holds, and of the time it is good for."""

from __future__ import annotations

import dataclasses
import datetime
from typing import TypeVar

from healthguard import values
from healthguard.calling import Asked
from healthguard.calling.document import MISSING, is_text, kind
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers.inspection import Key, corruption, judgement, looks, unaskable, unusual_form
from healthguard.providers.provider import Place, Provider
from healthguard.providers.verification import Verification, verify
from healthguard.status import Evidence, Fault

_Told = TypeVar("_Told", Unhealthy, Degraded)
_EXPIRY_HINT = (
    "Look at how the exchange sets expires_at, at the clock of its machine, and at what renews the credentials."
)


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
            return self._problem("key_missing", "vends nothing", self._mounted)
        if not isinstance(self._found, dict):
            return self._asked.mismatch({path: kind(self._found)})
        value = self._found.get("api_key")
        if value is None:
            return self._problem("key_missing", "vends no api_key", self._mounted)
        if not isinstance(value, str) or not is_text(value):
            return self._asked.mismatch({f"{path}.api_key": kind(value)})
        if not value:
            return self._problem("key_empty", "vends an empty key (0 bytes)", f"{self._mounted} {values.EMPTY.remedy}")
        remedy = f"the Secret that {self._variable} is mounted from" if self._variable else "what it is taken from"
        key = Key(self._provider, value, f"what {self._asked.name} vends for {self.name}", remedy, self._evidence)
        return self._looks(key) or self._expiry(self._found.get("expires_at")) or await self._word(key, limit)

    def _looks(self, key: Key) -> Unhealthy | None:
        # A gateway of one's own gives out keys of any form.
        against = corruption(key) or (None if self._provider.is_gateway else looks(key))
        if against is not None and against.problem.code == "key_placeholder":
            # What vends a mock where it has no key is the likeliest of all: it is how the outage began.
            hint = f"{self._mounted} {against.problem.hint}"
            against = Unhealthy.of(dataclasses.replace(against.problem, hint=hint))
        return against and _sentence(against)

    def _expiry(self, expires_at: object) -> Unhealthy | None:
        if expires_at is None:
            return None
        try:
            if not isinstance(expires_at, str):
                raise TypeError
            at = datetime.datetime.fromisoformat(expires_at)
            at = (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
        except (TypeError, ValueError, OverflowError):
            what = "vends a credential whose expires_at is no ISO 8601 time"
            return self._problem("credential_expiry_unreadable", what, _EXPIRY_HINT)
        if at > datetime.datetime.now(datetime.UTC):
            return None
        what = f"vends a credential that expired at {at:%Y-%m-%d %H:%M} UTC"
        return self._problem("credential_expired", what, _EXPIRY_HINT)

    async def _word(self, key: Key, limit: float | None) -> Unhealthy | Degraded | None:
        """What the provider has to say, and then the form."""
        place = self._provider.place()
        told: Unhealthy | Degraded | None = None
        if limit is not None:
            told = unaskable(key, place) or judgement(key, await self._asked_about(key, place, limit))
        if told is None and not place.is_gateway:
            told = unusual_form(key)
        return told and _sentence(told)

    async def _asked_about(self, key: Key, place: Place, limit: float) -> Verification:
        variable = self._variable
        return await verify(key.provider, key.value, base_url=place.base_url, variable=variable, limit=limit)

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
        message = f"{self._asked.name} {what} for {self.name}."
        return Unhealthy(code, message, fault=Fault.CONFIG, hint=hint, evidence=self._evidence)


def _sentence(error: _Told) -> _Told:
    message = error.problem.message
    return type(error).of(dataclasses.replace(error.problem, message=message[0].upper() + message[1:]))
