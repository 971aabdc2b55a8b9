"""The line that explains a failed probe: the fact, and the remedy.

This module is imported only after a failure. ``kubectl describe pod`` and ``docker inspect`` show the line.
"""

from __future__ import annotations

import json

from healthguard.probe.exchange import MalformedResponseError, Response, Stage
from healthguard.probe.target import Target

_MAX_NAMED = 10
"""The largest number of services that are named."""
_MAX_DEPTH = 10
"""The deepest level of groups that is read."""

_SERVING = "Check that the server is running and listens there."
_TIMEOUTS = {
    Stage.CERTIFICATES: ("reading the certificates", "Raise --timeout."),
    Stage.NAME: ("resolving the host name", "Use an IP address such as 127.0.0.1, or raise --timeout."),
    Stage.CONNECTION: ("connecting", f"{_SERVING} All its workers may be busy."),
    Stage.HANDSHAKE: ("the TLS handshake", "Check that the server speaks https there, or raise --timeout."),
    Stage.RESPONSE: (
        "waiting for the response",
        "Check if all workers of the server are busy. --timeout must be longer than DEADLINE (0.8 s by default).",
    ),
    Stage.BODY: ("reading the response", "Check the load of the server, or raise --timeout."),
}
_HINTS = {
    400: "The server may not accept the Host header: set --host-header to a name in ALLOWED_HOSTS, or put "
    "healthguard.middleware.HealthGuardMiddleware first in MIDDLEWARE.",
    401: "Set HEALTHGUARD_TOKEN to a token of DETAILS_TOKENS.",
    404: "Check the path: it must be below the one of include('healthguard.urls') in the URLconf.",
}
_REDIRECT_HINT = (
    "Request the health endpoint itself, and put healthguard.middleware.HealthGuardMiddleware first in MIDDLEWARE."
)


def explain_response(target: Target, response: Response) -> str:
    """Return the explanation of a response whose status code is not 200."""
    fact = f"{target.shown} returned {response.status}"
    body = _json(response.body)
    if isinstance(body.get("status"), str):
        return f"{fact}: {_summary(body)}. {_details_hint(response, body)}"
    if 300 <= response.status < 400:
        # The query of the new URL may contain a secret.
        location = response.headers.get("location", "").partition("?")[0]
        destination = f" to {location}" if location else ""
        return f"{fact}, a redirect{destination}, which is not followed. {_REDIRECT_HINT}"
    if response.status != 401 and isinstance(body.get("error"), str) and isinstance(body.get("hint"), str):
        return f"{fact}: {body['error']}. {body['hint']}"
    hint = _HINTS.get(response.status, "Check the log of the server, and that the URL is that of the health endpoint.")
    return f"{fact}. {hint}"


def explain_timeout(target: Target, stage: Stage, timeout: float) -> str:
    """Return the explanation of an exchange that did not end within ``timeout`` (seconds)."""
    step, hint = _TIMEOUTS[stage]
    return f"{target.shown} did not return a complete response within {timeout:g} s ({step}). {hint}"


def explain_error(target: Target, stage: Stage, error: Exception) -> str:
    """Return the explanation of an exception that ended the exchange."""
    if isinstance(error, MalformedResponseError):
        return f"{target.shown}: the server {error}. Check the scheme and the port of the URL, and the server's log."
    if not isinstance(error, OSError):
        return f"{target.shown}: the request raised {type(error).__name__}. Check the URL."
    reason = error.strerror or str(error) or type(error).__name__
    if stage is Stage.CERTIFICATES:
        return f"The certificates of --ca-file cannot be used ({reason}). Name a readable file in PEM format."
    return f"{target.shown}: {_explain_network_error(target, stage, error, reason)}"


def _explain_network_error(target: Target, stage: Stage, error: OSError, reason: str) -> str:
    """Return the fact and the remedy for an error of the network."""
    if stage is Stage.NAME:
        return f"the host name cannot be resolved ({reason}). Check it, or use an IP address."
    if stage is Stage.CONNECTION:
        return f"the connection failed ({reason}). {_connection_hint(target, error)}"
    if stage is Stage.HANDSHAKE:
        return _explain_handshake(error, reason)
    fact = f"the connection broke before the end of the response ({reason})"
    return f"{fact}. Check the scheme of the URL, and the server's log."


def _connection_hint(target: Target, error: OSError) -> str:
    if isinstance(target.address, str) and isinstance(error, PermissionError):
        return "Run the probe as the user of the server, or let the server open the socket to other users."
    return _SERVING


def _explain_handshake(error: OSError, reason: str) -> str:
    """Return the fact and the remedy for a failed TLS handshake."""
    # Set by ssl, which is loaded only for https.
    if verification := getattr(error, "verify_message", None):
        return (
            f"the certificate is not valid ({verification}). Name its authority with --ca-file, and the name that it "
            "is valid for with --host-header."
        )
    return f"TLS failed ({getattr(error, 'reason', None) or reason}). Check that the server speaks https there."


def _summary(body: dict[str, object]) -> str:
    """Return the statuses of a response of healthguard."""
    failing = _failing_services(body)
    named = [f"{'/'.join(names)} is {status}{_codes(body, names)}" for names, status in failing[:_MAX_NAMED]]
    if len(failing) > _MAX_NAMED:
        named.append(f"and {len(failing) - _MAX_NAMED} more")
    if body.get("draining") is True:
        named.insert(0, "the pod is draining")
    return ", ".join(named) or f"the status is {body['status']}"


def _details_hint(response: Response, body: dict[str, object]) -> str:
    """Return the remedy: the way to the reasons."""
    if "invalid_token" in response.headers.get("www-authenticate", ""):
        return "The token is not one of DETAILS_TOKENS: correct HEALTHGUARD_TOKEN, or read the log of the server."
    if any(_codes(body, names) for names, _ in _failing_services(body)[:_MAX_NAMED]):
        return "The response contains the reasons: add --verbose."
    return "For the reasons, read the log of the server, or set HEALTHGUARD_TOKEN and add --verbose."


def _failing_services(body: dict[str, object]) -> list[tuple[tuple[str, ...], str]]:
    """Return the names of the services that are not healthy, and their statuses; those that are degraded last."""
    found: list[tuple[tuple[str, ...], str]] = []
    pending: list[tuple[tuple[str, ...], object]] = [((), body.get("services"))]
    while pending:
        names, node = pending.pop()
        if isinstance(node, dict) and len(names) < _MAX_DEPTH:
            pending += [((*names, name), member) for name, member in reversed(node.items())]
        elif names and isinstance(node, str) and node != "healthy":
            found.append((names, node))
    return sorted(found, key=lambda service: service[1] == "degraded")


def _codes(section: object, names: tuple[str, ...]) -> str:
    """Return the problem codes of a service in brackets, or an empty text if the response has no details."""
    for name in names:
        section = section.get(name) if isinstance(section, dict) else None
    checks = section.get("checks") if isinstance(section, dict) else None
    entries = [check for check in checks if isinstance(check, dict)] if isinstance(checks, list) else []
    codes = [code for check in entries if isinstance(code := check.get("code"), str)]
    return f" ({', '.join(codes[:_MAX_NAMED])})" if codes else ""


def _json(body: bytes) -> dict[str, object]:
    """Return the JSON object in ``body``; an empty dict if it is something else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
