"""The check of an AI provider's key."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from django.conf import settings
from django.utils.functional import Promise

from healthguard.checks.base import Check
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers import PROVIDERS, Provider, ProviderEndpoint, is_name
from healthguard.providers.declaration import provider_flaws
from healthguard.providers.inspection import (
    endpoint_problem,
    unhealthy_of,
    unrefuted_problem,
    verdict_problem,
    verification_evidence,
)
from healthguard.providers.key_value import (
    Key,
    corruption,
    empty_key,
    mock_problem,
    offline_problem,
    secret_of,
    suspected_placeholder,
    unusual_format,
)
from healthguard.providers.lookup import find_verification
from healthguard.providers.routed_key import RoutedKey, secret
from healthguard.providers.routing import route_of
from healthguard.providers.verdict_cache import DEFAULT_TTL, last_verified_at
from healthguard.requirements.key import KeyRequirement, plain_provider
from healthguard.runtime.cache_age import is_valid_ttl
from healthguard.runtime.callables import resolve_value
from healthguard.runtime.deadline import wait_limit
from healthguard.secret_values import values
from healthguard.secret_values.sabotaged import with_another_end
from healthguard.secret_values.showable import shown, shown_name
from healthguard.service.sabotages import Sabotage
from healthguard.status import Code, Evidence, Fault, Problem

DEFAULT_LIMIT = 5.0
"""The time limit of a verification if no deadline is set (seconds): the default timeout of django-health-check."""

KeySource: TypeAlias = "str | Callable[[], str | Awaitable[str | None] | None] | None"
"""The source of a key: the name of an environment variable or a setting; a function that returns the key and may query
a database; None for the provider's own variables."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


@dataclasses.dataclass(repr=False)
class AIProviderKey(Check):
    """A check that the key of an AI provider is set, complete and not a placeholder, and that the provider accepts it.

    The verification request does not consume any tokens. A provider that is down, slow or limiting the rate makes the
    check degraded and not unhealthy, because that is not a problem of the key, and only the provider can fix it.

    Args:
        provider: the name of the provider, such as ``"anthropic"``, or a Provider of your own.
        key: the source of the key, if it is not in the provider's own variables: the name of an environment variable or
            a setting (dots access its members), or a function that returns the key.
        verify: True to verify the key at the provider. False to inspect only its value.
        share: the alias in CACHES of a cache that the whole fleet shares. One process then verifies the key and the
            others read the result. The key itself is not stored there.
        ttl: the time for which a verification is cached (seconds). Each service subtracts a random jitter, so that the
            processes of a fleet do not send their requests at the same time.
    """

    provider: str | Provider
    key: KeySource = dataclasses.field(default=None, repr=False)
    verify: bool = True
    share: str | None = dataclasses.field(default=None, repr=False)
    ttl: float = dataclasses.field(default=DEFAULT_TTL, repr=False)

    needs_deployment = True

    def offline(self) -> AIProviderKey | None:
        """Return a check of the value alone; None if a function returns the key, because it may query a database."""
        return None if callable(self.key) else _KeyValue(self.provider, self.key, verify=False)

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield copies that read an empty key, a mock, and a key with another end if the provider verifies keys.

        The verification of a changed key is one request, and its verdict is not stored in a shared cache.
        """
        provider = self._resolve_provider()
        yield Sabotage("the key is empty", self._sabotaged(lambda _: ""), [Code.KEY_EMPTY])
        if not provider.resolve_endpoint().is_gateway:
            # Its form alone is proof enough, so no request is sent.
            check = self._sabotaged(lambda _: f"mock_{provider.name}_key", verify=False)
            yield Sabotage("the key is a mock", check, [Code.KEY_PLACEHOLDER])
        if self.verify and provider.unknown_keys != "accepted" and self._switch(provider) is None:
            check = self._sabotaged(lambda key: with_another_end(key) if isinstance(key, str) else key, share=None)
            yield Sabotage("the last character of the key differs", check, [Code.KEY_REJECTED])

    def needs(self) -> Iterator[KeyRequirement]:
        """Yield the variables of the key; nothing if a function or a setting provides it.

        The variable that a setting is read from is not known, also if it has the same name.
        """
        if callable(self.key) or (self.key is not None and _names_a_setting(self.key)):
            return
        provider = self._resolve_provider()
        names = tuple(provider.variables) if self.key is None else (self.key,)
        yield KeyRequirement(names, provider=plain_provider(provider), is_verified=self.verify)

    async def run(self) -> Mapping[str, Evidence]:
        """Inspect and verify the key. Return facts about it.

        Raises:
            Unhealthy: the key is missing, empty, corrupted, a placeholder, another provider's, expired or rejected; or
                the declaration or the base URL is invalid.
            Degraded: the key has an unusual format, is restricted or out of funds, or could not be verified.
        """
        for problem in self.declaration_errors():
            raise Unhealthy.of(problem)
        provider = self._resolve_provider()
        source, value, variable = await self._find_key(provider, provider.resolve_endpoint())
        key = _build_key(provider, source, self._altered(_text(value)), variable)
        if corrupted := corruption(key):
            raise Unhealthy.of(corrupted)
        route = route_of(provider, key.value)
        if route.provider is not provider:
            asked_as = {"asked_as": route.provider.name} if route.provider.name != provider.name else {}
            key = dataclasses.replace(key, provider=route.provider, evidence={**key.evidence, **asked_as})
        suspicion, format_problem = _offline_problems(key, route.endpoint)
        if not self.verify or route.switch is not None:
            found = unhealthy_of(suspicion) or format_problem
            if offline := self._value_problem(key, found, is_gateway=route.endpoint.is_gateway):
                raise offline
            return {**key.evidence, **({} if route.switch is None else {"not_asked": route.switch})}
        if incomplete := endpoint_problem(key, route.endpoint):
            raise incomplete
        routed = RoutedKey(route.provider, key.value, route.endpoint, variable)
        limit = wait_limit(min(DEFAULT_LIMIT, self.timeout.total_seconds()))
        verification, is_shared = await find_verification(
            routed,
            ttl=self.ttl,
            limit=limit,
            share=self.share,
            is_suspicious=suspicion is not None,
            # Nobody is alarmed by the rejection of a sabotaged key, so it need not be confirmed.
            repeats=self._alteration is None,
        )
        if self.share is not None:
            key = dataclasses.replace(key, evidence={**key.evidence, "shared": is_shared})
        if unrefuted := unrefuted_problem(key, verification, suspicion, is_gateway=route.endpoint.is_gateway):
            raise unrefuted
        if online := verdict_problem(key, verification, last_verified_at(routed.verification_id)) or format_problem:
            raise online
        return {**key.evidence, **verification_evidence(verification)}

    def _value_problem(
        self, key: Key, problem: Unhealthy | Degraded | None, *, is_gateway: bool
    ) -> Unhealthy | Degraded | None:
        """Return the problem of a key that is not verified."""
        # A gateway issues keys of any format, so without its response the value proves nothing.
        return None if is_gateway else problem

    def _resolve_provider(self) -> Provider:
        return self.provider if isinstance(self.provider, Provider) else PROVIDERS[self.provider]

    def _switch(self, provider: Provider) -> str | None:
        """Return the environment variable that moves the key to a service at which it cannot be verified."""
        value: object = ""
        if not callable(self.key):
            # If the key is missing, every sabotage reports that.
            with contextlib.suppress(Unhealthy):
                _, value, _ = _find_declared_key(provider, self.key, skips_empty=provider.skips_empty)
        text = _text(value)
        return route_of(provider, text if isinstance(text, str) else "").switch

    async def _find_key(self, provider: Provider, endpoint: ProviderEndpoint) -> tuple[str, object, str | None]:
        """Return the name of the key's source, the value, and the environment variable; None if it is not in one.

        Raises:
            Unhealthy: the key is missing.
        """
        if not callable(self.key):
            return _find_declared_key(provider, self.key, skips_empty=provider.skips_empty or endpoint.is_gateway)
        try:
            value = await resolve_value(self.key)
        except Exception as error:
            raise _missing_key(
                provider, [], f"The function that returns the key of {provider.label} raised {type(error).__name__}."
            ) from None
        if value is None:
            raise _missing_key(provider, [], f"The function that returns the key of {provider.label} returned None.")
        return "the declared function", value, None

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        for texts in provider_flaws(self.provider, "AIProviderKey: provider must be a Provider or its name."):
            yield Problem.invalid_declaration(*texts)
        if isinstance(self.provider, Provider) and not self.provider.variables and self.key is None:
            yield Problem.invalid_declaration("AIProviderKey: key is required for a Provider without variables.")
        if not (self.key is None or callable(self.key) or _is_name(self.key)):
            yield Problem.invalid_declaration(
                "AIProviderKey: key must be the name of an environment variable or a setting, or a function."
            )
        if not isinstance(self.verify, bool):
            yield Problem.invalid_declaration("AIProviderKey: verify must be True or False.")
        if self.share is not None and not isinstance(self.share, str):
            yield Problem.invalid_declaration("AIProviderKey: share must be the alias of a cache in CACHES.")
        elif self.share is not None and self.share not in getattr(settings, "CACHES", {}):
            yield Problem.invalid_declaration(
                f"AIProviderKey: {shown(self.share)} is not an alias of the CACHES setting."
            )
        if not is_valid_ttl(self.ttl):
            yield Problem.invalid_declaration("AIProviderKey: ttl must be a number of seconds.")


@dataclasses.dataclass(repr=False)
class _KeyValue(AIProviderKey):
    """A check of the value alone, in a place from which the provider is not asked."""

    def _value_problem(
        self, key: Key, problem: Unhealthy | Degraded | None, *, is_gateway: bool
    ) -> Unhealthy | Degraded | None:
        return unhealthy_of(mock_problem(key)) if is_gateway else problem


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None and is_name(value)


def _text(content: object) -> object:
    """Return the text of a key; anything that is not a text as it is."""
    value = content.decode("utf-8", "surrogateescape") if isinstance(content, bytes) else content
    return str(value) if isinstance(value, Promise) else value


def _build_key(provider: Provider, source: str, value: object, variable: str | None) -> Key:
    """Return the key.

    Raises:
        Unhealthy: the key is empty or not a string.
    """
    evidence: dict[str, Evidence] = {"provider": provider.name, "variable" if variable else "source": source}
    location = secret_of(variable) if variable else f"the source of {source}"
    if not isinstance(value, str):
        raise Unhealthy(
            Code.KEY_NOT_TEXT,
            f"{source} contains a value of type {type(value).__name__}, not a string.",
            fault=Fault.CONFIG,
            hint=f"Check {location}. A key must be a string.",
            evidence=evidence,
        )
    if not value:
        raise Unhealthy.of(empty_key(source, evidence))
    evidence["fingerprint"] = values.fingerprint(value, secret())
    return Key(provider, value, source, location, evidence)


def _offline_problems(key: Key, endpoint: ProviderEndpoint) -> tuple[Problem | None, Degraded | None]:
    """Return the problem that the value of a key shows, unless the provider accepts it, and that of its format.

    Raises:
        Unhealthy: the value alone proves the problem, or the declaration is invalid. A gateway issues keys of any
            format, so its response decides about a value.
    """
    problem = offline_problem(key)
    if problem is not None and (not endpoint.is_gateway or problem.code == Code.INVALID_DECLARATION):
        raise Unhealthy.of(problem)
    if endpoint.is_gateway:
        return problem, None
    unusual = unusual_format(key)
    return suspected_placeholder(key), None if unusual is None else Degraded.of(unusual)


def _find_declared_key(
    provider: Provider, declared: str | None, *, skips_empty: bool
) -> tuple[str, object, str | None]:
    """Return the name of the key's source, the value, and the environment variable; None if it is not in one.

    Args:
        provider: the provider of the key.
        declared: the name of an environment variable or a setting; None for the provider's own variables.
        skips_empty: True to ignore variables that are set but empty if another one is not empty.

    Raises:
        Unhealthy: the key is missing.
    """
    names = provider.variables if declared is None else (declared,)
    present = [name for name in names if name in os.environ]
    if present:
        filled = [name for name in present if os.environ[name]] if skips_empty else present
        variable = (filled or present)[0]
        return variable, os.environ[variable], variable
    if declared is not None:
        value = _setting_value(declared)
        if value is not None:
            return f"the setting {declared}", value, None
        raise _missing_key(
            provider,
            [declared],
            f"No key for {provider.label}: {shown_name(declared)} is neither an environment variable nor a setting.",
        )
    verb = "is" if len(names) == 1 else "are"
    raise _missing_key(provider, names, f"No key for {provider.label}: {' and '.join(names)} {verb} not set.")


def _missing_key(provider: Provider, names: Sequence[str], message: str) -> Unhealthy:
    if names:
        name = shown_name(names[0])
        hint = f"Mount {name} into this container: check env or envFrom in the manifest, and the Secret it names."
    else:
        hint = "Check the source from which the function reads the key."
    evidence = {"provider": provider.name, "variables": [*map(shown_name, names)]}
    return Unhealthy(Code.KEY_MISSING, message, fault=Fault.CONFIG, hint=hint, evidence=evidence)


def _names_a_setting(name: str) -> bool:
    """Return True if a declared name is that of a setting. The value does not matter: it may not be set here."""
    return "." in name or hasattr(settings, name)


def _setting_value(path: str) -> object:
    value: object = settings
    for name in path.split("."):
        try:
            value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        except Exception:
            # A property of another package may raise anything. Its value counts as missing.
            return None
    return value
