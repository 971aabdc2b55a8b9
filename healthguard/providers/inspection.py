"""The problems of a key that the environment and the response of its provider show."""

from __future__ import annotations

import dataclasses
import datetime
import re

from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers.key_value import Key, offline_problem, suspected_placeholder
from healthguard.providers.provider import ProviderEndpoint
from healthguard.providers.verdict import PROVEN, Verdict
from healthguard.providers.verification import Verification
from healthguard.status import Code, Evidence, Fault, Problem

# The values that Ollama, vLLM, LM Studio, llama.cpp and LocalAI document for clients that require a key.
_KEYLESS = re.compile(
    r"ollama|empty|vllm|token-abc123|lm[-_]?studio|llama[-_.]?cpp|local(ai)?|unused|ignored|n/?a"
    r"|(sk[-_])?(no|none|not)([-_]?(api[-_]?)?key)?[-_]?(needed|required|necessary|used)|(sk[-_])?no[-_]?(api[-_]?)?key",
    re.IGNORECASE,
)


def unhealthy_of(problem: Problem | None) -> Unhealthy | None:
    """Return the error of a problem of a value; None if there is none."""
    return None if problem is None else Unhealthy.of(problem)


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


def _problem_at_open_server(key: Key, verification: Verification) -> Unhealthy | None:
    """Return the problem that the value of a key shows, if the server gives the same response to any key.

    A key of another provider is not a problem, because the server may pass it on to that provider. Neither is a value
    that the documentation of a server without keys prescribes.
    """
    if _KEYLESS.fullmatch(key.value):
        return None
    suspicion = offline_problem(key)
    if suspicion is None or suspicion.code == Code.KEY_WRONG_PROVIDER:
        suspicion = suspected_placeholder(key)
    if suspicion is None:
        return None
    hint = (
        f"{suspicion.hint} {verification.host} gives the same response to any key. If it does not check keys, "
        "declare unknown_keys='accepted' in the Provider."
    )
    evidence = {**suspicion.evidence, **verification_evidence(verification)}
    return Unhealthy.of(dataclasses.replace(suspicion, hint=hint, evidence=evidence))


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
    key: Key, verification: Verification, suspicion: Problem | None, *, is_gateway: bool
) -> Unhealthy | Degraded | None:
    """Return the problem that the value of a key shows, unless the verification refutes it.

    Args:
        key: the key.
        verification: the result of the verification.
        suspicion: the problem that the value of the key shows; None if it shows none.
        is_gateway: True if the server issues keys of any format.
    """
    if suspicion is not None and suspicion.code == Code.INVALID_DECLARATION:
        return Unhealthy.of(suspicion)
    match verification.verdict:
        case Verdict.UNPROVEN:
            return _problem_at_open_server(key, verification)
        case Verdict.ACCEPTED:
            return _unproven_placeholder(key, verification) if _is_placeholder(suspicion) else None
        case verdict if verdict is not Verdict.REJECTED and (verdict in PROVEN or is_gateway):
            return None
    return unhealthy_of(suspicion)


def _is_placeholder(suspicion: Problem | None) -> bool:
    return suspicion is not None and suspicion.code == Code.KEY_PLACEHOLDER


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
        at = _utc(last_verified_at)
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
        text.message.format(**parameters) + _pause_text(verification),
        fault=text.fault,
        hint=text.hint.format(**parameters),
        evidence=evidence,
    )


def verification_evidence(verification: Verification) -> dict[str, Evidence]:
    """Return the facts about a verification that may be shown."""
    facts: dict[str, Evidence] = {
        "verdict": str(verification.verdict),
        "asked": verification.host,
        "answer": verification.reason,
    }
    if verification.pause is not None:
        # Even a request for fresh results gets this verification again.
        answered_at, paused_until = map(_utc, verification.pause)
        facts["answered_at"] = answered_at.isoformat(timespec="seconds")
        facts["paused_until"] = paused_until.isoformat(timespec="seconds")
    return facts


def _pause_text(verification: Verification) -> str:
    """Return a sentence about the pause that the provider requested; an empty text if there is none."""
    if verification.pause is None:
        return ""
    answered_at, paused_until = map(_utc, verification.pause)
    return (
        f" The response is from {answered_at:%Y-%m-%d %H:%M:%S} UTC. Because of its Retry-After header, the next "
        f"request is sent after {paused_until:%Y-%m-%d %H:%M:%S} UTC."
    )


def _utc(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
