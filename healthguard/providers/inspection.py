"""What is wrong with a key, wherever it comes from: by its looks, and by what the provider says of it."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping

from healthguard import values
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers.catalog import DISTINCTIVE_PREFIXES, provider_of
from healthguard.providers.provider import Place, Provider
from healthguard.providers.verdict import KNOWS_KEY, Verdict
from healthguard.providers.verification import Verification
from healthguard.status import Evidence, Fault, Problem

# What Ollama, vLLM, LM Studio, llama.cpp and LocalAI tell their users to send, because clients insist on a key.
_KEYLESS = re.compile(
    r"ollama|empty|vllm|token-abc123|lm[-_]?studio|llama[-_.]?cpp|local(ai)?|unused|ignored|n/?a"
    r"|(sk[-_])?(no|none|not)([-_]?(api[-_]?)?key)?[-_]?(needed|required|necessary|used)|(sk[-_])?no[-_]?(api[-_]?)?key",
    re.IGNORECASE,
)


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
        yield _placeholder(key, flaw.what)
    owner = _owner(key)
    if owner is not None:
        yield Unhealthy(
            "key_wrong_provider",
            f"{key.source} holds a key of {owner.label}, not of {key.title}.",
            fault=Fault.CONFIG,
            hint="Look at which Secret or which of its keys each variable is mounted from: they may be swapped."
            + _place_hint(key),
            evidence={**key.evidence, "key_of": owner.name},
        )
    expires_at = _expires_at(key)
    if expires_at is not None and expires_at <= datetime.datetime.now(datetime.UTC):
        yield Unhealthy(
            "key_expired",
            f"{key.source} expired at {expires_at:%Y-%m-%d %H:%M} {expires_at.tzname()}, as the key itself tells.",
            fault=Fault.CONFIG,
            hint=f"Put a new {key.title} key into {key.remedy}; what makes such short-lived keys has to renew them.",
            evidence={**key.evidence, "expired_at": expires_at.isoformat()},
        )


def _place_hint(key: Key) -> str:
    """Return what to check besides the key if the base URL, and not the variable, says whose key it must be."""
    if "asked_as" not in key.evidence:
        return ""
    return (
        f" Check {' or '.join(key.provider.place_variables) or 'the base URL'} as well: it names a host of {key.title}."
    )


def _placeholder(key: Key, what: str) -> Unhealthy:
    return Unhealthy(
        "key_placeholder",
        f"{key.source} {what}: customers would be handed a key that does not work.",
        fault=Fault.CONFIG,
        hint=f"Put a real {key.title} key into {key.remedy}.",
        evidence=key.evidence,
    )


def _owner(key: Key) -> Provider | None:
    """The other provider whose key it is; None if it is none's, or may well be its own."""
    own, other = key.provider, provider_of(key.value)
    if other is None or other.name == own.name:
        return None
    if not own.formats and not own.prefixes:
        # Nothing is known of how its keys look: a second account with that provider, say.
        return None
    # A key without a prefix of its own begins with another's now and then.
    is_own = bool(own.formats) and own.has_format(key.value)
    longest = {provider.name: _longest(provider.prefixes, key.value) for provider in (own, other)}
    return None if is_own or longest[own.name] >= longest[other.name] else other


def _longest(prefixes: Iterable[str], key: str) -> int:
    return max((len(prefix) for prefix in prefixes if key.startswith(prefix)), default=0)


def _expires_at(key: Key) -> datetime.datetime | None:
    """When the key expires, as its own text tells.

    Raises:
        Unhealthy: the provider's function for it does not work.
    """
    if key.provider.expires_at is None:
        return None
    try:
        at = key.provider.expires_at(key.value)
        return at and (at if at.tzinfo else at.replace(tzinfo=datetime.UTC))
    except Exception as error:
        # Not its text, which may hold the key.
        raise Unhealthy.of(
            Problem.misdeclared(f"expires_at of {key.provider!r} does not work ({type(error).__name__}).")
        ) from None


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


def suspicion(key: Key) -> Unhealthy | None:
    """What speaks for a mock, and proves nothing: a word in what looks like none of the provider's keys.

    Who knows that the provider takes the key need not ask.
    """
    if key.provider.has_format(key.value):
        return None
    if not values.suggests_a_placeholder(key.value, prefixes=key.provider.prefixes):
        return None
    return _placeholder(key, "looks like a mock or a placeholder, and not as its keys do")


def unproven_looks(key: Key, verification: Verification) -> Unhealthy | None:
    """Return what the key's looks say against it where the server gives the same answer to any key.

    Whose key it is cannot be judged: another provider's may be meant for what stands behind the server. A value that
    the documentation of a server without keys prescribes is not a key that somebody forgot.
    """
    if _KEYLESS.fullmatch(key.value):
        return None
    doubt = looks(key)
    if doubt is None or doubt.problem.code == "key_wrong_provider":
        doubt = suspicion(key)
    if doubt is None:
        return None
    hint = (
        f"{doubt.problem.hint} {verification.host} gives any key the same answer; if it checks no keys, declare "
        "unknown_keys='accepted' in the Provider."
    )
    evidence = {**doubt.problem.evidence, **answer(verification)}
    return Unhealthy.of(dataclasses.replace(doubt.problem, hint=hint, evidence=evidence))


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
    Verdict.UNPROVEN: _Meaning(
        Degraded,
        "key_unproven",
        Fault.CONFIG,
        "Nothing shows that {source} is a real key: {host} gives a random key the same answer ({reason}).",
        "Declare a Provider with a request that {host} refuses for an unknown key. If it checks no keys, declare "
        "unknown_keys='accepted' in the Provider, or verify=False.",
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
        "{title} does not answer at {host} ({reason}): nothing new is known of the key: {source}.{last}",
        "Look at the provider's status page, whether this pod may reach it (DNS, egress, proxy, certificates), and "
        "whether {base_urls} is right.",
    ),
    Verdict.UNKNOWN: _Meaning(
        Degraded,
        "provider_unclear",
        Fault.OUTAGE,
        "The answer from {host} ({reason}) tells nothing of the key: {source}.{last}",
        "Look whether {base_urls} is right, and whether a proxy answers in the provider's place.",
    ),
}


def weighed(
    key: Key, verification: Verification, doubt: Unhealthy | None, *, is_gateway: bool
) -> Unhealthy | Degraded | None:
    """Return what speaks against a key, of its looks and of the answer about it, that the answer does not refute.

    Args:
        key: the key.
        verification: what came of asking.
        doubt: what the key's looks say against it.
        is_gateway: True if the server gives out keys of any form.
    """
    match verification.verdict:
        case Verdict.UNPROVEN:
            return unproven_looks(key, verification)
        case Verdict.ACCEPTED:
            return doubtful(key, verification) if _is_placeholder(doubt) else None
        case Verdict.REJECTED:
            return doubt
        case verdict if verdict in KNOWS_KEY or is_gateway:
            return None
    return doubt


def _is_placeholder(doubt: Unhealthy | None) -> bool:
    return doubt is not None and doubt.problem.code == "key_placeholder"


def doubtful(key: Key, verification: Verification) -> Degraded:
    """Return the problem of a key that looks like a placeholder, and that a server takes which may take any."""
    return Degraded(
        "key_unproven",
        f"Nothing shows that {key.source} is a real key: it looks like a placeholder, and whether {verification.host} "
        f"takes any key could not be found out ({verification.reason}).",
        fault=Fault.CONFIG,
        hint=f"Check that {key.remedy} holds a real {key.title} key.",
        evidence={**key.evidence, **answer(verification)},
    )


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
        "base_urls": " or ".join(provider.place_variables) or "the base URL",
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
