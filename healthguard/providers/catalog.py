"""The providers, a row each.

What a row says comes from the provider's documentation and its own Python SDK, and from the rules of TruffleHog,
gitleaks, betterleaks and Kingfisher, which agree on the forms of most keys.
"""

from __future__ import annotations

import difflib

from healthguard import values
from healthguard.declared import is_showable
from healthguard.providers.bedrock import expires_at
from healthguard.providers.provider import BEARER, Answers, Provider, Request
from healthguard.providers.switches import (
    ANTHROPIC_SWITCHES,
    AZURE_SWITCHES,
    BEDROCK_SWITCHES,
    GEMINI_SWITCHES,
    HUGGINGFACE_SWITCHES,
    OPENAI_SWITCHES,
    REPLICATE_SWITCHES,
)
from healthguard.providers.verdict import Verdict

_ANTHROPIC_VERSION = {"anthropic-version": "2023-06-01"}
_ANTHROPIC_KEY = {"x-api-key": "{key}", **_ANTHROPIC_VERSION}
_ANTHROPIC_BEARER = {**BEARER, **_ANTHROPIC_VERSION}

# https://docs.anthropic.com/en/api/errors: an invalid key is 401 authentication_error; 400 also covers spending
# limits and disabled organisations and so never means a bad key.
ANTHROPIC = Provider(
    name="anthropic",
    title="Anthropic",
    variables=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    base_url="https://api.anthropic.com",
    base_url_variables=("ANTHROPIC_BASE_URL",),
    formats=(r"sk-ant-(api03|admin01)-[\w-]{93}AA", r"sk-ant-oat01-[\w-]{20,}"),
    specimens=("sk-ant-api03-{93}AA", "sk-ant-admin01-{93}AA", "sk-ant-oat01-{93}AA"),
    switches=ANTHROPIC_SWITCHES,
    prefixes=("sk-ant-api03-", "sk-ant-admin01-", "sk-ant-oat01-", "sk-ant-"),
    distinctive=("sk-ant-",),
    request=Request("/v1/models", _ANTHROPIC_KEY),
    requests_by_prefix={
        "sk-ant-admin01-": Request("/v1/organizations/me", _ANTHROPIC_KEY),
        "sk-ant-oat01-": Request("/v1/models", {**_ANTHROPIC_BEARER, "anthropic-beta": "oauth-2025-04-20"}),
    },
    requests_by_variable={"ANTHROPIC_AUTH_TOKEN": Request("/v1/models", _ANTHROPIC_BEARER)},
    # An admin key is answered with the organisation.
    proofs=("data[]", "id"),
    answers=(
        Answers(Verdict.REJECTED, 401, "error.type", "authentication_error"),
        Answers(Verdict.NO_FUNDS, 400, "error.message", ".*(credit balance|spend(ing)? limit|usage limits?).*"),
        Answers(Verdict.RESTRICTED, 400, "error.message", ".*organi[sz]ation has been disabled.*"),
        Answers(Verdict.REJECTED, 403, "error.message", ".*token has been revoked.*"),
        Answers(Verdict.RESTRICTED, 403, "error.type", "permission_error"),
        Answers(Verdict.NO_FUNDS, 429, "error.message", ".*(spend(ing)? limit|spend cap|credit balance).*"),
    ),
)

# OpenAI reports missing scopes, a wrong data residency host and a blocked address as 401 too; only invalid_api_key
# means a bad key. A country it does not serve is 403: it says nothing of the key.
_OPENAI_RESTRICTED = ".*(missing scopes|insufficient permissions|ip .*not authorized|member of an organization).*"
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
    specimens=("sk-proj-{74}T3BlbkFJ{74}", "sk-admin-{58}T3BlbkFJ{58}"),
    switches=OPENAI_SWITCHES,
    prefixes=("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-service-", "sk-None-", "sk-"),
    distinctive=("sk-proj-", "sk-svcacct-", "sk-admin-"),
    requests_by_prefix={"sk-admin-": Request("/organization/admin_api_keys")},
    answers=(
        Answers(Verdict.REJECTED, 401, "error.code", "invalid_api_key"),
        Answers(Verdict.RESTRICTED, 401, "error.code", "incorrect_hostname|ip_not_authorized|missing_scope"),
        # The error itself is a text now and then.
        *(Answers(Verdict.RESTRICTED, 401, field, _OPENAI_RESTRICTED) for field in ("error.message", "error")),
        Answers(Verdict.UNKNOWN, 401),
        Answers(Verdict.UNKNOWN, 403, "error.code", "unsupported_country_region_territory"),
        Answers(Verdict.RESTRICTED, 403, "error.message", ".*(missing scopes|insufficient permissions).*"),
    ),
)

AZURE_OPENAI = Provider(
    name="azure_openai",
    title="Azure OpenAI",
    variables=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
    base_url="{AZURE_OPENAI_ENDPOINT|AZURE_API_BASE}",
    formats=(r"[0-9a-f]{32}", r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{14}AAABACOG[A-Za-z0-9]{4}"),
    specimens=("{32}",),
    switches=AZURE_SWITCHES,
    request=Request("/openai/models?api-version=2024-10-21", {"api-key": "{key}"}),
    # A token of the directory, which OpenAI's client sends there as a Bearer token.
    requests_by_prefix={"eyJ": Request("/openai/models?api-version=2024-10-21")},
    # A 403 is the resource's network rules.
    answers=(Answers(Verdict.UNKNOWN, 403),),
    rejected_hint="This key and this endpoint do not belong together: look at both, for each resource has its own.",
)

GEMINI = Provider(
    name="gemini",
    title="Google Gemini",
    variables=("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"),
    skips_empty=True,
    base_url="https://generativelanguage.googleapis.com",
    base_url_variables=("GOOGLE_GEMINI_BASE_URL",),
    formats=(r"AQ\.Ab8RN6[\w-]{44}", r"AIza[\w-]{35}"),
    specimens=("AQ.Ab8RN6{44}",),
    switches=GEMINI_SWITCHES,
    prefixes=("AQ.Ab8RN6", "AIza"),
    distinctive=("AQ.Ab8RN6", "AIza"),
    request=Request("/v1beta/models", {"x-goog-api-key": "{key}"}),
    proofs=("models[]",),
    answers=(
        Answers(Verdict.REJECTED, 400, "error.details.reason", "API_KEY_INVALID"),
        Answers(Verdict.REJECTED, 403, "error.message", ".*reported as leaked.*"),
        Answers(Verdict.RESTRICTED, 403, "error.details.reason", "API_KEY_.*_BLOCKED|SERVICE_DISABLED"),
        Answers(Verdict.UNKNOWN, 401, "error.details.reason", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    ),
    rejected_hint="Does it begin with AIza? Such keys are not taken any more since September 2026.",
)

MISTRAL = Provider(
    name="mistral",
    title="Mistral",
    variables=("MISTRAL_API_KEY",),
    base_url="https://api.mistral.ai/v1",
    base_url_variables=("MISTRAL_BASE_URL",),
    formats=(r"[A-Za-z0-9]{32}",),
    specimens=("{32}",),
)

COHERE = Provider(
    name="cohere",
    title="Cohere",
    variables=("CO_API_KEY", "COHERE_API_KEY"),
    base_url="https://api.cohere.com",
    base_url_variables=("CO_API_URL",),
    formats=(r"[A-Za-z0-9]{40}",),
    specimens=("{40}",),
    request=Request("/v1/check-api-key", method="POST"),
    proofs=(),
    answers=(
        Answers(Verdict.REAL, 200, "valid", "true"),
        Answers(Verdict.REJECTED, 200, "valid", "false"),
        Answers(Verdict.REJECTED, 498),
    ),
)

# Its edge refuses what looks like a library's default client: 403, "error code: 1010".
GROQ = Provider(
    name="groq",
    title="Groq",
    variables=("GROQ_API_KEY",),
    base_url="https://api.groq.com",
    base_url_variables=("GROQ_BASE_URL",),
    formats=(r"gsk_[A-Za-z0-9]{52}",),
    specimens=("gsk_{52}",),
    prefixes=("gsk_",),
    distinctive=("gsk_",),
    request=Request("/openai/v1/models"),
)

DEEPSEEK = Provider(
    name="deepseek",
    title="DeepSeek",
    variables=("DEEPSEEK_API_KEY",),
    base_url="https://api.deepseek.com",
    formats=(r"sk-[a-z0-9]{32}",),
    specimens=("sk-{32}",),
    prefixes=("sk-",),
    request=Request("/user/balance"),
    proofs=("is_available",),
    answers=(Answers(Verdict.NO_FUNDS, 200, "is_available", "false"),),
)

XAI = Provider(
    name="xai",
    title="xAI",
    variables=("XAI_API_KEY",),
    base_url="https://api.x.ai/v1",
    formats=(r"xai-[\w-]{70,120}",),
    specimens=("xai-{80}",),
    prefixes=("xai-",),
    distinctive=("xai-",),
    request=Request("/api-key"),
    proofs=("api_key_id", "redacted_api_key"),
    answers=(
        *(Answers(Verdict.REJECTED, 200, field, "true") for field in ("api_key_blocked", "api_key_disabled")),
        Answers(Verdict.REJECTED, 200, "team_blocked", "true"),
        # An edge's 400 has no such body.
        Answers(Verdict.REJECTED, 400, "error", is_explicit=False),
        # A team without credit is told so as forbidden.
        *(Answers(Verdict.NO_FUNDS, status, "error", ".*(credits|spending limit).*") for status in (403, 429)),
        Answers(Verdict.RESTRICTED, 403, "code", ".*permission.*"),
    ),
)

# Its list of models is public: a bogus key gets a 200.
OPENROUTER = Provider(
    name="openrouter",
    title="OpenRouter",
    variables=("OPENROUTER_API_KEY",),
    base_url="https://openrouter.ai/api/v1",
    formats=(r"sk-or-v1-[0-9a-f]{64}",),
    specimens=("sk-or-v1-{64}",),
    prefixes=("sk-or-v1-",),
    distinctive=("sk-or-",),
    request=Request("/key"),
    proofs=("data.label", "data.usage"),
    answers=(Answers(Verdict.NO_FUNDS, 200, "data.limit_remaining", r"0(\.0+)?|-.*"),),
)

TOGETHER = Provider(
    name="together",
    title="Together",
    variables=("TOGETHER_API_KEY",),
    base_url="https://api.together.xyz/v1",
    base_url_variables=("TOGETHER_BASE_URL",),
    formats=(r"tgp_v1_[\w-]{43}", r"[0-9a-f]{64}"),
    specimens=("tgp_v1_{43}",),
    prefixes=("tgp_v1_",),
    distinctive=("tgp_v1_",),
    proofs=("[]", "data[]"),
    # It calls an input that is too long forbidden.
    answers=(Answers(Verdict.UNKNOWN, 403),),
)

FIREWORKS = Provider(
    name="fireworks",
    title="Fireworks",
    variables=("FIREWORKS_API_KEY",),
    base_url="https://api.fireworks.ai/inference/v1",
    formats=(r"fw_[A-Za-z0-9]{24}",),
    specimens=("fw_{24}",),
    prefixes=("fw_",),
    answers=(Answers(Verdict.UNKNOWN, 403), Answers(Verdict.RESTRICTED, 412)),
)

PERPLEXITY = Provider(
    name="perplexity",
    title="Perplexity",
    variables=("PERPLEXITY_API_KEY",),
    base_url="https://api.perplexity.ai",
    base_url_variables=("PERPLEXITY_BASE_URL",),
    formats=(r"pplx-[A-Za-z0-9]{48}",),
    specimens=("pplx-{48}",),
    prefixes=("pplx-",),
    distinctive=("pplx-",),
    request=Request("/v1/async/sonar"),
    proofs=("requests[]",),
)

HUGGINGFACE = Provider(
    name="huggingface",
    title="Hugging Face",
    variables=("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    skips_empty=True,
    base_url="https://huggingface.co",
    base_url_variables=("HF_ENDPOINT",),
    formats=(r"(hf_|api_org_)[A-Za-z0-9]{34}",),
    specimens=("hf_{34}",),
    switches=HUGGINGFACE_SWITCHES,
    prefixes=("hf_", "api_org_"),
    distinctive=("hf_", "api_org_"),
    request=Request("/api/whoami-v2"),
    proofs=("name",),
    # It limits the rate of this very request strictly.
    ttl=3600.0,
)

REPLICATE = Provider(
    name="replicate",
    title="Replicate",
    variables=("REPLICATE_API_TOKEN",),
    base_url="https://api.replicate.com/v1",
    base_url_variables=("REPLICATE_BASE_URL",),
    formats=(r"r8_[\w-]{37}",),
    specimens=("r8_{37}",),
    switches=REPLICATE_SWITCHES,
    prefixes=("r8_",),
    distinctive=("r8_",),
    request=Request("/account"),
    proofs=("username",),
    answers=(Answers(Verdict.RESTRICTED, 403, "detail", ".*permission.*"),),
)

BEDROCK = Provider(
    name="bedrock",
    title="Amazon Bedrock",
    variables=("AWS_BEARER_TOKEN_BEDROCK",),
    base_url="https://bedrock.{AWS_REGION|AWS_DEFAULT_REGION}.amazonaws.com",
    formats=(r"ABSK[A-Za-z0-9+/]{109,269}={0,2}", r"bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/=]+"),
    specimens=("ABSK{132}",),
    switches=BEDROCK_SWITCHES,
    prefixes=("ABSK", "bedrock-api-key-"),
    distinctive=("ABSK", "bedrock-api-key-"),
    request=Request("/foundation-models"),
    proofs=("modelSummaries[]",),
    # A key of another region is refused as a wrong one is; one that lacks a right is not.
    answers=(
        *(Answers(Verdict.RESTRICTED, 403, field, ".*not authorized to perform.*") for field in ("message", "Message")),
        Answers(Verdict.UNKNOWN, 403),
    ),
    expires_at=expires_at,
)

VOYAGE = Provider(
    name="voyage",
    title="Voyage",
    variables=("VOYAGE_API_KEY",),
    base_url="https://api.voyageai.com/v1",
    formats=(r"(pa|al)-[\w-]{43}",),
    specimens=("pa-{43}", "al-{43}"),
    prefixes=("pa-", "al-"),
    request=Request("/files"),
    # Those of MongoDB Atlas are asked about there.
    requests_by_prefix={"al-": Request("/files", base_url="https://ai.mongodb.com/v1")},
    answers=(Answers(Verdict.UNKNOWN, 403),),
)

ELEVENLABS = Provider(
    name="elevenlabs",
    title="ElevenLabs",
    variables=("ELEVENLABS_API_KEY",),
    base_url="https://api.elevenlabs.io",
    formats=(r"sk_[a-f0-9]{48}", r"[0-9a-f]{32}"),
    specimens=("sk_{48}",),
    prefixes=("sk_",),
    request=Request("/v1/user", {"xi-api-key": "{key}"}),
    proofs=("user_id", "subscription"),
    answers=(
        Answers(Verdict.REJECTED, 401, "detail.status", "invalid_api_key"),
        Answers(Verdict.RESTRICTED, 401, "detail.status", "missing_permissions|detected_unusual_activity"),
        *(Answers(Verdict.NO_FUNDS, status, "detail.status", "quota_exceeded") for status in (400, 401)),
    ),
)

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        *(ANTHROPIC, OPENAI, AZURE_OPENAI, GEMINI, MISTRAL, COHERE, GROQ, DEEPSEEK, XAI, OPENROUTER, TOGETHER),
        *(FIREWORKS, PERPLEXITY, HUGGINGFACE, REPLICATE, BEDROCK, VOYAGE, ELEVENLABS),
    )
}

_MAX_NAME = 20
_MIN_KEY = 20
DISTINCTIVE_PREFIXES = tuple(prefix for provider in PROVIDERS.values() for prefix in provider.distinctive)


def provider_named(name: object) -> Provider | None:
    """The provider that a declaration calls ``name``."""
    return PROVIDERS.get(name) if isinstance(name, str) else None


def no_provider(given: object, otherwise: str) -> tuple[str, str]:
    """What to say, and to advise, where ``given`` names no provider.

    Args:
        given: what was declared. It may be a key, by mistake: what cannot be a name is not shown.
        otherwise: what to say then.
    """
    is_name = isinstance(given, str) and len(given) <= _MAX_NAME and is_showable(given)
    near = difflib.get_close_matches(str(given), PROVIDERS, 1)
    return (
        f"There is no AI provider {given!r}." if is_name and not has_a_form(str(given)) else otherwise,
        f"{f'Did you mean {near[0]!r}? ' if near else ''}Known are: {', '.join(sorted(PROVIDERS))}.",
    )


def is_name(text: str) -> bool:
    """Whether ``text`` can be a name, and is no key that was put in its place by mistake."""
    is_key = text.startswith(DISTINCTIVE_PREFIXES) and len(text) >= _MIN_KEY
    return values.is_plain_name(text) and not is_key and not has_a_form(text)


def has_a_form(text: str) -> bool:
    """Whether some provider's keys look like ``text``: those of letters and digits alone could be names."""
    return any(provider.formats and provider.has_format(text) for provider in PROVIDERS.values())


def provider_of(key: str) -> Provider | None:
    """The provider whose distinctive prefix ``key`` has. Prefixes that several share, like sk-, tell nothing."""
    return next((provider for provider in PROVIDERS.values() if key.startswith(provider.distinctive)), None)
