"""References to a secret that appear instead of the secret itself.

A deployment resolves a vault's address, a path, an encrypted text or a piece of code before the process starts. If the
process receives one of these, nothing resolved it. Pure functions on text; their results never contain the value.
"""

from __future__ import annotations

import dataclasses
import re

_MAX_CHARACTERS = 4_096
"""The length up to which a value is searched for references (characters); the rest is ignored."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """A reference that was not resolved.

    Args:
        what: the problem, as the predicate of a sentence that begins with "the value".
        remedy: the remedy, as one or more sentences; ``{name}`` is replaced with the name of the variable.
    """

    what: str
    remedy: str


_VAULT = Reference(
    "is an unresolved reference to a secret in a vault",
    "Start the process with the tool that resolves such references, and check that it may read the secret. Or mount "
    "the secret itself.",
)
_KEY_VAULT = Reference(
    "is an unresolved Key Vault reference",
    "Check the status of the reference in the app's configuration, and that the app's managed identity may read the "
    "secret.",
)
_ENCRYPTED = Reference(
    "is still encrypted",
    "Decrypt it before the process starts, with the tool that encrypted it. Check that the tool has access to its key.",
)
_PATH = Reference(
    "is the path of a file, not the content of the file",
    "Set {name} to the content of the file. Or rename the variable to {name}_FILE, if the application reads that one.",
)
_CODE = Reference(
    "is an expression that was not evaluated",
    "Set the variable to the result of the expression, because nothing evaluates environment variables.",
)
_VARIABLE = Reference(
    "contains an unresolved reference, like ${NAME}",
    "Set the referenced variable where references are resolved (the shell, docker compose, the CI job), or replace the "
    "reference with the value itself.",
)

# Formats that are invalid as a value of any variable.
_ENCRYPTED_TEXT = re.compile(
    r"ENC\[[A-Za-z0-9_]+,.*\]|ENC\(.+\)|\{cipher\}.*|EJ\[\d+:.*\]|\$ANSIBLE_VAULT;.*|vault:v\d+:.+"
    r"|encrypted:[A-Za-z0-9+/=]{20,}|-----BEGIN (?:AGE ENCRYPTED FILE|PGP MESSAGE)-----.*"
    # The output of kubeseal.
    r"|Ag[A-D][A-Za-z0-9+/]{400,}={0,2}"
    # The output of AWS KMS.
    r"|AQICAH[A-Za-z0-9+/]{40,}={0,2}",
    re.DOTALL,
)
_KEY_VAULT_TEXT = re.compile(r"@Microsoft\.(?:KeyVault|AppConfiguration)\(.*", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(
    r"!(?:vault|secret|env|file|var|ref|sub|getatt|importvalue|join|sops|encrypted|include|lookup|unsafe)(?:\s+\S|[:/]).*",
    re.IGNORECASE | re.DOTALL,
)
# Schemes of tools that fetch secrets. With any other scheme too, a URL without a user is never a secret itself.
_VAULT_SCHEME = re.compile(
    r"(?:op|1password|onepassword|keeper|bws?|bitwarden|lpass|pass|gopass|dl|dashlane|doppler|infisical|akeyless|conjur"
    r"|cyberark|summon|chamber|sops|vault|hcvault|openbao|bao|secrets?|secretref|sm|gcp-?sm|gsm|gcpsecretmanager"
    r"|google-?secret-?manager|berglas|aws-?sm|aws-?secrets?(?:-?manager)?|secretsmanager|awsps|aws-?ssm|ssm|awsparamstore"
    r"|aws-?parameter-?store|az(?:ure)?-?kv|az(?:ure)?-?key-?vault|akv|keyvault|k8s|kubernetes|ref\+[a-z0-9]+|env|file"
    r"|keyring|keychain|passbolt|psono|teller|phase|proton|pulumi|ejson|kms|consul|etcd|ibm-?sm|oci-?vault|yc-?lockbox"
    r"|lockbox|barbican|delinea|thycotic|tss|dsv|beyondtrust|senhasegura)",
    re.IGNORECASE,
)
# The same for an address, which may legitimately begin with vault:// or file://.
_FETCHED_SCHEME = re.compile(
    r"op|1password|onepassword|keeper|bws|bitwarden|doppler|infisical|akeyless|berglas|sm|gcp-?sm|gsm|aws-?sm"
    r"|aws-?secrets?(?:-?manager)?|secretsmanager|aws-?ssm|ssm|az(?:ure)?-?kv|az(?:ure)?-?key-?vault|akv|keyvault"
    r"|ref\+[a-z0-9]+|secretref",
    re.IGNORECASE,
)
_FETCHED = re.compile(r"(?:vault|ssm|gcpsm|secretsmanager|keyvault|akv):(?!//)\S{2,}", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,40}):(?://|(?=[^\s:]))(\S{2,})", re.IGNORECASE)
_URL = re.compile(r"([a-z][a-z0-9+.-]{1,40})://[^\s@]*", re.IGNORECASE)
_CONNECTION_SCHEME = re.compile(
    r"https?|wss?|ftps?|sftp|ssh|tcps?|udp|unix|tls|ssl|postgres(?:ql)?(?:\+\w+)?|postgis|pgsql|mysql2?(?:\+\w+)?|mariadb"
    r"(?:\+\w+)?|sqlite3?|oracle(?:\+\w+)?|mssql(?:\+\w+)?|mongodb(?:\+srv)?|rediss?|valkeys?|amqps?|smtps?(?:\+\w+)?|imaps?"
    r"|ldaps?|kafka|nats|mqtts?|otpauth|memcached?|s3|gs|socks\d?h?|elasticsearch|clickhouse|cockroachdb|data|bolt|neo4j",
    re.IGNORECASE,
)
# A random part of a path, because random base64 may begin with kv/.
_RANDOM_PART = r"(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{12}"
_NAMED_PLACE = re.compile(
    r"arn:aws[a-z-]*:.+"
    r"|(?://secretmanager\.googleapis\.com/)?projects/[^/\s]+/(?:locations/[^/\s]+/)?secrets/\S+"
    r"|/?subscriptions/\S+/Microsoft\.KeyVault/\S+"
    r"|https://[\w-]+\.vault\.(?:azure\.(?:net|cn)|usgovcloudapi\.net)/\S*"
    r"|https://secretmanager\.googleapis\.com/\S*|https?://[^/\s]*vault[^/\s]*/v1/\S+"
    rf"|(?-i:secret|kv(?:-?v?[12])?|vault)(?![\w./#:@-]*?/{_RANDOM_PART})/[\w./#:@-]+"
    r"|ocid1\.vaultsecret\.\S+|crn:v1:\S+:secrets-manager:\S+",
    re.IGNORECASE,
)
_SHORT_SCHEME = 4
_FILE_NAME = r"[\w.@+-]+"
_SECRET_PATH = re.compile(r"(?:/(?:var/)?run|/etc|/mnt|/vault)?/secrets(?:-store)?/\S+")
_PATH_TEXT = re.compile(
    # An absolute path below a folder that Unix systems and containers usually have.
    r"/(?:var/)?run/\S+|/(?:etc|mnt|vault|secrets?|opt|home|srv|root|usr|app|tmp|var|data|config|workspace|proc|dev/shm"
    r"|keys|certs?|conf|private|Users|Volumes|bitnami|kaniko|docker|code)/[^\n]+"
    rf"|(?:\.{{1,2}}|~)(?:(?:/{_FILE_NAME})*/[\w-]+\.\w{{1,5}}|(?:/[a-z._-]+)+)"
    rf"|(?:{_FILE_NAME}/)*\.?secrets?/{_FILE_NAME}"
    rf"|(?:{_FILE_NAME}/)*[\w-]+\.(?:txt|pem|key|secret|token|env|ya?ml|json)"
    r"|[A-Za-z]:[\\/](?:[\w.@ -]+[\\/])*[\w.@ -]+",
)
# For the files of a key pair or of a service account, libraries expect the path.
_PATH_IS_MEANT = re.compile(r"CREDENTIALS?$|PATH|FILE|(?:SSL|TLS|CERT|SSH|PEM).*KEY$", re.IGNORECASE)
_KEY_PAIR_NAME = re.compile(r"(?:PRIVATE|PUBLIC|CLIENT|SERVER|SIGN(?:ING)?|HOST|CA)_?KEY$", re.IGNORECASE)
_KEY_PAIR_FILE = re.compile(r".*\.(?:pem|key|p8|p12|pfx|der|jks|crt|json)", re.IGNORECASE)
_CODE_TEXT = re.compile(
    r"(?:os\.)?(?:environ|getenv)(?:\.get)?\s*[\[(].*[\])]|(?:process|import\.meta)\.env[.\[].+|ENV(?:\.fetch)?[\[(].+[\])]"
    r"|(?:System|Deno|Environment)\.(?:getenv|env|GetEnvironmentVariable)\w*[(.].*|(?:config|env|secret|lookup|file|getenv"
    r"|fetch|decouple\.config|include|get_secret|getSecret|vault|readFile|concat|base64decode|ssm|output)\(.*\)"
    r"|(?:vars?|env|secrets)(?:\.[A-Za-z_][\w-]*)+"
    r"|(?:local|data|module|variables|inputs|outputs|params|parameters|values|stack|self|this|config|settings|resource|each"
    r"|random_\w+|aws_\w+|google_\w+|azurerm_\w+|github|needs|steps|matrix)(?=[\w.-]*[_A-Z])(?:\.[A-Za-z_][\w-]*)+"
    r"|\.Values\.[\w.-]+|\$env:\w+|(?:env|var|variable|envvar):\s*\w+|resolve:[a-z-]+:.+|AWS::\S+|Fn::\S+",
    re.DOTALL,
)
_COMMAND = re.compile(
    r"\$\([a-z][\w./-]*(?:\s[^\n]*)?\)|(?:openssl rand|cat [/.~<$]|pwgen -|uuidgen$|aws (?:secretsmanager|ssm)"
    r"|gcloud secrets|az keyvault|vault (?:kv|read)|op (?:read|item|get)|kubectl get|python3? -"
    r"|terraform output|pulumi config|sops -"
    r"|doppler secrets|head -c|htpasswd -|ansible-vault |node -e|php -r|manage\.py |\./manage\.py ).*",
    re.DOTALL,
)
# ${NAME}, ${NAME:-default}, ${ssm:/path}, {{ name }}, #{name}#, %(name)s, <%= name %> inside a longer value. Secret
# keys of Django consist of letters, digits and !@#$%^&*(-_=+), so that one in 500,000 contains the form %(name)s. Such
# a key nearly always has a character that is rare beside a reference.
_IN = r"(?:[A-Z_][A-Z0-9_]{2,80}|[a-z_][a-z0-9_.]{3,80}|[A-Za-z][a-z]{1,30}(?:[A-Z][a-z]{1,30}){1,5})"
_INSIDE = re.compile(
    rf"\$\{{\{{?\s?{_IN}(?::?[-?+=][^{{}}\s]{{0,80}}|:[\w./~-]{{1,80}})?\s?\}}|#\{{{_IN}\}}"
    rf"|^[^!#^*]*%\({_IN}\)s[^!#^*]*$"
    r"|\{\{-?\s{0,3}[\w.$][^{}\n]{1,80}\}\}|<%=?[^<>%\n]{2,80}%>|\$\[\[[^\]\n]{2,80}\]\]|\{%[^{}%\n]{2,80}%\}"
)


def reference(value: str, *, name: str = "", is_secret: bool = True, is_address: bool = False) -> Reference | None:
    """Return the reference that ``value`` is, or None.

    Args:
        value: the value.
        name: the name of the variable. Some variables expect a path, such as GOOGLE_APPLICATION_CREDENTIALS.
        is_secret: True if the value must be a secret. Any other value may be a path, or the name of a vault.
        is_address: True if the value is an address, which may contain a secret.
    """
    text = value.strip()[:_MAX_CHARACTERS]
    if _ENCRYPTED_TEXT.fullmatch(text):
        return _ENCRYPTED
    if _KEY_VAULT_TEXT.match(text):
        return _KEY_VAULT
    if _TAG.fullmatch(text):
        return _VAULT
    if is_secret:
        return _of_secret(text, name)
    return _of_address(text) if is_address else None


def _of_secret(text: str, name: str) -> Reference | None:
    if _names_vault(text):
        return _VAULT
    if _PATH_TEXT.fullmatch(text) and not takes_path(name, text):
        return _PATH
    if _CODE_TEXT.fullmatch(text) or _COMMAND.fullmatch(text):
        return _CODE
    return None


def _of_address(text: str) -> Reference | None:
    if _SECRET_PATH.fullmatch(text):
        return _PATH
    scheme = _URL.fullmatch(text)
    is_fetched = scheme is not None and _FETCHED_SCHEME.fullmatch(scheme[1])
    return _VAULT if is_fetched or _NAMED_PLACE.fullmatch(text) or _FETCHED.fullmatch(text) else None


def reference_inside(value: str) -> Reference | None:
    """Return the reference inside a longer ``value``, as in ``postgres://app:${PASSWORD}@db``, or None."""
    return _VARIABLE if _INSIDE.search(value, 0, _MAX_CHARACTERS) else None


def takes_path(name: str, value: str) -> bool:
    """Return True if ``value`` is a path that is valid in a variable of this name, because libraries read the file."""
    path = value.strip()[:_MAX_CHARACTERS]
    if "/" not in path and "\\" not in path:
        return False
    if _PATH_IS_MEANT.search(name):
        return True
    return _KEY_PAIR_NAME.search(name) is not None and _KEY_PAIR_FILE.fullmatch(path) is not None


def _names_vault(text: str) -> bool:
    if _NAMED_PLACE.fullmatch(text):
        return True
    scheme = _SCHEME.fullmatch(text)
    if scheme is not None and _VAULT_SCHEME.fullmatch(scheme[1]):
        # A password may begin with "op:" or "pass:".
        return "@" not in text if "://" in text else len(scheme[1]) > _SHORT_SCHEME or "/" in text
    url = _URL.fullmatch(text)
    return url is not None and _CONNECTION_SCHEME.fullmatch(url[1]) is None
