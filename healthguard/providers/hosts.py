"""The hosts of the catalog's providers: a base URL at one of them is asked as that provider."""

from __future__ import annotations

import re

from healthguard.calling import Target
from healthguard.providers.catalog import PROVIDERS
from healthguard.providers.provider import TEMPLATE, Provider

# The domains below which a provider answers at api.…, at the regions of it, or at …api.….
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
_API = r"(?:[\w-]+\.)*(?:[\w-]+-)?api(?:-[\w-]+)?(?:\.[\w-]+)*\."

# Other hosts, as regular expressions; where to ask instead, if that is another host of the same provider. There \1
# stands for what the first group has matched: a region.
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
    *((name, re.compile(pattern, re.ASCII), elsewhere) for name, pattern, elsewhere in _HOSTS),
    *(
        (name, re.compile(_API + re.escape(domain), re.ASCII), "")
        for name, domains in _DOMAINS.items()
        for domain in domains
    ),
]


def provider_at(base_url: str) -> tuple[Provider, str] | None:
    """Return the catalog's provider whose host ``base_url`` names, and the base URL to ask it at; None for any other.

    The base URL has the scheme, the user, the host and the port of the given one, and the path of the catalog's: the
    same host may speak as another provider does below other paths.
    """
    try:
        # As the call itself reads it, so that both mean the same host.
        url = Target.over_network(base_url, "").url
    except ValueError:
        return None
    host = url.host.rstrip(".").lower()
    for name, pattern, elsewhere in _PATTERNS:
        if match := pattern.fullmatch(host):
            provider = PROVIDERS[name]
            if elsewhere:
                return provider, match.expand(elsewhere)
            path = TEMPLATE.sub("x", provider.base_url).partition("://")[2].partition("/")[2]
            return provider, str(url.copy_with(raw_path=f"/{path}".encode(), fragment=None)).rstrip("/")
    return None
