"""The providers, a row each."""

from __future__ import annotations

from healthguard.providers.provider import Answers, Provider, Request
from healthguard.providers.verdict import Verdict

_ANTHROPIC_VERSION = {"anthropic-version": "2023-06-01"}
# https://docs.anthropic.com/en/api/errors: an invalid key is 401 authentication_error; 400 also covers spending
# limits and disabled organisations and so never means a bad key.
_ANTHROPIC_BEARER = {"authorization": "Bearer {key}", **_ANTHROPIC_VERSION}

ANTHROPIC = Provider(
    name="anthropic",
    title="Anthropic",
    variables=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    base_url="https://api.anthropic.com",
    base_url_variables=("ANTHROPIC_BASE_URL",),
    formats=(r"sk-ant-(api03|admin01)-[\w-]{93}AA", r"sk-ant-oat01-[\w-]{20,}"),
    prefixes=("sk-ant-api03-", "sk-ant-admin01-", "sk-ant-oat01-", "sk-ant-"),
    distinctive=("sk-ant-",),
    request=Request("/v1/models", {"x-api-key": "{key}", **_ANTHROPIC_VERSION}),
    requests_by_prefix={
        "sk-ant-admin01-": Request("/v1/organizations/me", {"x-api-key": "{key}", **_ANTHROPIC_VERSION}),
        "sk-ant-oat01-": Request("/v1/models", {**_ANTHROPIC_BEARER, "anthropic-beta": "oauth-2025-04-20"}),
    },
    requests_by_variable={"ANTHROPIC_AUTH_TOKEN": Request("/v1/models", _ANTHROPIC_BEARER)},
    answers=(
        Answers(Verdict.REJECTED, 401, "error.type", "authentication_error"),
        Answers(Verdict.NO_FUNDS, 400, "error.message", ".*(credit balance|spend(ing)? limit|usage limits?).*"),
        Answers(Verdict.RESTRICTED, 400, "error.message", ".*organi[sz]ation has been disabled.*"),
        Answers(Verdict.RESTRICTED, 403, "error.type", "permission_error"),
        Answers(Verdict.NO_FUNDS, 429, "error.message", ".*(spend(ing)? limit|spend cap|credit balance).*"),
    ),
)

# OpenAI reports missing scopes, a wrong data residency host and a blocked address as 401 too; only invalid_api_key
# means a bad key. A country it does not serve is 403: it says nothing of the key.
_OPENAI_NO_FUNDS = "credit_balance_exhausted|insufficient_quota|.*_spend_limit_exceeded|.*_usage_limit_exceeded"
_OPENAI_BEARER = {"authorization": "Bearer {key}"}
_OPENAI_BODIES = r"([\w-]{74}T3BlbkFJ[\w-]{74}|[\w-]{58}T3BlbkFJ[\w-]{58}|[\w-]{20}T3BlbkFJ[\w-]{20})"

OPENAI = Provider(
    name="openai",
    title="OpenAI",
    variables=("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
    base_url="https://api.openai.com/v1",
    base_url_variables=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    formats=(
        r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
        rf"sk-(proj|svcacct|admin|service|None)-{_OPENAI_BODIES}",
    ),
    prefixes=("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-service-", "sk-None-", "sk-"),
    distinctive=("sk-proj-", "sk-svcacct-", "sk-admin-"),
    request=Request("/models", _OPENAI_BEARER),
    requests_by_prefix={"sk-admin-": Request("/organization/admin_api_keys", _OPENAI_BEARER)},
    answers=(
        Answers(Verdict.REJECTED, 401, "error.code", "invalid_api_key"),
        Answers(Verdict.RESTRICTED, 401, "error.code", "incorrect_hostname|ip_not_authorized|missing_scope"),
        Answers(
            Verdict.RESTRICTED,
            401,
            "error.message",
            ".*(missing scopes|insufficient permissions|ip .*not authorized|member of an organization).*",
        ),
        Answers(Verdict.UNKNOWN, 401),
        Answers(Verdict.UNKNOWN, 403, "error.code", "unsupported_country_region_territory"),
        Answers(Verdict.RESTRICTED, 403, "error.message", ".*(missing scopes|insufficient permissions).*"),
        Answers(Verdict.NO_FUNDS, 429, "error.code", _OPENAI_NO_FUNDS),
        Answers(Verdict.NO_FUNDS, 429, "error.type", _OPENAI_NO_FUNDS),
    ),
)

PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in (ANTHROPIC, OPENAI)}


def provider_named(name: str) -> Provider | None:
    """The provider that a declaration calls ``name``."""
    return PROVIDERS.get(name)


def provider_of(key: str) -> Provider | None:
    """The provider whose distinctive prefix ``key`` has. Prefixes that several share, like sk-, tell nothing."""
    return next((provider for provider in PROVIDERS.values() if key.startswith(provider.distinctive)), None)
