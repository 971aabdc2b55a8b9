"""What is wrong with a key, wherever it comes from: by its looks, and by what the provider says of it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping

from healthguard import values
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers.catalog import DISTINCTIVE_PREFIXES, provider_of
from healthguard.providers.provider import Place, Provider
from healthguard.providers.verdict import Verdict
from healthguard.providers.verification import Verification
from healthguard.status import Evidence, Fault


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A key, and where it comes from.

    Args:
        provider: whose it should be.
        value: the key itself; shown nowhere.
        source: where it comes from, as the subject of a sentence: a variable's name, or "the key that … vends".
        remedy: where to put another one: "the Secret that … is mounted from".
        evidence: what may be told of it.
    """

    provider: Provider
    value: str = dataclasses.field(repr=False)
    source: str
    remedy: str
    evidence: Mapping[str, Evidence]

    @property
    def title(self) -> str:
        """What people call its provider."""
        return self.provider.label


def corruption(key: Key) -> Unhealthy | None:
    """What happened to the key on its way, which nothing but another copy of it can mend."""
    names, prefixes = (*key.provider.variables, key.source), (*DISTINCTIVE_PREFIXES, *key.provider.prefixes)
    flaw = values.corruption(key.value, names=names, prefixes=prefixes, is_token=True)
    if flaw is None:
        return None
    return Unhealthy(
        "key_corrupted", f"{key.source} {flaw.what}.", fault=Fault.CONFIG, hint=flaw.remedy, evidence=key.evidence
    )


def looks(key: Key) -> Unhealthy | None:
    """What the key's looks say against it. A gateway gives out keys of any form: ask it first."""
    return next(_looks(key), None)


def _looks(key: Key) -> Iterator[Unhealthy]:
    if flaw := values.placeholder(key.value, prefixes=key.provider.prefixes):
        yield Unhealthy(
            "key_placeholder",
            f"{key.source} {flaw.what}: customers would be handed a key that does not work.",
            fault=Fault.CONFIG,
            hint=f"Put a real {key.title} key into {key.remedy}.",
            evidence=key.evidence,
        )
    owner = provider_of(key.value)
    # A key without a prefix of its own begins with another's now and then.
    is_own = bool(key.provider.formats) and key.provider.has_format(key.value)
    if owner is not None and owner.name != key.provider.name and not is_own:
        yield Unhealthy(
            "key_wrong_provider",
            f"{key.source} holds a key of {owner.label}, not of {key.title}.",
            fault=Fault.CONFIG,
            hint="Look at which Secret or which of its keys each variable is mounted from: they may be swapped.",
            evidence={**key.evidence, "key_of": owner.name},
        )
    expires_at = key.provider.expires_at(key.value) if key.provider.expires_at is not None else None
    if expires_at is not None and expires_at <= datetime.datetime.now(datetime.UTC):
        yield Unhealthy(
            "key_expired",
            f"{key.source} expired at {expires_at:%Y-%m-%d %H:%M} UTC, as the key itself tells.",
            fault=Fault.CONFIG,
            hint=f"Put a new {key.title} key into {key.remedy}; what makes such short-lived keys has to renew them.",
            evidence={**key.evidence, "expired_at": expires_at.isoformat()},
        )


def unaskable(key: Key, place: Place) -> Unhealthy | None:
    """That nobody can be asked about the key, for what the provider's address is made of is not set."""
    if not place.missing:
        return None
    name = place.missing[0]
    return Unhealthy(
        "base_url_missing",
        f"{key.source} cannot be asked about: {name} is not set, which the address of {key.title} is made of.",
        fault=Fault.CONFIG,
        hint=f"Mount {name} into this container: {key.title} answers at an address of each customer's own.",
        evidence=key.evidence,
    )


def unusual_form(key: Key) -> Degraded | None:
    """Whether the key looks like none of its provider's: a warning only, for forms change."""
    if key.provider.has_format(key.value):
        return None
    return Degraded(
        "key_format",
        f"{key.source} does not look as keys of {key.title} do.",
        fault=Fault.CONFIG,
        hint="Compare it with the provider's console; if the provider takes it, its keys have a new form.",
        evidence=key.evidence,
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
        "{title} rejects the key: {source} ({reason} from {host}).",
        "{rejected_hint}Make a new key in {title}'s console, put it into {remedy}, and restart the pods.",
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
        "The key is real, but {title} restricts it: {source} ({reason} from {host}).",
        "Look at its scopes and at the addresses it may come from; declare verify=False if it is not meant to list "
        "models.",
    ),
    Verdict.NO_FUNDS: _Meaning(
        Degraded,
        "key_no_funds",
        Fault.CONFIG,
        "The key is real, but out of funds or over a limit: {source} ({reason} from {host}).",
        "Look at credit and spending limits in {title}'s console.",
    ),
    Verdict.RATE_LIMITED: _Meaning(
        Degraded,
        "provider_rate_limited",
        Fault.OUTAGE,
        "{title} limits the rate and does not tell about the key: {source} ({reason} from {host}).{last}",
        "It passes by itself; if it stays, look for what uses up the limit.",
    ),
    Verdict.DOWN: _Meaning(
        Degraded,
        "provider_down",
        Fault.OUTAGE,
        "{title} does not answer ({reason} from {host}): nothing new is known of the key: {source}.{last}",
        "Look at the provider's status page, and whether this pod may reach it (DNS, egress, proxy).",
    ),
    Verdict.UNKNOWN: _Meaning(
        Degraded,
        "provider_unclear",
        Fault.OUTAGE,
        "The answer from {host} ({reason}) tells nothing of the key: {source}.{last}",
        "Look whether {base_urls} is right, and whether a proxy answers in the provider's place.",
    ),
}


def judgement(key: Key, verification: Verification, good_at: float | None = None) -> Unhealthy | Degraded | None:
    """What the provider's answer means; None where it is that the key is real.

    Args:
        key: the key.
        verification: what came of asking.
        good_at: when the provider last knew the key (``time.time()`` seconds), to be told while it does not say.
    """
    meaning = _MEANINGS.get(verification.verdict)
    if meaning is None:
        return None
    provider = key.provider
    evidence = {**key.evidence, **answer(verification)}
    last = ""
    if "{last}" in meaning.message and good_at is not None:
        at = datetime.datetime.fromtimestamp(good_at, datetime.UTC)
        evidence["last_verified_at"] = at.isoformat(timespec="seconds")
        last = f" It was last verified at {at:%Y-%m-%d %H:%M} UTC."
    words = {
        "title": key.title,
        "source": key.source,
        "remedy": key.remedy,
        "reason": verification.reason,
        "host": verification.host,
        "last": last,
        "rejected_hint": f"{provider.rejected_hint} " if provider.rejected_hint else "",
        "base_urls": " or ".join(provider.base_url_variables) or "the base URL",
    }
    return meaning.raises(
        meaning.code,
        meaning.message.format(**words),
        fault=meaning.fault,
        hint=meaning.hint.format(**words),
        evidence=evidence,
    )


def answer(verification: Verification) -> dict[str, Evidence]:
    """What may be told of an answer."""
    return {"verdict": str(verification.verdict), "asked": verification.host, "answer": verification.reason}
