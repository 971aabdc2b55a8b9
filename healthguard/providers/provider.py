"""AI providers as data: the variables, formats and endpoints of their keys, and the rules for reading responses."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from healthguard.providers.switches import Switch
from healthguard.providers.verdict import Verdict
from healthguard.secret_values.patterns import UnusablePatternError, fits
from healthguard.secret_values.showable import shown

BEARER: Mapping[str, str] = MappingProxyType({"authorization": "Bearer {key}"})
"""The headers with which most providers accept a key."""
TEMPLATE = re.compile(r"\{([A-Za-z_]\w*(?:\|[A-Za-z_]\w*)*)\}")
"""A placeholder in a base URL: an environment variable, or several, of which the first that is set is used."""
_CHANGES_HOST = re.compile(r"[/?#@\\\s]")
# Longer texts are cut: matching a pattern with two gaps takes quadratic time, and it cannot be interrupted.
_MAX_TEXT = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class VerificationRequest:
    """An authenticated request that verifies a key and does not consume any tokens.

    Args:
        path: the path to append to the base URL. It is empty or starts with a slash.
        headers: the headers to send. At least one value must contain ``{key}``, which is replaced by the key.
        method: the HTTP method.
        base_url: the base URL for this request, if it differs from the provider's. It is ignored if the environment
            overrides the provider's base URL.
    """

    path: str = "/models"
    headers: Mapping[str, str] = dataclasses.field(default_factory=lambda: BEARER, repr=False)
    method: str = "GET"
    base_url: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class ResponseRule:
    """A rule that maps a provider's response to a verdict, where the default rules do not apply.

    A rule matches if the status is equal and, if ``field`` is set, any value in that field matches ``values``.

    Args:
        verdict: the verdict about the key.
        status: the HTTP status of the response.
        field: the dotted path of a field in the JSON body, such as ``"error.code"``. The path passes through the
            members of lists. ``""`` matches any body.
        values: a regular expression for the whole value of the field (case-insensitive). Numbers and booleans are
            compared as JSON writes them. ``""`` matches any number, boolean or non-empty string.
        is_explicit: True if the response refers to the key itself, so that a single response is conclusive.
    """

    verdict: Verdict
    status: int
    field: str = ""
    values: str = ""
    is_explicit: bool = True

    def fits(self, status: int, body: object) -> bool:
        """Return True if the rule matches a response.

        Args:
            status: the HTTP status of the response.
            body: the parsed JSON body; None if it is not JSON.
        """
        if status != self.status:
            return False
        pattern = self.values or ".*"
        return not self.field or any(
            _matches(pattern, text) for text in map(_text, values_at(body, self.field)) if text
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Provider:
    """An AI provider, or a gateway in front of one.

    A gateway with an OpenAI-compatible API takes one line::

        Provider(name="gateway", variables=("GATEWAY_KEY",), base_url="https://llm.internal/v1", is_gateway=True)

    Args:
        name: the unique name, used in declarations.
        title: the display name; ``name`` by default.
        variables: the environment variables from which the provider's SDK reads the key, in order of precedence.
        skips_empty: True if the SDK ignores a variable that is set but empty and reads the next one.
        base_url: the base URL of the API. ``{NAME}`` is replaced by that environment variable, ``{ONE|OTHER}`` by the
            first of them that is set.
        base_url_variables: the environment variables that override ``base_url``, in order of precedence.
        is_gateway: True if the server issues keys of any format, so that only its response decides if a key is valid.
        unknown_keys: the response of the server to an unknown key. ``"tested"``: not known in advance; a request with a
            random key is sent to find out. ``"refused"``: it rejects the key; no random key is sent. ``"accepted"``:
            it does not check keys, so any successful response is sufficient.
        specimens: templates of random keys, one for each format. ``{32}`` is replaced by 32 random characters of
            ``0-9a-f``.
        switches: the environment variables that make the SDK send the key to another service.
        formats: regular expressions for a whole key. A key that matches none of them is reported as unusual, not as
            invalid. Empty if the formats are not known.
        prefixes: the prefixes of the provider's keys.
        unique_prefixes: the prefixes that no other provider's keys have.
        request: the request that verifies a key. By default it lists the models, as in OpenAI's API.
        requests_by_prefix: other requests for keys with certain prefixes, by prefix.
        requests_by_variable: other requests for keys from certain environment variables, by variable.
        success_fields: dotted paths in the JSON body of a 2xx response. At least one of them must lead to a value that
            is not null, or the response is not accepted as the provider's. ``data[]`` must lead to a list; ``[]``
            means that the whole body is a list.
        response_rules: the rules for responses that differ from the defaults. The first rule that matches applies.
        rejected_hint: a sentence to add to the hint if the provider rejects a key and the key may not be the only
            cause.
        expires_at: a function that returns the time at which a key expires, if the key contains it; otherwise None.
            A time without a time zone is UTC.
        ttl: the minimum time for which a verification is cached (seconds). Some providers have strict rate limits.
    """

    name: str
    title: str = ""
    variables: tuple[str, ...] = ()
    skips_empty: bool = False
    base_url: str
    base_url_variables: tuple[str, ...] = ()
    is_gateway: bool = False
    unknown_keys: str = "tested"
    specimens: tuple[str, ...] = ("sk-{48}",)
    switches: tuple[Switch, ...] = ()
    formats: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    unique_prefixes: tuple[str, ...] = ()
    request: VerificationRequest = VerificationRequest()
    requests_by_prefix: Mapping[str, VerificationRequest] = dataclasses.field(default_factory=dict)
    requests_by_variable: Mapping[str, VerificationRequest] = dataclasses.field(default_factory=dict)
    success_fields: tuple[str, ...] = ("data[]",)
    response_rules: tuple[ResponseRule, ...] = ()
    rejected_hint: str = ""
    expires_at: Callable[[str], datetime.datetime | None] | None = None
    ttl: float = 0.0

    def __repr__(self) -> str:
        # The base URL and the headers may contain secrets, and a key may have been passed as the name by mistake.
        return f"Provider({shown(self.name)})"

    @property
    def label(self) -> str:
        """The display name: the title, or the name if the title is empty."""
        return self.title or self.name

    def has_format(self, key: str) -> bool:
        """Return True if ``key`` has one of the provider's formats, or if no format is known."""
        return not self.formats or any(_matches(pattern, key, ignores_case=False) for pattern in self.formats)

    def request_for(self, key: str, variable: str | None) -> VerificationRequest:
        """Return the request that verifies ``key``.

        Args:
            key: the key.
            variable: the environment variable that the key comes from; None if it comes from another source.
        """
        for prefix, request in self.requests_by_prefix.items():
            if key.startswith(prefix):
                return request
        if variable is not None and variable in self.requests_by_variable:
            return self.requests_by_variable[variable]
        return self.request

    def resolve_endpoint(self, environ: Mapping[str, str] | None = None) -> ProviderEndpoint:
        """Return the endpoint that the environment selects.

        Args:
            environ: the environment; None for that of this process.
        """
        override = first_set(self.base_url_variables, environ)
        default, missing = fill(self.base_url, environ)
        if override is not None:
            return ProviderEndpoint(override, self.is_format_irrelevant or not _is_same_site(override, default))
        return ProviderEndpoint(default, self.is_format_irrelevant, missing)

    def has_base_url_override(self, environ: Mapping[str, str] | None = None) -> bool:
        """Return True if an environment variable overrides the declared base URL."""
        return first_set(self.base_url_variables, environ) is not None

    @property
    def is_format_irrelevant(self) -> bool:
        """True if keys may have any format, because the server issues its own keys or does not check keys."""
        return self.is_gateway or self.unknown_keys == "accepted"

    @property
    def endpoint_variables(self) -> tuple[str, ...]:
        """The environment variables that determine the base URL."""
        in_template = (name for names in TEMPLATE.findall(self.base_url) for name in names.split("|"))
        return (*self.base_url_variables, *in_template)


def fill(template: str, environ: Mapping[str, str] | None = None) -> tuple[str, tuple[str, ...]]:
    """Return the base URL with its placeholders replaced, and the environment variables that are not set.

    The base URL is empty if a value would change its host, because the key would then be sent to another host.

    Args:
        template: the declared base URL.
        environ: the environment; None for that of this process.
    """
    missing: list[str] = []
    is_unsafe = False

    def value_of(match: re.Match[str]) -> str:
        nonlocal is_unsafe
        names = match[1].split("|")
        value = first_set(names, environ)
        if value is None:
            missing.append(names[0])
        elif match.start() > 0 and _CHANGES_HOST.search(value):
            is_unsafe = True
        return value or ""

    base_url = TEMPLATE.sub(value_of, template)
    return "" if is_unsafe else base_url, tuple(missing)


def _matches(pattern: str, text: str, *, ignores_case: bool = True) -> bool:
    try:
        return fits(pattern, text, ignores_case=ignores_case)
    except UnusablePatternError:
        # If the pattern cannot be applied to the text, assume that it does not match.
        return False


def _is_same_site(url: str, default: str) -> bool:
    """Return True if ``url`` is at the host of ``default`` or at a subdomain of it, such as a region's."""
    try:
        host, default_host = urlsplit(url).hostname, urlsplit(default).hostname
    except ValueError:
        return False
    return bool(host) and bool(default_host) and f".{host}".endswith(f".{default_host}")


def first_set(variables: Iterable[str], environ: Mapping[str, str] | None = None) -> str | None:
    """Return the first value that is not blank, of these variables in this order; None if there is none."""
    values = os.environ if environ is None else environ
    return next((value for name in variables if (value := values.get(name, "").strip())), None)


@dataclasses.dataclass(frozen=True, slots=True)
class ProviderEndpoint:
    """The server to which a verification request is sent.

    Args:
        base_url: the URL to which the path of the request is appended. It comes from the environment and may not be a
            valid URL.
        is_gateway: True if the server is not the provider itself, so that keys may have any format.
        missing: the environment variables that are part of the base URL and are not set.
        can_prove_keys: True if a random key cannot get the same response as a valid key, so that a positive response
            proves that a key is real.
    """

    base_url: str = dataclasses.field(repr=False)
    is_gateway: bool
    missing: tuple[str, ...] = ()
    can_prove_keys: bool = True


def values_at(body: object, path: str) -> Iterator[object]:
    """Yield the values at a dotted path in a parsed JSON body. The path passes through the members of lists."""
    name, _, rest = path.partition(".")
    if isinstance(body, list):
        # Lists within lists are not searched: no provider sends them, and deep nesting would exhaust the stack.
        for member in body:
            if isinstance(member, dict):
                yield from values_at(member, path)
    elif isinstance(body, dict) and name in body:
        if rest:
            yield from values_at(body[name], rest)
        else:
            yield body[name]


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    return json.dumps(value) if isinstance(value, bool | int | float) else None
