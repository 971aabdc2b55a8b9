"""A provider, as data: where its keys stand, how they look, how to ask about one and how to read the answer."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from healthguard.providers.verdict import Verdict


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """An authenticated request that costs no token.

    Args:
        path: what follows the base URL.
        headers: header lines; ``{key}`` stands for the key.
    """

    path: str
    headers: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Answers:
    """One way a provider answers that differs from the default reading.

    Args:
        verdict: what it says of the key.
        status: the HTTP status.
        field: where in the JSON body to look, as a dotted path; "" to look nowhere.
        values: a regular expression for the whole of what stands there (case-insensitive); "" for anything.
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
        if not self.field:
            return True
        found = _at(body, self.field)
        return (
            isinstance(found, str) and re.fullmatch(self.values or ".*", found, re.IGNORECASE | re.DOTALL) is not None
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An AI provider.

    Args:
        name: what it is called in a declaration.
        title: what people call it.
        variables: the environment variables its SDK takes the key from, the first that is set wins.
        base_url: where it answers.
        base_url_variables: the environment variables that name another place, the first that is set wins.
        formats: regular expressions for a whole key. One that fits none is unusual, not wrong.
        prefixes: what its keys begin with.
        distinctive: the prefixes that no other provider's keys begin with.
        request: how to ask about a key.
        requests_by_prefix: the same for keys of another kind.
        requests_by_variable: the same for what comes from a certain variable.
        list_field: the field of the expected answer that holds a list.
        answers: how it differs from the default reading; the first that fits counts.
    """

    name: str
    title: str
    variables: tuple[str, ...]
    base_url: str
    base_url_variables: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    distinctive: tuple[str, ...] = ()
    request: Request
    requests_by_prefix: Mapping[str, Request] = dataclasses.field(default_factory=dict)
    requests_by_variable: Mapping[str, Request] = dataclasses.field(default_factory=dict)
    list_field: str = "data"
    answers: tuple[Answers, ...] = ()

    def has_format(self, key: str) -> bool:
        """Whether ``key`` looks as this provider's keys are known to look; true where no format is known."""
        return not self.formats or any(re.fullmatch(pattern, key) for pattern in self.formats)

    def request_for(self, key: str, variable: str | None) -> Request:
        """How to ask about ``key`` that came from ``variable``."""
        for prefix, request in self.requests_by_prefix.items():
            if key.startswith(prefix):
                return request
        if variable is not None and variable in self.requests_by_variable:
            return self.requests_by_variable[variable]
        return self.request


def _at(body: object, path: str) -> object:
    for name in path.split("."):
        if not isinstance(body, dict):
            return None
        body = body.get(name)
    return body
