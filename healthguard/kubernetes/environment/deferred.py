"""Values and commands that something outside the inputs completes: a deployment tool, a webhook or a wrapper.

The value that the container gets cannot be determined from the inputs then, so nothing is claimed about it.
"""

from __future__ import annotations

import re

from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.workloads import Container

_DEFERRED = re.compile(
    # SOPS; Bank-Vaults; 1Password; vals, secrets-init, berglas and other injectors
    r"ENC\[.*\]|(?:>>)?vault:\S+|(?:op|ref\+[a-z0-9]+|secretref\+[a-z0-9]+|berglas|sm|akeyless|keeper|infisical|doppler"
    r"|bws|ssm|secretsmanager|aws-?sm|aws-?ssm|gcp-?sm|gsm|azure-?kv|akv|hcvault|bao|openbao)://\S+"
    r"|(?:ssm|secretsmanager|gcpsm|akv|keyvault):/?\S+"
    r"|arn:aws[a-z-]*:(?:secretsmanager|ssm):\S+|gcp:secretmanager:\S+|projects/(?!\S*\s)\S+/secrets/\S+|\S+@azurekeyvault"
    r"|AQICAH[A-Za-z0-9+/]{40,}={0,2}"
    # the Argo CD Vault plugin
    r"|<(?:path:[^<>]+|[A-Za-z][\w.-]*(?:\s*\|[^<>]*)?)>"
    # envsubst
    r"|\$[A-Z_][A-Z0-9_]*",
    re.DOTALL,
)
# Flux, envsubst, Terraform and most other tools; Jinja and Helm; tokens of Azure Pipelines.
_SUBSTITUTED = re.compile(r"\$\{[A-Za-z_][^{}\n]*\}|#\{[\w.-]+\}#?|<path:[^<>\n]+>")
_MARK = re.compile(r"[\[:<$#{@]|projects/|AQICAH")
"""A part of each value that is completed elsewhere. Most values have none, and need no further comparison."""
_ENCLOSED = (("{{", "}}"), ("{%", "%}"))
_PLUGIN_PLACEHOLDER = re.compile(r"<[A-Za-z][\w.-]*(?:\s*\|[^<>]*)?>")

_WRAPPER = re.compile(
    r"\b(?:op\s+run|doppler\s+run|chamber\s+exec|infisical\s+run|teller\s+run|berglas\s+exec|sops\s+exec-env|vals\s+exec"
    r"|bws\s+run|dotenv\s+run|dotenvx\s+run|phase\s+run|aws-vault\s+exec|akeyless\s+exec)\b"
    r"|\b(?:envconsul|vault-env|secrets-init|summon|aws-env|ssm-env|ssm-parent|envdir|dotenv|envkey-source)\b"
    r"|(?:^|[;&|\s])(?:\.|source)\s+[^\s;&|]|\bset\s+-[a-z]*a\b|--env-file|(?:^|[;&|\s])(?:export|eval)\s|\bexport\s*\$\("
)
_INJECTORS = re.compile(
    r"vault\.security\.banzaicloud\.io/vault-(?:env-)?from-path|vault-env-from-path|secrets-store-inject"
    r"|operator\.1password\.io/inject|secrets\.doppler\.com/|vault\.hashicorp\.com/agent-inject-.*(?:env|secret)"
    r"|alpha\.vault|akeyless/enabled|infisical\.com/inject|bank-vaults\.io/vault-(?:env-)?from-path"
)


def is_deferred(text: str, *, has_plugin: bool = False) -> bool:
    """Return True if a value is completed before the application reads it, or may be.

    Args:
        text: the value.
        has_plugin: True if the object has annotations of the Argo CD Vault plugin, which also replaces ``<name>``.
    """
    if _MARK.search(text) is None:
        return False
    stripped = text.strip()
    if _PLUGIN_PLACEHOLDER.fullmatch(stripped):
        return has_plugin
    if _DEFERRED.fullmatch(stripped) or _SUBSTITUTED.search(text) or _has_template(text):
        return True
    return has_plugin and _PLUGIN_PLACEHOLDER.search(text) is not None


def _has_template(text: str) -> bool:
    """Return True if a text has an action of a template. A regular expression would take quadratic time."""
    return any(
        opening in text and text.find(closing, text.find(opening) + len(opening)) >= 0 for opening, closing in _ENCLOSED
    )


def is_deferred_node(node: Node) -> bool:
    """Return True if a value is a text that is replaced before the API server reads it, or may be."""
    return isinstance(node, ScalarNode) and isinstance(node.value, str) and is_deferred(node.value)


def sets_variables_itself(container: Container) -> bool:
    """Return True if the command of a container, or an injector, may set variables that the manifest does not name."""
    if _WRAPPER.search(command_of(container)):
        return True
    annotations = container.workload.template.map_at("metadata", "annotations")
    return annotations is not None and any(_INJECTORS.search(name) for name in annotations.items)


def command_of(container: Container) -> str:
    """Return the command and the arguments of a container as one text; an empty string if the image defines both."""
    return " ".join(item for field in ("command", "args") for item in _texts(container.node.at(field)))


def _texts(node: Node | None) -> list[str]:
    items = node.items if isinstance(node, ListNode) else []
    return [item.value for item in items if isinstance(item, ScalarNode) and isinstance(item.value, str)]


def has_vault_plugin(node: MapNode) -> bool:
    """Return True if the content of an object has annotations of the Argo CD Vault plugin."""
    annotations = node.map_at("metadata", "annotations")
    return annotations is not None and any(name.startswith("avp.kubernetes.io/") for name in annotations.items)
