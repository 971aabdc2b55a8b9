"""The requirement of an AI provider's key."""

from __future__ import annotations

import dataclasses

from healthguard.providers.catalog import PROVIDERS
from healthguard.providers.key_value import (
    Key,
    corruption,
    empty_key,
    mock_problem,
    offline_problem,
    secret_of,
    suspected_placeholder,
    unusual_format,
)
from healthguard.providers.provider import Provider
from healthguard.providers.switching import is_on
from healthguard.requirements.requirement import NO_VALUES, Judgement, Requirement, Values
from healthguard.secret_values.showable import shown_name
from healthguard.status import Evidence


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequirement(Requirement):
    """A variable with the key of an AI provider.

    Args:
        provider: the provider, in the form that :func:`plain_provider` returns.
        is_verified: False if the declaration says that the provider cannot verify the key.
    """

    # A Provider contains mappings, which have no hash.
    provider: Provider = dataclasses.field(hash=False)
    is_verified: bool = True

    def chosen_name(self, values: Values) -> str | None:
        """Return the variable that the provider's SDK reads; some SDKs ignore variables that are set but empty."""
        present = [name for name in self.names if name in values]
        if self.provider.skips_empty or self._may_have_any_format("", values):
            present = [name for name in present if values[name] != ""] or present
        return next(iter(present), None)

    def judge(self, name: str, value: str, others: Values = NO_VALUES) -> Judgement | None:
        """Return the problem of a key; None if its value shows none.

        A gateway issues keys of any format. If the other variables send the key to one, or may do so, only a corrupted
        key and a mock are problems.
        """
        shown = shown_name(name)
        evidence: dict[str, Evidence] = {"provider": self.provider.name, "variable": shown}
        if not value:
            return Judgement(empty_key(shown, evidence))
        key = Key(self.provider, value, shown, secret_of(shown), evidence)
        if problem := corruption(key):
            return Judgement(problem)
        if self._may_have_any_format(value, others):
            mock = mock_problem(key) if self.is_verified else None
            return None if mock is None else Judgement(mock)
        if problem := offline_problem(key) or suspected_placeholder(key):
            return Judgement(problem)
        unusual = unusual_format(key)
        return None if unusual is None else Judgement(unusual, is_minor=True)

    def _may_have_any_format(self, value: str, others: Values) -> bool:
        """Return True if the key belongs to a server that may issue keys of any format."""
        provider = self.provider
        variables = (*provider.base_url_variables, *(switch.variable for switch in provider.switches))
        if any(others.get(name, "") is None for name in variables):
            return True
        environ = {name: other for name, other in others.items() if other is not None}
        if provider.resolve_endpoint(environ).is_gateway:
            return True
        # A switch without a provider moves the key to a service that reads the same kind of key, or none.
        return any(switch.provider and is_on(switch, provider, value, environ) for switch in provider.switches)


def plain_provider(provider: Provider) -> Provider:
    """Return the provider as its requirement stores it.

    A provider of the catalog stays as it is. Of any other, only what describes its keys is left: no URL and no header,
    which may contain a secret, and no function. Each variable that may send a key elsewhere then counts as one that
    leads to a gateway.
    """
    if PROVIDERS.get(provider.name) == provider:
        return provider
    switches = (switch.variable for switch in provider.switches if switch.provider)
    return Provider(
        name=provider.name,
        title=provider.title,
        variables=tuple(provider.variables),
        skips_empty=provider.skips_empty,
        base_url="",
        base_url_variables=tuple(dict.fromkeys((*provider.base_url_variables, *switches))),
        is_gateway=provider.is_format_irrelevant,
        formats=tuple(provider.formats),
        prefixes=tuple(provider.prefixes),
    )
