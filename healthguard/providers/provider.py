"""A provider, as data: where its keys stand, how they look, how to ask about one and how to read the answer."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from healthguard.declared import shown
from healthguard.patterns import UnusablePatternError, fits
from healthguard.providers.switches import Switch
from healthguard.providers.verdict import Verdict

BEARER: Mapping[str, str] = MappingProxyType({"authorization": "Bearer {key}"})
"""How most providers take a key."""
TEMPLATE = re.compile(r"\{([A-Za-z_]\w*(?:\|[A-Za-z_]\w*)*)\}")
"""What stands for an environment variable, or for the first set of several, in a base URL."""
_LEADS_AWAY = re.compile(r"[/?#@\\\s]")
# Of a longer text the beginning tells: a pattern with two gaps takes the square of its length, and nothing ends it.
_MAX_TEXT = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """An authenticated request that costs no token.

    Args:
        path: what follows the base URL.
        headers: header lines; ``{key}`` stands for the key.
        method: the HTTP method.
        base_url: where keys of this kind are asked about, if not where the others are.
    """

    path: str = "/models"
    headers: Mapping[str, str] = dataclasses.field(default_factory=lambda: BEARER, repr=False)
    method: str = "GET"
    base_url: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Answers:
    """One way a provider answers that differs from the default reading.

    Args:
        verdict: what it says of the key.
        status: the HTTP status.
        field: where in the JSON body to look: a dotted path, which leads through the members of lists; "" to look
            nowhere.
        values: a regular expression for the whole of what stands there, as text (case-insensitive); "" for anything.
        is_explicit: whether it speaks of the key itself, so that one such answer is enough to judge it.
    """

    verdict: Verdict
    status: int
    field: str = ""
    values: str = ""
    is_explicit: bool = True

    def fits(self, status: int, body: object) -> bool:
        """Whether an answer is of this kind. ``body`` is the parsed JSON, or None."""
        if status != self.status:
            return False
        pattern = self.values or ".*"
        return not self.field or any(_fits(pattern, text) for text in map(_text, at(body, self.field)) if text)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Provider:
    """An AI provider, or a gateway that stands in for one.

    A gateway that speaks as OpenAI does takes three lines::

        Provider(name="gateway", variables=("GATEWAY_KEY",), base_url="https://llm.internal/v1", is_gateway=True)

    Args:
        name: what it is called in a declaration.
        title: what people call it; the name by default.
        variables: the environment variables its SDK takes the key from, the first that is set wins.
        skips_empty: whether its SDK goes on to the next variable where one is empty.
        base_url: where it answers; ``{NAME}`` stands for an environment variable, ``{ONE|OTHER}`` for the first set.
        base_url_variables: the environment variables that name another place, the first that is set wins.
        is_gateway: whether it gives out keys of any form, so that only its answer counts.
        unknown_keys: what is known about its answer to a key that it does not know. ``"tested"``: nothing, so a random
            key is sent to find out. ``"refused"``: it refuses such a key, and no random one is sent. ``"accepted"``:
            it checks no keys, and that it answers is enough.
        specimens: a key of each of its forms, in which ``{32}`` stands for 32 random characters of 0-9a-f.
        switches: the environment variables that move its keys to another service.
        formats: regular expressions for a whole key. One that fits none is unusual, not wrong.
        prefixes: what its keys begin with.
        distinctive: the prefixes that no other provider's keys begin with.
        request: how to ask about a key; by default for the list of models, as OpenAI has it.
        requests_by_prefix: the same for keys of another kind.
        requests_by_variable: the same for what comes from a certain variable.
        proofs: paths of which one must lead to something in a 2xx answer, or it is not the provider's; ``data[]`` to
            a list.
        answers: how it differs from the default reading; the first that fits counts.
        rejected_hint: what to look at where it rejects a key, if that is more than the key.
        expires_at: when a key expires, where its text tells.
        ttl: how long an answer about a key is held at least, where the provider takes few questions (seconds).
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
    distinctive: tuple[str, ...] = ()
    request: Request = Request()
    requests_by_prefix: Mapping[str, Request] = dataclasses.field(default_factory=dict)
    requests_by_variable: Mapping[str, Request] = dataclasses.field(default_factory=dict)
    proofs: tuple[str, ...] = ("data[]",)
    answers: tuple[Answers, ...] = ()
    rejected_hint: str = ""
    expires_at: Callable[[str], datetime.datetime | None] | None = None
    ttl: float = 0.0

    def __repr__(self) -> str:
        # A base URL and header lines may hold secrets, and a name may be a key by mistake.
        return f"Provider({shown(self.name)})"

    @property
    def label(self) -> str:
        """What people call it."""
        return self.title or self.name

    def has_format(self, key: str) -> bool:
        """Whether ``key`` looks as this provider's keys are known to look; true where no format is known."""
        return not self.formats or any(_fits(pattern, key, ignores_case=False) for pattern in self.formats)

    def request_for(self, key: str, variable: str | None) -> Request:
        """How to ask about ``key`` that came from ``variable``."""
        for prefix, request in self.requests_by_prefix.items():
            if key.startswith(prefix):
                return request
        if variable is not None and variable in self.requests_by_variable:
            return self.requests_by_variable[variable]
        return self.request

    def place(self) -> Place:
        """Where the environment says to ask."""
        given = _first_set(self.base_url_variables)
        own, missing = fill(self.base_url)
        if given is not None:
            return Place(given, self.has_any_form or not _is_at(given, own))
        return Place(own, self.has_any_form, missing)

    @property
    def is_named_elsewhere(self) -> bool:
        """True if a variable names another base URL than the declared one."""
        return _first_set(self.base_url_variables) is not None

    @property
    def has_any_form(self) -> bool:
        """True if the form of a key means nothing: the server gives out its own keys, or checks none."""
        return self.is_gateway or self.unknown_keys == "accepted"

    @property
    def place_variables(self) -> tuple[str, ...]:
        """The environment variables that say where it answers."""
        made_of = (name for names in TEMPLATE.findall(self.base_url) for name in names.split("|"))
        return (*self.base_url_variables, *made_of)


def fill(template: str) -> tuple[str, tuple[str, ...]]:
    """Return a base URL with the environment's values in it, and the variables that are not set.

    The base URL is empty if a value in it would lead to another host, which would be sent the key.
    """
    missing: list[str] = []
    leads_away = False

    def filled(match: re.Match[str]) -> str:
        nonlocal leads_away
        names = match[1].split("|")
        value = _first_set(names)
        if value is None:
            missing.append(names[0])
        elif match.start() > 0 and _LEADS_AWAY.search(value):
            leads_away = True
        return value or ""

    base_url = TEMPLATE.sub(filled, template)
    return "" if leads_away else base_url, tuple(missing)


def _fits(pattern: str, text: str, *, ignores_case: bool = True) -> bool:
    try:
        return fits(pattern, text, ignores_case=ignores_case)
    except UnusablePatternError:
        # What cannot be compared is not known to fit.
        return False


def _is_at(given: str, own: str) -> bool:
    """Whether a URL is at the provider's own host, or at one below it: a region's."""
    try:
        host, own_host = urlsplit(given).hostname, urlsplit(own).hostname
    except ValueError:
        return False
    return bool(host) and bool(own_host) and f".{host}".endswith(f".{own_host}")


def _first_set(variables: Iterable[str]) -> str | None:
    return next((value for name in variables if (value := os.environ.get(name, "").strip())), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where to ask.

    Args:
        base_url: the URL that the request's path follows; may be none at all, by mistake.
        is_gateway: whether that is not the provider itself: then keys may be of any form.
        missing: the environment variables that it should be made of and that are not set.
        proves: True if the answer for a real key cannot be the one for a random key.
    """

    base_url: str = dataclasses.field(repr=False)
    is_gateway: bool
    missing: tuple[str, ...] = ()
    proves: bool = True


def at(body: object, path: str) -> Iterator[object]:
    """What ``path`` leads to in a parsed JSON body; through every member of a list on the way."""
    name, _, rest = path.partition(".")
    if isinstance(body, list):
        # Not through lists of lists, which nobody sends, and which may be nested deeper than one can go.
        for member in body:
            if isinstance(member, dict):
                yield from at(member, path)
    elif isinstance(body, dict) and name in body:
        if rest:
            yield from at(body[name], rest)
        else:
            yield body[name]


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    return json.dumps(value) if isinstance(value, bool | int | float) else None
