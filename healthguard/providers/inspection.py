"""The problems of a key, from any source: those that its value shows, and those that the provider reports."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping

from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers.catalog import UNIQUE_PREFIXES, provider_of
from healthguard.providers.provider import Provider, ProviderEndpoint
from healthguard.providers.verdict import PROVEN, Verdict
from healthguard.providers.verification import Verification
from healthguard.secret_values import values
from healthguard.status import Code, Evidence, Fault, Problem

# The values that Ollama, vLLM, LM Studio, llama.cpp and LocalAI document for clients that require a key.
_KEYLESS = re.compile(
    r"ollama|empty|vllm|token-abc123|lm[-_]?studio|llama[-_.]?cpp|local(ai)?|unused|ignored|n/?a"
    r"|(sk[-_])?(no|none|not)([-_]?(api[-_]?)?key)?[-_]?(needed|required|necessary|used)|(sk[-_])?no[-_]?(api[-_]?)?key",
    re.IGNORECASE,
)

_MOCK = re.compile(r"(?<![a-z])mock(?![a-z])", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A key and its source.

    Args:
        provider: the provider that the key should belong to.
        value: the key itself. It is never shown.
        source: the source of the key, as the subject of a sentence: the name of a variable, or "the key that … vends".
        location: the place in which to put a new key: "the Secret that … is mounted from".
        evidence: the facts about the key that may be shown.
    """

    provider: Provider
    value: str = dataclasses.field(repr=False)
    source: str
    location: str
    evidence: Mapping[str, Evidence]

    @property
    def title(self) -> str:
        """The display name of the provider."""
        return self.provider.label


def corruption(key: Key) -> Unhealthy | None:
    """Return the problem of a key that was corrupted on its way into the environment; None if it was not."""
    names, prefixes = (*key.provider.variables, key.source), (*UNIQUE_PREFIXES, *key.provider.prefixes)
    flaw = values.corruption(key.value, names=names, prefixes=prefixes, is_token=True)
    if flaw is None:
        return None
    return Unhealthy(
        Code.KEY_CORRUPTED, f"{key.source} {flaw.what}.", fault=Fault.CONFIG, hint=flaw.remedy, evidence=key.evidence
    )


def offline_problem(key: Key) -> Unhealthy | None:
    """Return the first problem that the value of the key shows; None if it shows none.

    A gateway issues keys of any format, so its response takes precedence over this problem.
    """
    return next(_offline_problems(key), None)


def mock_problem(key: Key) -> Unhealthy | None:
    """Return the problem of a key that calls itself a mock, as no gateway's key for a deployment does; else None."""
    if not _MOCK.search(key.value):
        return None
    problem = _placeholder(key, "contains the word mock").problem
    hint = f"{problem.hint} If the gateway accepts it, declare AIProviderKey(…, verify=False)."
    return Unhealthy.of(dataclasses.replace(problem, hint=hint))


def _offline_problems(key: Key) -> Iterator[Unhealthy]:
    if flaw := values.placeholder(key.value, prefixes=key.provider.prefixes):
        yield _placeholder(key, flaw.what)
    owner = _owner(key)
    if owner is not None:
        yield Unhealthy(
            Code.KEY_WRONG_PROVIDER,
            f"{key.source} contains a key of {owner.label}, not of {key.title}.",
            fault=Fault.CONFIG,
            hint="Check which Secret, and which key of it, each variable is mounted from; two may be swapped."
            + _base_url_hint(key),
            evidence={**key.evidence, "key_of": owner.name},
        )
    expires_at = _expires_at(key)
    if expires_at is not None and expires_at <= datetime.datetime.now(datetime.UTC):
        yield Unhealthy(
            Code.KEY_EXPIRED,
            f"{key.source} expired at {expires_at:%Y-%m-%d %H:%M} {expires_at.tzname()}, according to the key itself.",
            fault=Fault.CONFIG,
            hint=f"Put a new {key.title} key into {key.location}. Check the process that renews short-lived keys.",
            evidence={**key.evidence, "expired_at": expires_at.isoformat()},
        )


def _base_url_hint(key: Key) -> str:
    """Return a hint about the base URL, if the base URL and not the declaration determines the provider of the key."""
    if "asked_as" not in key.evidence:
        return ""
    return (
        f" Check {' or '.join(key.provider.endpoint_variables) or 'the base URL'} as well; it points to a host of "
        f"{key.title}."
    )


def _placeholder(key: Key, description: str) -> Unhealthy:
    return Unhealthy(
        Code.KEY_PLACEHOLDER,
        f"{key.source} {description}. Requests to {key.title} with this key will fail.",
        fault=Fault.CONFIG,
        hint=f"Put a real {key.title} key into {key.location}.",
        evidence=key.evidence,
    )


def _owner(key: Key) -> Provider | None:
    """Return another provider that the key belongs to; None if there is none, or if the declared one may own it."""
    declared, other = key.provider, provider_of(key.value)
    if other is None or other.name == declared.name:
        return None
    if not declared.formats and not declared.prefixes:
        # The key formats of the declared provider are not known. It may be a second account at the other provider.
        return None
    # A key without a fixed prefix may start with another provider's prefix at random.
    has_format = bool(declared.formats) and declared.has_format(key.value)
    lengths = {provider.name: _prefix_length(provider.prefixes, key.value) for provider in (declared, other)}
    return None if has_format or lengths[declared.name] >= lengths[other.name] else other


def _prefix_length(prefixes: Iterable[str], key: str) -> int:
    return max((len(prefix) for prefix in prefixes if key.startswith(prefix)), default=0)


def _expires_at(key: Key) -> datetime.datetime | None:
    """Return the time at which the key expires, if the key contains it; otherwise None.

    Raises:
        Unhealthy: the provider's ``expires_at`` function failed.
    """
    if key.provider.expires_at is None:
        return None
    try:
        at = key.provider.expires_at(key.value)
        return at and (at if at.tzinfo else at.replace(tzinfo=datetime.UTC))
    except Exception as error:
        # The text of the error is not shown, because it may contain the key.
        raise Unhealthy.of(
            Problem.invalid_declaration(f"The expires_at function of {key.provider!r} failed ({type(error).__name__}).")
        ) from None


def endpoint_problem(key: Key, endpoint: ProviderEndpoint) -> Unhealthy | None:
    """Return the problem of a base URL with a variable that is not set; None if all of them are set."""
    if not endpoint.missing:
        return None
    name = endpoint.missing[0]
    return Unhealthy(
        Code.BASE_URL_MISSING,
        f"{key.source} cannot be verified: {name}, which is part of the base URL of {key.title}, is not set.",
        fault=Fault.CONFIG,
        hint=f"Mount {name} into this container; each customer of {key.title} has a separate base URL.",
        evidence=key.evidence,
    )


def suspected_placeholder(key: Key) -> Unhealthy | None:
    """Return the problem of a key that contains a word like "mock" and has none of the provider's formats; else None.

    The word is not proof. The problem does not apply if the provider accepts the key.
    """
    if key.provider.has_format(key.value):
        return None
    if not values.suggests_a_placeholder(key.value, prefixes=key.provider.prefixes):
        return None
    return _placeholder(key, f"looks like a mock or a placeholder and not like a key of {key.title}")


def _problem_at_open_server(key: Key, verification: Verification) -> Unhealthy | None:
    """Return the problem that the value of a key shows, if the server gives the same response to any key.

    A key of another provider is not a problem, because the server may pass it on to that provider. Neither is a value
    that the documentation of a server without keys prescribes.
    """
    if _KEYLESS.fullmatch(key.value):
        return None
    suspicion = offline_problem(key)
    if suspicion is None or suspicion.problem.code == Code.KEY_WRONG_PROVIDER:
        suspicion = suspected_placeholder(key)
    if suspicion is None:
        return None
    hint = (
        f"{suspicion.problem.hint} {verification.host} gives the same response to any key. If it does not check keys, "
        "declare unknown_keys='accepted' in the Provider."
    )
    evidence = {**suspicion.problem.evidence, **verification_evidence(verification)}
    return Unhealthy.of(dataclasses.replace(suspicion.problem, hint=hint, evidence=evidence))


def unusual_format(key: Key) -> Degraded | None:
    """Return the problem of a key with none of the provider's formats; else None.

    It is only a warning, because providers introduce new formats.
    """
    if key.provider.has_format(key.value):
        return None
    return Degraded(
        Code.KEY_FORMAT,
        f"{key.source} does not have the format of a key of {key.title}.",
        fault=Fault.CONFIG,
        hint="Compare it with the key in the provider's console. If the provider accepts it, the format is new.",
        evidence=key.evidence,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _VerdictText:
    """The exception for a verdict. The message and the hint are templates."""

    exception: type[Unhealthy | Degraded]
    code: Code
    fault: Fault
    message: str
    hint: str


_VERDICT_TEXTS = {
    Verdict.REJECTED: _VerdictText(
        Unhealthy,
        Code.KEY_REJECTED,
        Fault.CONFIG,
        "{title} rejects the key: {source} ({reason} from {host}).",
        "{rejected_hint}Create a new key in {title}'s console, put it into {location}, and restart the pods.",
    ),
    Verdict.NOT_ASKED: _VerdictText(
        Unhealthy,
        Code.BASE_URL_INVALID,
        Fault.CONFIG,
        "The base URL of {title} is not an http or https URL, so no request to it can succeed.",
        "Check {base_urls}.",
    ),
    Verdict.UNPROVEN: _VerdictText(
        Degraded,
        Code.KEY_UNPROVEN,
        Fault.CONFIG,
        "The key could not be verified: {source}. {host} gives the same response to a random key ({reason}).",
        "Declare a Provider with a request that {host} rejects for an unknown key. If it does not check keys, declare "
        "unknown_keys='accepted' in the Provider, or verify=False.",
    ),
    Verdict.RESTRICTED: _VerdictText(
        Degraded,
        Code.KEY_RESTRICTED,
        Fault.CONFIG,
        "The key is real, but {title} restricts it: {source} ({reason} from {host}).",
        "Check the scopes and the allowed IP addresses of the key. If it is not meant to list models, declare "
        "verify=False.",
    ),
    Verdict.NO_FUNDS: _VerdictText(
        Degraded,
        Code.KEY_NO_FUNDS,
        Fault.CONFIG,
        "The key is real, but it is out of funds or over a limit: {source} ({reason} from {host}).",
        "Check the credit and the spending limits in {title}'s console.",
    ),
    Verdict.RATE_LIMITED: _VerdictText(
        Degraded,
        Code.PROVIDER_RATE_LIMITED,
        Fault.OUTAGE,
        "{title} limits the rate of requests, so the key could not be verified: {source} ({reason} from {host}).{last}",
        "Wait, because this passes by itself. If it persists, find out what uses up the rate limit.",
    ),
    Verdict.DOWN: _VerdictText(
        Degraded,
        Code.PROVIDER_DOWN,
        Fault.OUTAGE,
        "{title} is not available at {host} ({reason}), so the key could not be verified: {source}.{last}",
        "Check the provider's status page, the network access of this pod (DNS, egress, proxy, certificates), and "
        "{base_urls}.",
    ),
    Verdict.UNKNOWN: _VerdictText(
        Degraded,
        Code.PROVIDER_INCONCLUSIVE,
        Fault.OUTAGE,
        "The response from {host} ({reason}) does not show if the key is valid: {source}.{last}",
        "Check {base_urls}. Check that no proxy responds instead of the provider.",
    ),
}


def unrefuted_problem(
    key: Key, verification: Verification, suspicion: Unhealthy | None, *, is_gateway: bool
) -> Unhealthy | Degraded | None:
    """Return the problem that the value of a key shows, unless the verification refutes it.

    Args:
        key: the key.
        verification: the result of the verification.
        suspicion: the problem that the value of the key shows; None if it shows none.
        is_gateway: True if the server issues keys of any format.
    """
    match verification.verdict:
        case Verdict.UNPROVEN:
            return _problem_at_open_server(key, verification)
        case Verdict.ACCEPTED:
            return _unproven_placeholder(key, verification) if _is_placeholder(suspicion) else None
        case Verdict.REJECTED:
            return suspicion
        case verdict if verdict in PROVEN or is_gateway:
            return None
    return suspicion


def _is_placeholder(suspicion: Unhealthy | None) -> bool:
    return suspicion is not None and suspicion.problem.code == Code.KEY_PLACEHOLDER


def _unproven_placeholder(key: Key, verification: Verification) -> Degraded:
    """Return the problem of a key that looks like a placeholder, at a server that accepts it and may accept any key."""
    return Degraded(
        Code.KEY_UNPROVEN,
        f"The key could not be verified: {key.source}. It looks like a placeholder, and {verification.host} may accept "
        f"any key ({verification.reason}).",
        fault=Fault.CONFIG,
        hint=f"Check that {key.location} contains a real {key.title} key.",
        evidence={**key.evidence, **verification_evidence(verification)},
    )


def verdict_problem(
    key: Key, verification: Verification, last_verified_at: float | None = None
) -> Unhealthy | Degraded | None:
    """Return the problem that a verdict means; None if the key is accepted.

    Args:
        key: the key.
        verification: the result of the verification.
        last_verified_at: the time at which the provider last accepted the key (``time.time()`` seconds). It is reported
            while the key cannot be verified.
    """
    text = _VERDICT_TEXTS.get(verification.verdict)
    if text is None:
        return None
    provider = key.provider
    evidence = {**key.evidence, **verification_evidence(verification)}
    last = ""
    if "{last}" in text.message and last_verified_at is not None:
        at = datetime.datetime.fromtimestamp(last_verified_at, datetime.UTC)
        evidence["last_verified_at"] = at.isoformat(timespec="seconds")
        last = f" It was last verified at {at:%Y-%m-%d %H:%M} UTC."
    parameters = {
        "title": key.title,
        "source": key.source,
        "location": key.location,
        "reason": verification.reason,
        "host": verification.host,
        "last": last,
        "rejected_hint": f"{provider.rejected_hint} " if provider.rejected_hint else "",
        "base_urls": " or ".join(provider.endpoint_variables) or "the base URL",
    }
    return text.exception(
        text.code,
        text.message.format(**parameters),
        fault=text.fault,
        hint=text.hint.format(**parameters),
        evidence=evidence,
    )


def verification_evidence(verification: Verification) -> dict[str, Evidence]:
    """Return the facts about a verification that may be shown."""
    return {"verdict": str(verification.verdict), "asked": verification.host, "answer": verification.reason}
