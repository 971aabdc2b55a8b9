"""The hosts of the providers in the catalog. A key for a base URL at one of them is verified as that provider's key."""

from __future__ import annotations

import re

from healthguard.http_client import Target
from healthguard.providers.catalog import PROVIDERS
from healthguard.providers.provider import TEMPLATE, Provider

# The domains of the providers whose hosts have a label like "api" below the domain, with or without a region.
_DOMAINS = {
    "anthropic": ("anthropic.com",),
    "openai": ("openai.com",),
    "mistral": ("mistral.ai",),
    "cohere": ("cohere.com", "cohere.ai"),
    "groq": ("groq.com",),
    "deepseek": ("deepseek.com",),
    "xai": ("x.ai",),
    "together": ("together.xyz", "together.ai"),
    "fireworks": ("fireworks.ai",),
    "perplexity": ("perplexity.ai",),
    "replicate": ("replicate.com",),
    "voyage": ("voyageai.com",),
    "elevenlabs": ("elevenlabs.io",),
}
_LONGEST_HOST = 253
"""The length of the longest name in DNS (characters), from RFC 1035. The time for the patterns below grows faster."""
_API = r"(?:[\w-]+\.)*(?:[\w-]+-)?api(?:-[\w-]+)?(?:\.[\w-]+)*\."

# Other hosts, as regular expressions, and the base URL at which a key is verified, if that is another host of the same
# provider. In it, \1 is the first group of the match: a region.
_HOSTS: tuple[tuple[str, str, str], ...] = (
    ("openrouter", r"(?:[\w-]+\.)*openrouter\.ai", ""),
    ("gemini", r"(?:[\w-]+\.)*generativelanguage\.googleapis\.com", ""),
    ("mistral", r"codestral\.mistral\.ai", ""),
    ("azure_openai", r"[\w-]+\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)", ""),
    ("azure_openai", r"[\w-]+\.api\.cognitive\.microsoft\.com", ""),
    ("huggingface", r"huggingface\.co", ""),
    ("huggingface", r"(?:router|api-inference)\.huggingface\.co|hf\.co", "https://huggingface.co"),
    ("bedrock", r"bedrock(?:-fips)?\.[\w-]+\.amazonaws\.com", ""),
    (
        "bedrock",
        r"bedrock-(?:runtime|mantle)(?:-fips)?\.([\w-]+)\.(?:amazonaws\.com|api\.aws)",
        r"https://bedrock.\1.amazonaws.com",
    ),
    ("voyage", r"ai\.mongodb\.com", "https://ai.mongodb.com/v1"),
)

_PATTERNS = [
    *((name, re.compile(pattern, re.ASCII), verification_url) for name, pattern, verification_url in _HOSTS),
    *(
        (name, re.compile(_API + re.escape(domain), re.ASCII), "")
        for name, domains in _DOMAINS.items()
        for domain in domains
    ),
]


def provider_at(base_url: str) -> tuple[Provider, str] | None:
    """Return the provider whose host is in ``base_url``, and the base URL at which to verify its keys.

    Return None if the host does not belong to a provider in the catalog. The returned base URL has the scheme, user,
    host and port of ``base_url``, and the path of the catalog, because the same host may serve another provider's API
    at other paths.
    """
    try:
        # Parsed in the same way as for the request, so that both use the same host.
        url = Target.over_network(base_url, "").url
    except ValueError:
        return None
    host = url.host.rstrip(".").lower()
    if len(host) > _LONGEST_HOST:
        return None
    for name, pattern, verification_url in _PATTERNS:
        if match := pattern.fullmatch(host):
            provider = PROVIDERS[name]
            if verification_url:
                return provider, match.expand(verification_url)
            path = TEMPLATE.sub("x", provider.base_url).partition("://")[2].partition("/")[2]
            return provider, str(url.copy_with(raw_path=f"/{path}".encode(), fragment=None)).rstrip("/")
    return None
