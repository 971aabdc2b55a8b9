"""The environment variables that make a provider's SDK send the key to another service."""

from __future__ import annotations

import dataclasses

TRUE = "1|true|yes|y|on|t"
"""A regular expression for the values that turn a boolean variable on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Switch:
    """An environment variable that makes the provider's SDK send the key to another service.

    The key is then verified at that service, or not verified online at all, because a rejection by a service that the
    SDK does not call would be meaningless.

    Args:
        variable: the name of the environment variable.
        values: a regular expression for the whole value that turns the switch on (case-insensitive).
        provider: the name, in the catalog, of the provider at which the key works then. ``""`` if the key cannot be
            verified there, so that only its format is checked.
        base_url: the base URL of that provider. ``{NAME}`` is replaced by that environment variable, ``{ONE|OTHER}``
            by the first of them that is set. If one is not set, the key is not verified online.
        is_general: False if the switch does not apply to keys that have a format of the declared provider.
        is_by_form: True if the switch applies only to keys that have a format of the other provider, and only if no
            variable overrides the base URL.
    """

    variable: str
    values: str = TRUE
    provider: str = ""
    base_url: str = ""
    is_general: bool = True
    is_by_form: bool = False


# Claude Code and the Claude Agent SDK, https://code.claude.com/docs/en/env-vars.
ANTHROPIC_SWITCHES = tuple(
    Switch(f"CLAUDE_CODE_USE_{service}") for service in ("BEDROCK", "VERTEX", "FOUNDRY", "MANTLE", "ANTHROPIC_AWS")
)

# google-genai: with the switch, an API key belongs to Vertex AI in express mode, which has no request that accepts such
# a key and consumes no tokens.
GEMINI_SWITCHES = (Switch("GOOGLE_GENAI_USE_VERTEXAI"), Switch("GOOGLE_GENAI_USE_ENTERPRISE"))

# openai.api_type of the SDK, which LangChain and others also read. A key in Azure's format is not an OpenAI key.
OPENAI_SWITCHES = (
    Switch("OPENAI_API_TYPE", "azure_?ad", is_general=False),
    Switch(
        "OPENAI_API_TYPE",
        "azure",
        provider="azure_openai",
        base_url="{AZURE_OPENAI_ENDPOINT|OPENAI_API_BASE|OPENAI_BASE_URL}",
        is_general=False,
    ),
    Switch(
        "AZURE_OPENAI_ENDPOINT",
        ".+",
        provider="azure_openai",
        base_url="{AZURE_OPENAI_ENDPOINT}",
        is_general=False,
        is_by_form=True,
    ),
)

# The same variable, if the key is in Azure's own variable.
AZURE_SWITCHES = (
    Switch(
        "OPENAI_API_TYPE",
        "azure",
        provider="azure_openai",
        base_url="{AZURE_OPENAI_ENDPOINT|AZURE_API_BASE|OPENAI_API_BASE}",
    ),
)

# huggingface_hub: in offline mode it does not call the hub.
HUGGINGFACE_SWITCHES = (Switch("HF_HUB_OFFLINE"), Switch("TRANSFORMERS_OFFLINE"))

# replicate before version 2. Later versions read REPLICATE_BASE_URL, which includes the API version.
REPLICATE_SWITCHES = (
    Switch("REPLICATE_API_BASE_URL", ".+", provider="replicate", base_url="{REPLICATE_API_BASE_URL}/v1"),
)

# The configuration of botocore and of AWS's other SDKs: https://docs.aws.amazon.com/sdkref/latest/guide/.
_BEDROCK = "https://bedrock.{AWS_REGION|AWS_DEFAULT_REGION}.amazonaws.com"
BEDROCK_SWITCHES = (
    Switch("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", provider="bedrock", base_url=_BEDROCK),
    # This endpoint serves models and cannot list them. The endpoint that lists them may not be reachable.
    Switch("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", ".+"),
    Switch("AWS_ENDPOINT_URL_BEDROCK", ".+", provider="bedrock", base_url="{AWS_ENDPOINT_URL_BEDROCK}"),
    Switch("AWS_ENDPOINT_URL", ".+", provider="bedrock", base_url="{AWS_ENDPOINT_URL}"),
    Switch("AWS_USE_FIPS_ENDPOINT", provider="bedrock", base_url=_BEDROCK.replace("bedrock.", "bedrock-fips.")),
)
