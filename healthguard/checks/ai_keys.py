"""The keys of AI providers: present, whole, no mock, and real."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from django.conf import settings
from django.utils.functional import Promise

from healthguard import values
from healthguard.callables import value_of
from healthguard.checks.base import Check
from healthguard.deadline import wait_limit
from healthguard.declared import shown, shown_name
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.freshness import is_ttl
from healthguard.providers import (
    PROVIDERS,
    Place,
    Provider,
    Verification,
    is_name,
    provider_flaws,
)
from healthguard.providers.asking import asked_about
from healthguard.providers.inspection import (
    Key,
    answer,
    corruption,
    judgement,
    looks,
    suspicion,
    unaskable,
    unusual_form,
    weighed,
)
from healthguard.providers.remembered import DEFAULT_TTL, good_at, name_of, secret
from healthguard.providers.routing import route_of
from healthguard.providers.sharing import shared
from healthguard.status import Evidence, Fault, Problem

DEFAULT_LIMIT = 5.0
"""How long asking may take where no deadline is set (seconds): django-health-check's own timeout."""

KeySource: TypeAlias = "str | Callable[[], str | Awaitable[str | None] | None] | None"
"""Where a key is: the name of a variable or of a setting; a function that gives it, and may ask a database; None for
the provider's own variables."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


@dataclasses.dataclass(repr=False)
class AIProviderKey(Check):
    """The key of an AI provider is set, arrived whole, is no placeholder, and the provider takes it.

    The provider is asked for something that costs no token. That it is down, slow or limits the rate is degraded: it
    says nothing of the key, and nobody here can mend it.

    Args:
        provider: the provider's name, like ``"anthropic"``, or a Provider of your own.
        key: where the key is, if not in the provider's own variables: the name of a variable or of a setting (dots
            lead into it), or a function that gives it.
        verify: whether to ask the provider. Without, only the key's looks are judged.
        share: the alias in CACHES of a cache that the whole fleet shares: then one process asks and the others read
            what it found. The key itself is not put there.
        ttl: how long the answer is held (seconds): a service holds it a little shorter, each its own, so that a
            fleet does not ask in step.
    """

    provider: str | Provider
    key: KeySource = dataclasses.field(default=None, repr=False)
    verify: bool = True
    share: str | None = dataclasses.field(default=None, repr=False)
    ttl: float = dataclasses.field(default=DEFAULT_TTL, repr=False)

    async def run(self) -> Mapping[str, Evidence]:
        """Judge the key; returns facts about it.

        Raises:
            Unhealthy: the key is absent, empty, corrupted, a placeholder, another provider's, or rejected.
            Degraded: of an unusual form, restricted or out of funds; or the provider does not tell.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        provider = self.provider if isinstance(self.provider, Provider) else PROVIDERS[self.provider]
        source, value, variable = await self._found(provider, provider.place())
        key = _key(provider, source, value, variable)
        if flaw := corruption(key):
            raise flaw
        route = route_of(provider, key.value)
        if route.provider is not provider:
            asked_as = {"asked_as": route.provider.name} if route.provider.name != provider.name else {}
            key = dataclasses.replace(key, provider=route.provider, evidence={**key.evidence, **asked_as})
        doubt, form = _looks(key, route.place)
        if not self.verify or route.switch is not None:
            # The keys of a gateway that is not asked are of any form.
            if not route.place.is_gateway and (found := doubt or form):
                raise found
            return {**key.evidence, **({} if route.switch is None else {"not_asked": route.switch})}
        name = name_of(route.provider, route.place, key.value, variable)
        verification, evidence = await self._verification(
            key, variable, route.place, name, is_doubtful=doubt is not None
        )
        key = dataclasses.replace(key, evidence={**key.evidence, **evidence})
        if found := weighed(key, verification, doubt, is_gateway=route.place.is_gateway):
            raise found
        if found := judgement(key, verification, good_at(name)) or form:
            raise found
        return {**key.evidence, **answer(verification)}

    async def _found(self, provider: Provider, place: Place) -> tuple[str, object, str | None]:
        """What the key's place is called, what is there, and the variable it is in, if it is in one."""
        if not callable(self.key):
            return _found(provider, self.key, skips_empty=provider.skips_empty or place.is_gateway)
        try:
            given = await value_of(self.key)
        except Exception as error:
            raise _missing(
                provider, [], f"The function that gives the key of {provider.label} raises {type(error).__name__}."
            ) from None
        if given is None:
            raise _missing(provider, [], f"The function that gives the key of {provider.label} gives none.")
        return "the declared function", given, None

    async def _verification(
        self, key: Key, variable: str | None, place: Place, name: str, *, is_doubtful: bool
    ) -> tuple[Verification, Mapping[str, Evidence]]:
        """What came of asking, and what may be told of how."""
        if flaw := unaskable(key, place):
            raise flaw
        limit = wait_limit(min(DEFAULT_LIMIT, self.timeout.total_seconds()))
        ask = functools.partial(
            asked_about,
            name,
            key.provider,
            key.value,
            place=place,
            variable=variable,
            ttl=self.ttl,
            limit=limit,
            share=self.share,
            is_doubtful=is_doubtful,
        )
        if self.share is None:
            return await ask(), {}
        verification, is_shared = await shared(self.share, name, ask, ttl=max(self.ttl, key.provider.ttl), limit=limit)
        return verification, {"shared": is_shared}

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself."""
        for told in provider_flaws(self.provider, "AIProviderKey takes a provider's name."):
            yield Problem.misdeclared(*told)
        if isinstance(self.provider, Provider) and not self.provider.variables and self.key is None:
            yield Problem.misdeclared("A provider without variables needs to be told where its key is.")
        if not (self.key is None or callable(self.key) or _is_name(self.key)):
            yield Problem.misdeclared(
                "AIProviderKey takes as its key the name of a variable or setting, or a function."
            )
        if not isinstance(self.verify, bool):
            yield Problem.misdeclared("AIProviderKey: verify is True or False.")
        if self.share is not None and not isinstance(self.share, str):
            yield Problem.misdeclared("AIProviderKey: share is the alias of a cache in CACHES.")
        elif self.share is not None and self.share not in getattr(settings, "CACHES", {}):
            yield Problem.misdeclared(f"AIProviderKey: {shown(self.share)} is not an alias of the CACHES setting.")
        if not is_ttl(self.ttl):
            yield Problem.misdeclared("AIProviderKey takes its ttl in seconds.")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None and is_name(value)


def _key(provider: Provider, source: str, given: object, variable: str | None) -> Key:
    """The key.

    Raises:
        Unhealthy: there is none, or an empty one.
    """
    value = given.decode("utf-8", "surrogateescape") if isinstance(given, bytes) else given
    if isinstance(value, Promise):
        value = str(value)
    evidence: dict[str, Evidence] = {"provider": provider.name, "variable" if variable else "source": source}
    remedy = f"the Secret that {variable} is mounted from" if variable else f"what {source} is taken from"
    if not isinstance(value, str):
        raise Unhealthy(
            "key_not_text",
            f"{source} gives a {type(value).__name__}, and no text.",
            fault=Fault.CONFIG,
            hint=f"A key is one text: look at {remedy}.",
            evidence=evidence,
        )
    if not value:
        raise Unhealthy(
            "key_empty",
            f"{source} {values.EMPTY.what}.",
            fault=Fault.CONFIG,
            hint=values.EMPTY.remedy,
            evidence=evidence,
        )
    evidence["fingerprint"] = values.fingerprint(value, secret())
    return Key(provider, value, source, remedy, evidence)


def _looks(key: Key, place: Place) -> tuple[Unhealthy | None, Degraded | None]:
    """Return what the looks say against a key if nobody takes it, and if its form is unusual.

    Raises:
        Unhealthy: the looks alone are enough. A gateway gives out keys of any form: there only its answer counts.
    """
    doubt = looks(key)
    if place.is_gateway:
        return doubt, None
    if doubt is not None:
        raise doubt
    return suspicion(key), unusual_form(key)


def _found(provider: Provider, declared: str | None, *, skips_empty: bool) -> tuple[str, object, str | None]:
    """What the key's place is called, what is there, and the variable it is in, if it is in one.

    Raises:
        Unhealthy: there is nothing.
    """
    names = provider.variables if declared is None else (declared,)
    present = [name for name in names if name in os.environ]
    if present:
        filled = [name for name in present if os.environ[name]] if skips_empty else present
        variable = (filled or present)[0]
        return variable, os.environ[variable], variable
    if declared is not None:
        value = _setting(declared)
        if value is not None:
            return f"the setting {declared}", value, None
        raise _missing(
            provider, [declared], f"No key for {provider.label}: {shown_name(declared)} is not a variable or a setting."
        )
    raise _missing(provider, names, f"No key for {provider.label}: {' and '.join(names)} are not set.")


def _missing(provider: Provider, names: Sequence[str], message: str) -> Unhealthy:
    if names:
        name = shown_name(names[0])
        hint = f"Mount {name} into this container: env or envFrom in the manifest, and the Secret it names."
    else:
        hint = "Look at where that function takes the key from."
    evidence = {"provider": provider.name, "variables": [*map(shown_name, names)]}
    return Unhealthy("key_missing", message, fault=Fault.CONFIG, hint=hint, evidence=evidence)


def _setting(path: str) -> object:
    found: object = settings
    for name in path.split("."):
        try:
            found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
        except Exception:
            # A stranger's property: what it cannot give is not there.
            return None
    return found
