"""The catalog of AI providers.

The entries follow each provider's documentation and Python SDK, and the rules of TruffleHog, gitleaks, betterleaks and
Kingfisher, which agree on the formats of most keys.
"""

from __future__ import annotations

import difflib

from healthguard.providers.bedrock import expires_at
from healthguard.providers.provider import BEARER, Provider, ResponseRule, VerificationRequest
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
from healthguard.secret_values import variable_names
from healthguard.secret_values.showable import is_showable

_ANTHROPIC_VERSION = {"anthropic-version": "2023-06-01"}
_ANTHROPIC_KEY = {"x-api-key": "{key}", **_ANTHROPIC_VERSION}
_ANTHROPIC_BEARER = {**BEARER, **_ANTHROPIC_VERSION}

# https://docs.anthropic.com/en/api/errors: an invalid key is 401 authentication_error. 400 also covers spending limits
# and disabled organizations, so it never means an invalid key.
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
    unique_prefixes=("sk-ant-",),
    request=VerificationRequest("/v1/models", _ANTHROPIC_KEY),
    requests_by_prefix={
        "sk-ant-admin01-": VerificationRequest("/v1/organizations/me", _ANTHROPIC_KEY),
        "sk-ant-oat01-": VerificationRequest("/v1/models", {**_ANTHROPIC_BEARER, "anthropic-beta": "oauth-2025-04-20"}),
    },
    requests_by_variable={"ANTHROPIC_AUTH_TOKEN": VerificationRequest("/v1/models", _ANTHROPIC_BEARER)},
    # The response to an admin key is the organization, which has an id.
    success_fields=("data[]", "id"),
    response_rules=(
        ResponseRule(Verdict.REJECTED, 401, "error.type", "authentication_error"),
        ResponseRule(Verdict.NO_FUNDS, 400, "error.message", ".*(credit balance|spend(ing)? limit|usage limits?).*"),
        ResponseRule(Verdict.RESTRICTED, 400, "error.message", ".*organi[sz]ation has been disabled.*"),
        ResponseRule(Verdict.REJECTED, 403, "error.message", ".*token has been revoked.*"),
        ResponseRule(Verdict.RESTRICTED, 403, "error.type", "permission_error"),
        ResponseRule(Verdict.NO_FUNDS, 429, "error.message", ".*(spend(ing)? limit|spend cap|credit balance).*"),
    ),
)

# OpenAI also responds with 401 to missing scopes, a wrong data residency host and a blocked address. Only
# invalid_api_key means an invalid key. 403 means an unsupported country and is unrelated to the key.
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
    unique_prefixes=("sk-proj-", "sk-svcacct-", "sk-admin-"),
    requests_by_prefix={"sk-admin-": VerificationRequest("/organization/admin_api_keys")},
    response_rules=(
        ResponseRule(Verdict.REJECTED, 401, "error.code", "invalid_api_key"),
        ResponseRule(Verdict.RESTRICTED, 401, "error.code", "incorrect_hostname|ip_not_authorized|missing_scope"),
        # "error" is sometimes a string instead of an object.
        *(ResponseRule(Verdict.RESTRICTED, 401, field, _OPENAI_RESTRICTED) for field in ("error.message", "error")),
        ResponseRule(Verdict.UNKNOWN, 401),
        ResponseRule(Verdict.UNKNOWN, 403, "error.code", "unsupported_country_region_territory"),
        ResponseRule(Verdict.RESTRICTED, 403, "error.message", ".*(missing scopes|insufficient permissions).*"),
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
    request=VerificationRequest("/openai/models?api-version=2024-10-21", {"api-key": "{key}"}),
    # A Microsoft Entra ID token, which OpenAI's client sends as a Bearer token.
    requests_by_prefix={"eyJ": VerificationRequest("/openai/models?api-version=2024-10-21")},
    # 403 is caused by the network rules of the resource, not by the key.
    response_rules=(ResponseRule(Verdict.UNKNOWN, 403),),
    rejected_hint="Check that the key and the endpoint belong together; each Azure resource has its own pair.",
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
    unique_prefixes=("AQ.Ab8RN6", "AIza"),
    request=VerificationRequest("/v1beta/models", {"x-goog-api-key": "{key}"}),
    success_fields=("models[]",),
    response_rules=(
        ResponseRule(Verdict.REJECTED, 400, "error.details.reason", "API_KEY_INVALID"),
        ResponseRule(Verdict.REJECTED, 403, "error.message", ".*reported as leaked.*"),
        ResponseRule(Verdict.RESTRICTED, 403, "error.details.reason", "API_KEY_.*_BLOCKED|SERVICE_DISABLED"),
        ResponseRule(Verdict.UNKNOWN, 401, "error.details.reason", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    ),
    rejected_hint="If the key starts with AIza, replace it; Google has not accepted such keys since September 2026.",
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
    request=VerificationRequest("/v1/check-api-key", method="POST"),
    success_fields=(),
    response_rules=(
        ResponseRule(Verdict.VALID, 200, "valid", "true"),
        ResponseRule(Verdict.REJECTED, 200, "valid", "false"),
        ResponseRule(Verdict.REJECTED, 498),
    ),
)

# Groq's edge rejects the default User-Agent of HTTP libraries with 403, "error code: 1010".
GROQ = Provider(
    name="groq",
    title="Groq",
    variables=("GROQ_API_KEY",),
    base_url="https://api.groq.com",
    base_url_variables=("GROQ_BASE_URL",),
    formats=(r"gsk_[A-Za-z0-9]{52}",),
    specimens=("gsk_{52}",),
    prefixes=("gsk_",),
    unique_prefixes=("gsk_",),
    request=VerificationRequest("/openai/v1/models"),
)

DEEPSEEK = Provider(
    name="deepseek",
    title="DeepSeek",
    variables=("DEEPSEEK_API_KEY",),
    base_url="https://api.deepseek.com",
    formats=(r"sk-[a-z0-9]{32}",),
    specimens=("sk-{32}",),
    prefixes=("sk-",),
    request=VerificationRequest("/user/balance"),
    success_fields=("is_available",),
    response_rules=(ResponseRule(Verdict.NO_FUNDS, 200, "is_available", "false"),),
)

XAI = Provider(
    name="xai",
    title="xAI",
    variables=("XAI_API_KEY",),
    base_url="https://api.x.ai/v1",
    formats=(r"xai-[\w-]{70,120}",),
    specimens=("xai-{80}",),
    prefixes=("xai-",),
    unique_prefixes=("xai-",),
    request=VerificationRequest("/api-key"),
    success_fields=("api_key_id", "redacted_api_key"),
    response_rules=(
        *(ResponseRule(Verdict.REJECTED, 200, field, "true") for field in ("api_key_blocked", "api_key_disabled")),
        ResponseRule(Verdict.REJECTED, 200, "team_blocked", "true"),
        # A 400 from an edge server has no such body.
        ResponseRule(Verdict.REJECTED, 400, "error", is_explicit=False),
        # A team without credit gets 403.
        *(ResponseRule(Verdict.NO_FUNDS, status, "error", ".*(credits|spending limit).*") for status in (403, 429)),
        ResponseRule(Verdict.RESTRICTED, 403, "code", ".*permission.*"),
    ),
)

# OpenRouter's list of models is public: an invalid key gets 200.
OPENROUTER = Provider(
    name="openrouter",
    title="OpenRouter",
    variables=("OPENROUTER_API_KEY",),
    base_url="https://openrouter.ai/api/v1",
    formats=(r"sk-or-v1-[0-9a-f]{64}",),
    specimens=("sk-or-v1-{64}",),
    prefixes=("sk-or-v1-",),
    unique_prefixes=("sk-or-",),
    request=VerificationRequest("/key"),
    success_fields=("data.label", "data.usage"),
    response_rules=(ResponseRule(Verdict.NO_FUNDS, 200, "data.limit_remaining", r"0(\.0+)?|-.*"),),
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
    unique_prefixes=("tgp_v1_",),
    success_fields=("[]", "data[]"),
    # Together also responds with 403 to an input that is too long.
    response_rules=(ResponseRule(Verdict.UNKNOWN, 403),),
)

FIREWORKS = Provider(
    name="fireworks",
    title="Fireworks",
    variables=("FIREWORKS_API_KEY",),
    base_url="https://api.fireworks.ai/inference/v1",
    formats=(r"fw_[A-Za-z0-9]{24}",),
    specimens=("fw_{24}",),
    prefixes=("fw_",),
    response_rules=(ResponseRule(Verdict.UNKNOWN, 403), ResponseRule(Verdict.RESTRICTED, 412)),
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
    unique_prefixes=("pplx-",),
    request=VerificationRequest("/v1/async/sonar"),
    success_fields=("requests[]",),
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
    unique_prefixes=("hf_", "api_org_"),
    request=VerificationRequest("/api/whoami-v2"),
    success_fields=("name",),
    # Hugging Face has a strict rate limit for this request.
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
    unique_prefixes=("r8_",),
    request=VerificationRequest("/account"),
    success_fields=("username",),
    response_rules=(ResponseRule(Verdict.RESTRICTED, 403, "detail", ".*permission.*"),),
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
    unique_prefixes=("ABSK", "bedrock-api-key-"),
    request=VerificationRequest("/foundation-models"),
    success_fields=("modelSummaries[]",),
    # A key for another region gets the same response as an invalid key. A key without permission gets a message.
    response_rules=(
        *(
            ResponseRule(Verdict.RESTRICTED, 403, field, ".*not authorized to perform.*")
            for field in ("message", "Message")
        ),
        ResponseRule(Verdict.UNKNOWN, 403),
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
    request=VerificationRequest("/files"),
    # Keys from MongoDB Atlas are verified at MongoDB.
    requests_by_prefix={"al-": VerificationRequest("/files", base_url="https://ai.mongodb.com/v1")},
    response_rules=(ResponseRule(Verdict.UNKNOWN, 403),),
)

ELEVENLABS = Provider(
    name="elevenlabs",
    title="ElevenLabs",
    variables=("ELEVENLABS_API_KEY",),
    base_url="https://api.elevenlabs.io",
    formats=(r"sk_[a-f0-9]{48}", r"[0-9a-f]{32}"),
    specimens=("sk_{48}",),
    prefixes=("sk_",),
    request=VerificationRequest("/v1/user", {"xi-api-key": "{key}"}),
    success_fields=("user_id", "subscription"),
    response_rules=(
        ResponseRule(Verdict.REJECTED, 401, "detail.status", "invalid_api_key"),
        ResponseRule(Verdict.RESTRICTED, 401, "detail.status", "missing_permissions|detected_unusual_activity"),
        *(ResponseRule(Verdict.NO_FUNDS, status, "detail.status", "quota_exceeded") for status in (400, 401)),
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
UNIQUE_PREFIXES = tuple(prefix for provider in PROVIDERS.values() for prefix in provider.unique_prefixes)
"""The key prefixes that identify one provider."""


def provider_named(name: object) -> Provider | None:
    """Return the provider with the given name; None if there is none."""
    return PROVIDERS.get(name) if isinstance(name, str) else None


def unknown_provider_texts(declared: object, fallback_message: str) -> tuple[str, str]:
    """Return the message and the hint for an unknown provider.

    Args:
        declared: the declared value. It is shown only if it can be a name, because it may be a key by mistake.
        fallback_message: the message if the value cannot be shown.
    """
    can_be_name = isinstance(declared, str) and len(declared) <= _MAX_NAME and is_showable(declared)
    is_shown = can_be_name and not has_known_format(str(declared))
    similar = difflib.get_close_matches(str(declared), PROVIDERS, 1)
    return (
        f"{declared!r} is not a known AI provider." if is_shown else fallback_message,
        f"{f'Did you mean {similar[0]!r}? ' if similar else ''}Known providers: {', '.join(sorted(PROVIDERS))}.",
    )


def is_name(text: str) -> bool:
    """Return True if ``text`` can be a name, and is not a key that was passed instead of one by mistake."""
    is_key = text.startswith(UNIQUE_PREFIXES) and len(text) >= _MIN_KEY
    return variable_names.is_plain_name(text) and not is_key and not has_known_format(text)


def has_known_format(text: str) -> bool:
    """Return True if ``text`` has a key format of the catalog; some consist of letters and digits, as names do."""
    return any(provider.formats and provider.has_format(text) for provider in PROVIDERS.values())


def provider_of(key: str) -> Provider | None:
    """Return the provider to which the prefix of ``key`` is unique; None if several share it, as with ``sk-``."""
    return next((provider for provider in PROVIDERS.values() if key.startswith(provider.unique_prefixes)), None)
