"""What is wrong with a Provider that somebody declares: told before a key is sent anywhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TypeGuard, TypeVar

from healthguard.calling import Target, header_flaws
from healthguard.freshness import is_ttl
from healthguard.patterns import is_pattern
from healthguard.providers.catalog import is_name, no_provider, provider_named
from healthguard.providers.provider import TEMPLATE, Answers, Provider, Request
from healthguard.providers.switches import Switch
from healthguard.providers.verdict import Verdict

T = TypeVar("T")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METHOD = re.compile(r"[A-Z]{1,16}")
_PATH = re.compile(r"(/[\x21-\x7e]*)?")
_LISTS = ("variables", "base_url_variables", "formats", "prefixes", "distinctive", "proofs", "specimens")


def provider_flaws(given: object, otherwise: str) -> Iterator[tuple[str, ...]]:
    """What is wrong with what stands for a provider: what to say, and to advise if there is more than to mend it.

    Nothing of it shows what may be a secret.

    Args:
        given: a Provider, or the name of one.
        otherwise: what to say of what is neither and cannot be shown.
    """
    if isinstance(given, Provider):
        for flaw in _flaws(given):
            yield (f"{given!r}: {flaw}",)
    elif provider_named(given) is None:
        yield no_provider(given, otherwise)


def _flaws(provider: Provider) -> Iterator[str]:
    if not isinstance(provider.name, str) or not is_name(provider.name):
        yield "name is a plain name of at most 64 characters, and nothing that looks like a key."
    if not _is_text(provider.title) or not _is_text(provider.rejected_hint):
        yield "title and rejected_hint are texts."
    for name in _LISTS:
        yield from _list_flaws(name, getattr(provider, name))
    yield from _place_flaws("base_url", provider.base_url)
    yield from _request_flaws("request", provider.request)
    for name in ("requests_by_prefix", "requests_by_variable"):
        requests = getattr(provider, name)
        if not isinstance(requests, Mapping):
            yield f"{name} is a dict."
            continue
        for request in requests.values():
            yield from _request_flaws(f"A request in {name}", request)
    yield from _answers_flaws(provider)
    yield from _switch_flaws(provider.switches)
    if provider.unknown_keys not in ("tested", "refused", "accepted"):
        yield "unknown_keys is none of 'tested', 'refused' and 'accepted'."
    if provider.expires_at is not None and not callable(provider.expires_at):
        yield "expires_at is a function."
    if not is_ttl(provider.ttl):
        yield "ttl is a number of seconds."


def _list_flaws(name: str, given: object) -> Iterator[str]:
    if not _is_list(given, str):
        yield f"{name} is a tuple of texts."
    elif name.endswith("variables") and not all(map(_VARIABLE.fullmatch, given)):
        yield f"{name} holds what is no name of an environment variable."
    elif name == "formats" and not all(map(is_pattern, given)):
        yield "formats holds what is no regular expression."


def _place_flaws(name: str, base_url: object) -> Iterator[str]:
    # In the place of a variable what may be its value: the beginning of a URL, an address, a part of a name, a port.
    text = base_url
    if isinstance(base_url, str):
        text = re.sub(rf"\[{TEMPLATE.pattern}\]", "[::1]", base_url)
        text = TEMPLATE.sub(lambda match: "1" if match.start() else "http://a", text)
    try:
        Target.over_network(text, "/")
    except ValueError:
        yield f"{name} is no http or https URL, in which {{NAME}} may stand for an environment variable."


def _request_flaws(name: str, request: object) -> Iterator[str]:
    if not isinstance(request, Request):
        yield f"{name} is no Request."
        return
    if not isinstance(request.path, str) or not _PATH.fullmatch(request.path):
        yield f"{name} has a path that does not begin with a slash, or holds what a URL cannot."
    if not isinstance(request.method, str) or not _METHOD.fullmatch(request.method):
        yield f"{name} has a method that is none of HTTP's."
    if request.base_url is not None:
        yield from _place_flaws(f"The base_url of {name}", request.base_url)
        if _is_text(request.base_url) and TEMPLATE.search(str(request.base_url)):
            yield f"The base_url of {name} has a {{NAME}} in it, which is filled in that of the provider only."
    headers = request.headers
    if not isinstance(headers, Mapping) or not all(map(_is_text, headers.values())):
        yield f"{name} has headers that are no dict of texts."
        return
    yield from header_flaws({header: line.replace("{key}", "key") for header, line in headers.items()})
    if not any("{key}" in line for line in headers.values()):
        yield f"{name} has no header with {{key}} in it, which stands for the key: without, nothing is asked about it."


def _answers_flaws(provider: Provider) -> Iterator[str]:
    if not _is_list(provider.answers, Answers):
        yield "answers is a tuple of Answers."
        return
    for answers in provider.answers:
        is_status = isinstance(answers.status, int) and not isinstance(answers.status, bool)
        if not isinstance(answers.verdict, Verdict) or not is_status or not _is_text(answers.field):
            yield "An Answers in answers takes a Verdict, an HTTP status and a JSON path."
        elif not is_pattern(answers.values):
            yield "An Answers in answers has values that are no regular expression."
    if not provider.proofs and not any(answers.verdict is Verdict.REAL for answers in provider.answers):
        yield "Without proofs, and with no Answers for Verdict.REAL, nothing could show that a key is real."


def _switch_flaws(switches: object) -> Iterator[str]:
    if not _is_list(switches, Switch):
        yield "switches is a tuple of Switch."
        return
    for switch in switches:
        if not isinstance(switch.variable, str) or not _VARIABLE.fullmatch(switch.variable):
            yield "A Switch in switches has a variable that is not the name of an environment variable."
        if not is_pattern(switch.values):
            yield "A Switch in switches has values that are not a regular expression."
        if switch.provider == "":
            continue
        if provider_named(switch.provider) is None:
            yield "A Switch in switches has a provider that is not the name of one in the catalog."
        yield from _place_flaws("The base_url of a Switch in switches", switch.base_url)


def _is_text(given: object) -> bool:
    return isinstance(given, str)


def _is_list(given: object, kind: type[T]) -> TypeGuard[Collection[T]]:
    return isinstance(given, list | tuple) and all(isinstance(one, kind) for one in given)
