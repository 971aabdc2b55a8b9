"""The validation of a declared Provider, which takes place before a key is sent anywhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TypeGuard, TypeVar

from healthguard.http_client import Target, header_errors
from healthguard.providers.catalog import is_name, provider_named, unknown_provider_texts
from healthguard.providers.provider import TEMPLATE, Provider, ResponseRule, VerificationRequest
from healthguard.providers.switches import Switch
from healthguard.providers.verdict import Verdict
from healthguard.runtime.cache_age import is_valid_ttl
from healthguard.secret_values.patterns import is_pattern

T = TypeVar("T")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METHOD = re.compile(r"[A-Z]{1,16}")
_PATH = re.compile(r"(/[\x21-\x7e]*)?")
_LISTS = ("variables", "base_url_variables", "formats", "prefixes", "unique_prefixes", "success_fields", "specimens")


def provider_flaws(declared: object, fallback_message: str) -> Iterator[tuple[str, ...]]:
    """Yield the flaws of a declared provider: the message, and the hint if the default hint is not sufficient.

    No text shows a value that may be a secret.

    Args:
        declared: a Provider, or the name of one.
        fallback_message: the message for a value that is neither and cannot be shown.
    """
    if isinstance(declared, Provider):
        for flaw in _flaws(declared):
            yield (f"{declared!r}: {flaw}",)
    elif provider_named(declared) is None:
        yield unknown_provider_texts(declared, fallback_message)


def _flaws(provider: Provider) -> Iterator[str]:
    if not isinstance(provider.name, str) or not is_name(provider.name):
        yield "name must be a plain name of at most 64 characters and must not look like a key."
    if not _is_text(provider.title) or not _is_text(provider.rejected_hint):
        yield "title and rejected_hint must be strings."
    for name in _LISTS:
        yield from _list_flaws(name, getattr(provider, name))
    yield from _base_url_flaws("base_url", provider.base_url)
    yield from _request_flaws("request", provider.request)
    for name in ("requests_by_prefix", "requests_by_variable"):
        requests = getattr(provider, name)
        if not isinstance(requests, Mapping):
            yield f"{name} must be a dict."
            continue
        for request in requests.values():
            yield from _request_flaws(f"a request in {name}", request)
    yield from _response_rule_flaws(provider)
    yield from _switch_flaws(provider.switches)
    if provider.unknown_keys not in ("tested", "refused", "accepted"):
        yield "unknown_keys must be 'tested', 'refused' or 'accepted'."
    if provider.expires_at is not None and not callable(provider.expires_at):
        yield "expires_at must be a function."
    if not is_valid_ttl(provider.ttl):
        yield "ttl must be a number of seconds."


def _list_flaws(name: str, value: object) -> Iterator[str]:
    if not _is_list(value, str):
        yield f"{name} must be a tuple of strings."
    elif name.endswith("variables") and not all(map(_VARIABLE.fullmatch, value)):
        yield f"{name} contains a value that is not the name of an environment variable."
    elif name == "formats" and not all(map(is_pattern, value)):
        yield "formats contains a value that is not a regular expression."


def _base_url_flaws(name: str, base_url: object) -> Iterator[str]:
    # Replace each placeholder by a possible value: the start of a URL, an address, a part of a host name, a port.
    text = base_url
    if isinstance(base_url, str):
        text = re.sub(rf"\[{TEMPLATE.pattern}\]", "[::1]", base_url)
        text = TEMPLATE.sub(lambda match: "1" if match.start() else "http://a", text)
    try:
        Target.over_network(text, "/")
    except ValueError:
        yield f"{name} must be an http or https URL. {{NAME}} in it is replaced by that environment variable."


def _request_flaws(name: str, request: object) -> Iterator[str]:
    if not isinstance(request, VerificationRequest):
        yield f"{name} must be a VerificationRequest."
        return
    if not isinstance(request.path, str) or not _PATH.fullmatch(request.path):
        yield f"The path of {name} must be empty or start with a slash, and contain only ASCII without spaces."
    if not isinstance(request.method, str) or not _METHOD.fullmatch(request.method):
        yield f"The method of {name} must be an HTTP method: 1 to 16 uppercase letters."
    if request.base_url is not None:
        yield from _base_url_flaws(f"The base_url of {name}", request.base_url)
        if _is_text(request.base_url) and TEMPLATE.search(str(request.base_url)):
            yield f"The base_url of {name} must not contain {{NAME}}; only the base_url of the Provider may."
    headers = request.headers
    if not isinstance(headers, Mapping) or not all(map(_is_text, headers.values())):
        yield f"The headers of {name} must be a dict of strings."
        return
    yield from header_errors({header: line.replace("{key}", "key") for header, line in headers.items()})
    if not any("{key}" in line for line in headers.values()):
        yield f"The headers of {name} must contain {{key}}, the placeholder of the key. Otherwise no key is sent."


def _response_rule_flaws(provider: Provider) -> Iterator[str]:
    if not _is_list(provider.response_rules, ResponseRule):
        yield "response_rules must be a tuple of ResponseRule."
        return
    for rule in provider.response_rules:
        is_status = isinstance(rule.status, int) and not isinstance(rule.status, bool)
        if not isinstance(rule.verdict, Verdict) or not is_status or not _is_text(rule.field):
            yield "Each ResponseRule in response_rules must have a Verdict, an HTTP status and a JSON path."
        elif not is_pattern(rule.values):
            yield "The values of each ResponseRule in response_rules must be a regular expression."
    if not provider.success_fields and not any(rule.verdict is Verdict.VALID for rule in provider.response_rules):
        yield "Without success_fields or a ResponseRule for Verdict.VALID, no response can show that a key is valid."


def _switch_flaws(switches: object) -> Iterator[str]:
    if not _is_list(switches, Switch):
        yield "switches must be a tuple of Switch."
        return
    for switch in switches:
        if not isinstance(switch.variable, str) or not _VARIABLE.fullmatch(switch.variable):
            yield "The variable of each Switch in switches must be the name of an environment variable."
        if not is_pattern(switch.values):
            yield "The values of each Switch in switches must be a regular expression."
        if switch.provider == "":
            continue
        if provider_named(switch.provider) is None:
            yield "The provider of each Switch in switches must be the name of a provider in the catalog, or empty."
        yield from _base_url_flaws("The base_url of a Switch in switches", switch.base_url)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list(value: object, kind: type[T]) -> TypeGuard[Collection[T]]:
    return isinstance(value, list | tuple) and all(isinstance(member, kind) for member in value)
