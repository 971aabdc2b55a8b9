"""Environment variables that move a provider's key to another service, as the providers' own SDKs read them."""

from __future__ import annotations

import dataclasses

TRUE = "1|true|yes|y|on|t"
"""The values, as a regular expression, that turn on what a variable names."""


@dataclasses.dataclass(frozen=True, slots=True)
class Switch:
    """An environment variable that decides which service a key works at.

    A service that the SDK does not call says nothing about the key, so it is not asked.

    Args:
        variable: the environment variable.
        values: a regular expression for the whole value that turns the switch on (case-insensitive).
        provider: the name of the provider in the catalog that takes the key then; "" if nobody can be asked, so that
            only the form of the key is judged.
        base_url: where that provider answers; ``{NAME}`` stands for an environment variable, ``{ONE|OTHER}`` for the
            first set. Without all of them nobody is asked.
        is_general: False if a key of the provider's own form overrules the switch.
        is_by_form: True if the switch applies only to keys of the other provider's form, and only where no variable
            names another base URL.
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

# google-genai: with the switch, an API key is one of Vertex AI in express mode. Nothing there takes such a key and
# costs no token.
GEMINI_SWITCHES = (Switch("GOOGLE_GENAI_USE_VERTEXAI"), Switch("GOOGLE_GENAI_USE_ENTERPRISE"))

# openai.api_type of the SDK, which LangChain and others read as well. A key of Azure's form is not one of OpenAI's.
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

# The same, for a key in Azure's own variable.
AZURE_SWITCHES = (
    Switch(
        "OPENAI_API_TYPE",
        "azure",
        provider="azure_openai",
        base_url="{AZURE_OPENAI_ENDPOINT|AZURE_API_BASE|OPENAI_API_BASE}",
    ),
)

# huggingface_hub: the hub is not called at all.
HUGGINGFACE_SWITCHES = (Switch("HF_HUB_OFFLINE"), Switch("TRANSFORMERS_OFFLINE"))

# The client of replicate before version 2; in later ones it is REPLICATE_BASE_URL, which has the version in its path.
REPLICATE_SWITCHES = (
    Switch("REPLICATE_API_BASE_URL", ".+", provider="replicate", base_url="{REPLICATE_API_BASE_URL}/v1"),
)

# The configuration of botocore and of AWS's other SDKs: https://docs.aws.amazon.com/sdkref/latest/guide/.
_BEDROCK = "https://bedrock.{AWS_REGION|AWS_DEFAULT_REGION}.amazonaws.com"
BEDROCK_SWITCHES = (
    Switch("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", provider="bedrock", base_url=_BEDROCK),
    # Models are called at this endpoint. Whether the one that lists them can be reached is not known.
    Switch("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", ".+"),
    Switch("AWS_ENDPOINT_URL_BEDROCK", ".+", provider="bedrock", base_url="{AWS_ENDPOINT_URL_BEDROCK}"),
    Switch("AWS_ENDPOINT_URL", ".+", provider="bedrock", base_url="{AWS_ENDPOINT_URL}"),
    Switch("AWS_USE_FIPS_ENDPOINT", provider="bedrock", base_url=_BEDROCK.replace("bedrock.", "bedrock-fips.")),
)
