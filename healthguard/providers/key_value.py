"""The problems that the value of a key shows. Pure functions, without Django."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping

from healthguard.providers.catalog import UNIQUE_PREFIXES, provider_of
from healthguard.providers.provider import Provider
from healthguard.secret_values import values
from healthguard.status import Code, Evidence, Fault, Problem

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


def empty_key(source: str, evidence: Mapping[str, Evidence]) -> Problem:
    """Return the problem of a source that contains an empty key."""
    return Problem(Code.KEY_EMPTY, Fault.CONFIG, f"{source} {values.EMPTY.what}.", values.EMPTY.remedy, evidence)


def secret_of(variable: str) -> str:
    """Return the place in which to put a new key that a variable provides, as part of a sentence."""
    return f"the Secret that {variable} is mounted from"


def corruption(key: Key) -> Problem | None:
    """Return the problem of a key that was corrupted on its way into the environment; None if it was not."""
    names, prefixes = (*key.provider.variables, key.source), (*UNIQUE_PREFIXES, *key.provider.prefixes)
    flaw = values.corruption(key.value, names=names, prefixes=prefixes, is_token=True)
    if flaw is None:
        return None
    return Problem(Code.KEY_CORRUPTED, Fault.CONFIG, f"{key.source} {flaw.what}.", flaw.remedy, key.evidence)


def offline_problem(key: Key) -> Problem | None:
    """Return the first problem that the value of the key shows; None if it shows none.

    A gateway issues keys of any format, so its response takes precedence over this problem.
    """
    return next(_offline_problems(key), None)


def mock_problem(key: Key) -> Problem | None:
    """Return the problem of a key that calls itself a mock, as no gateway's key for a deployment does; else None."""
    if not _MOCK.search(key.value):
        return None
    problem = _placeholder(key, "contains the word mock")
    hint = f"{problem.hint} If the gateway accepts it, declare AIProviderKey(…, verify=False)."
    return dataclasses.replace(problem, hint=hint)


def _offline_problems(key: Key) -> Iterator[Problem]:
    if flaw := values.placeholder(key.value, prefixes=key.provider.prefixes):
        yield _placeholder(key, flaw.what)
    owner = _owner(key)
    if owner is not None:
        yield Problem(
            Code.KEY_WRONG_PROVIDER,
            Fault.CONFIG,
            f"{key.source} contains a key of {owner.label}, not of {key.title}.",
            "Check which Secret, and which key of it, each variable is mounted from; two may be swapped."
            + _base_url_hint(key),
            {**key.evidence, "key_of": owner.name},
        )
    if expiry := _expiry_problem(key):
        yield expiry


def _base_url_hint(key: Key) -> str:
    """Return a hint about the base URL, if the base URL and not the declaration determines the provider of the key."""
    if "asked_as" not in key.evidence:
        return ""
    return (
        f" Check {' or '.join(key.provider.endpoint_variables) or 'the base URL'} as well; it points to a host of "
        f"{key.title}."
    )


def _placeholder(key: Key, description: str) -> Problem:
    return Problem(
        Code.KEY_PLACEHOLDER,
        Fault.CONFIG,
        f"{key.source} {description}. Requests to {key.title} with this key will fail.",
        f"Put a real {key.title} key into {key.location}.",
        key.evidence,
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


def _expiry_problem(key: Key) -> Problem | None:
    """Return the problem of a key that has expired, or whose expiry could not be read; None without such a problem."""
    try:
        expires_at = _expires_at(key)
    except Exception as error:
        # The text of the error is not shown, because it may contain the key.
        return Problem.invalid_declaration(
            f"The expires_at function of {key.provider!r} failed ({type(error).__name__})."
        )
    if expires_at is None or expires_at > datetime.datetime.now(datetime.UTC):
        return None
    return Problem(
        Code.KEY_EXPIRED,
        Fault.CONFIG,
        f"{key.source} expired at {expires_at:%Y-%m-%d %H:%M} {expires_at.tzname()}, according to the key itself.",
        f"Put a new {key.title} key into {key.location}. Check the process that renews short-lived keys.",
        {**key.evidence, "expired_at": expires_at.isoformat()},
    )


def _expires_at(key: Key) -> datetime.datetime | None:
    """Return the time at which the key expires, if the key contains it; otherwise None."""
    if key.provider.expires_at is None:
        return None
    at = key.provider.expires_at(key.value)
    return at and (at if at.tzinfo else at.replace(tzinfo=datetime.UTC))


def suspected_placeholder(key: Key) -> Problem | None:
    """Return the problem of a key that contains a word like "mock" and has none of the provider's formats; else None.

    The word is not proof. The problem does not apply if the provider accepts the key.
    """
    if key.provider.has_format(key.value):
        return None
    if not values.suggests_a_placeholder(key.value, prefixes=key.provider.prefixes):
        return None
    return _placeholder(key, f"looks like a mock or a placeholder and not like a key of {key.title}")


def unusual_format(key: Key) -> Problem | None:
    """Return the problem of a key with none of the provider's formats; else None.

    It is only a warning, because providers introduce new formats.
    """
    if key.provider.has_format(key.value):
        return None
    return Problem(
        Code.KEY_FORMAT,
        Fault.CONFIG,
        f"{key.source} does not have the format of a key of {key.title}.",
        "Compare it with the key in the provider's console. If the provider accepts it, the format is new.",
        key.evidence,
    )
