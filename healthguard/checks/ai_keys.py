"""The keys of AI providers: present, whole, no mock, and real."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterator, Mapping

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from health_check.base import HealthCheck

from healthguard import values
from healthguard.deadline import wait_limit
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers import PROVIDERS, Provider, Verdict, Verification, provider_named, provider_of, verify
from healthguard.status import Evidence, Fault, Problem

DEFAULT_LIMIT = 5.0
"""How long asking may take where no deadline is set (seconds): django-health-check's own timeout."""

_MAX_NAME = 20
_DISTINCTIVE = tuple(prefix for provider in PROVIDERS.values() for prefix in provider.distinctive)


@dataclasses.dataclass
class AIProviderKey(HealthCheck):
    """The key of an AI provider is set, arrived whole, is no placeholder, and the provider takes it.

    The provider is asked for its list of models, which costs no token. That it is down, slow or limits the rate is
    degraded: it says nothing of the key, and nobody here can mend it.

    Args:
        provider: the provider's name, like ``"anthropic"``.
        verify: whether to ask the provider. Without, only the key's looks are judged.
    """

    provider: str
    verify: bool = True

    ttl = 300.0
    """How long a service holds the answer if it does not say otherwise (seconds)."""

    async def run(self) -> Mapping[str, Evidence]:
        """Judge the key; returns facts about it.

        Raises:
            Unhealthy: the key is absent, empty, corrupted, a placeholder, another provider's, or rejected.
            Degraded: of an unusual form, restricted or out of funds; or the provider does not tell.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        provider = PROVIDERS[self.provider]
        variable, key = _key(provider)
        base_url, is_gateway = _base_url(provider)
        evidence: dict[str, Evidence] = {
            "provider": provider.name,
            "variable": variable,
            "fingerprint": values.fingerprint(key, _secret_key()),
        }
        _judge_transport(provider, variable, key, evidence)
        looks = _looks(provider, variable, key, evidence)
        # A gateway gives out keys of its own, of any form: there only its own answer counts.
        if looks is not None and not is_gateway:
            raise looks
        if not self.verify:
            _judge_format(provider, variable, key, is_gateway, evidence)
            return evidence
        limit = wait_limit(min(DEFAULT_LIMIT, self.timeout.total_seconds()))
        verification = await verify(provider, key, base_url=base_url, variable=variable, limit=limit)
        evidence |= {"verdict": str(verification.verdict), "asked": verification.host, "answer": verification.reason}
        if verification.verdict is Verdict.REJECTED and looks is not None:
            raise looks
        _judge_verdict(provider, variable, verification, evidence)
        _judge_format(provider, variable, key, is_gateway, evidence)
        return evidence

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself."""
        if provider_named(self.provider) is None:
            near = difflib.get_close_matches(str(self.provider), PROVIDERS, 1)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            # What cannot be a name is not shown: it may be the key, by mistake.
            is_name = values.is_plain_name(self.provider, prefixes=_DISTINCTIVE) and len(self.provider) <= _MAX_NAME
            yield Problem(
                "misdeclared",
                Fault.CONFIG,
                f"There is no AI provider {self.provider!r}." if is_name else "AIProviderKey takes a provider's name.",
                f"{meant}Known are: {', '.join(sorted(PROVIDERS))}.",
            )


def _key(provider: Provider) -> tuple[str, str]:
    """The variable that holds the key, and the key. The first that is set wins, even empty, as in the SDKs."""
    variable = next((name for name in provider.variables if name in os.environ), None)
    if variable is None:
        raise Unhealthy(
            "key_missing",
            f"No key for {provider.title}: {' and '.join(provider.variables)} are not set.",
            fault=Fault.CONFIG,
            hint=f"Mount {provider.variables[0]} into this container: env or envFrom in the manifest, and the Secret "
            "it names.",
            evidence={"provider": provider.name, "variables": list(provider.variables)},
        )
    key = os.environ[variable]
    if not key:
        raise Unhealthy(
            "key_empty",
            f"{variable} {values.EMPTY.what}.",
            fault=Fault.CONFIG,
            hint=values.EMPTY.remedy,
            evidence={"provider": provider.name, "variable": variable},
        )
    return variable, key


def _base_url(provider: Provider) -> tuple[str, bool]:
    """Where to ask, and whether that is a gateway rather than the provider itself."""
    given = next((os.environ[name] for name in provider.base_url_variables if os.environ.get(name)), None)
    if given is None:
        return provider.base_url, False
    given = given.strip()
    return given, given.rstrip("/") != provider.base_url


def _secret_key() -> str:
    try:
        return str(settings.SECRET_KEY)
    except (ImproperlyConfigured, AttributeError):
        return ""


def _judge_transport(provider: Provider, variable: str, key: str, evidence: Mapping[str, Evidence]) -> None:
    flaw = values.corruption(key, names=provider.variables, prefixes=_DISTINCTIVE, is_token=True)
    if flaw is not None:
        raise Unhealthy(
            "key_corrupted", f"{variable} {flaw.what}.", fault=Fault.CONFIG, hint=flaw.remedy, evidence=evidence
        )


def _looks(provider: Provider, variable: str, key: str, evidence: Mapping[str, Evidence]) -> Unhealthy | None:
    """What the key's looks say against it."""
    if flaw := values.placeholder(key, prefixes=provider.prefixes):
        return Unhealthy(
            "key_placeholder",
            f"{variable} {flaw.what}: customers would be handed a key that does not work.",
            fault=Fault.CONFIG,
            hint=f"Put a real {provider.title} key into the Secret that {variable} is mounted from.",
            evidence=evidence,
        )
    owner = provider_of(key)
    if owner is not None and owner is not provider:
        return Unhealthy(
            "key_wrong_provider",
            f"{variable} holds a key of {owner.title}, not of {provider.title}.",
            fault=Fault.CONFIG,
            hint="Look at which Secret or which of its keys each variable is mounted from: they may be swapped.",
            evidence={**evidence, "key_of": owner.name},
        )
    return None


def _judge_format(
    provider: Provider, variable: str, key: str, is_gateway: bool, evidence: Mapping[str, Evidence]
) -> None:
    if is_gateway or provider.has_format(key):
        return
    raise Degraded(
        "key_format",
        f"{variable} does not look as keys of {provider.title} do.",
        fault=Fault.CONFIG,
        hint="Compare it with the provider's console; if the provider takes it, its keys have a new form.",
        evidence=evidence,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Meaning:
    """What a verdict means for the deployment; the texts are templates."""

    raises: type[Unhealthy | Degraded]
    code: str
    fault: Fault
    message: str
    hint: str


_MEANINGS = {
    Verdict.REJECTED: _Meaning(
        Unhealthy,
        "key_rejected",
        Fault.CONFIG,
        "{title} rejects the key in {variable} ({reason} from {host}).",
        "Make a new key in {title}'s console, put it into the Secret that {variable} is mounted from, and restart the "
        "pods.",
    ),
    Verdict.NOT_ASKED: _Meaning(
        Unhealthy,
        "base_url_invalid",
        Fault.CONFIG,
        "Where to ask {title} is not an http or https URL, so no call to it can succeed.",
        "Look at {base_urls}.",
    ),
    Verdict.RESTRICTED: _Meaning(
        Degraded,
        "key_restricted",
        Fault.CONFIG,
        "The key in {variable} is real, but {title} restricts it ({reason} from {host}).",
        "Look at its scopes and at the addresses it may come from; declare verify=False if it is not meant to list "
        "models.",
    ),
    Verdict.NO_FUNDS: _Meaning(
        Degraded,
        "key_no_funds",
        Fault.CONFIG,
        "The key in {variable} is real, but out of funds or over a limit ({reason} from {host}).",
        "Look at credit and spending limits in {title}'s console.",
    ),
    Verdict.RATE_LIMITED: _Meaning(
        Degraded,
        "provider_rate_limited",
        Fault.OUTAGE,
        "{title} limits the rate and does not tell about the key in {variable} ({reason} from {host}).",
        "It passes by itself; if it stays, look for what uses up the limit.",
    ),
    Verdict.DOWN: _Meaning(
        Degraded,
        "provider_down",
        Fault.OUTAGE,
        "{title} does not answer ({reason} from {host}): nothing is known of the key in {variable}.",
        "Look at the provider's status page, and whether this pod may reach it (DNS, egress, proxy).",
    ),
    Verdict.UNKNOWN: _Meaning(
        Degraded,
        "provider_unclear",
        Fault.OUTAGE,
        "The answer from {host} ({reason}) tells nothing of the key in {variable}.",
        "Look whether {base_urls} is right, and whether a proxy answers in the provider's place.",
    ),
}


def _judge_verdict(
    provider: Provider, variable: str, verification: Verification, evidence: Mapping[str, Evidence]
) -> None:
    meaning = _MEANINGS.get(verification.verdict)
    if meaning is None:
        return
    words = {
        "title": provider.title,
        "variable": variable,
        "reason": verification.reason,
        "host": verification.host,
        "base_urls": " or ".join(provider.base_url_variables) or "the base URL",
    }
    raise meaning.raises(
        meaning.code,
        meaning.message.format(**words),
        fault=meaning.fault,
        hint=meaning.hint.format(**words),
        evidence=evidence,
    )
