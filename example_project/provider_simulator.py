"""A SIMULATOR of the AI providers: a small HTTP server that responds to keys as the providers do.

It accepts the keys in its configuration and rejects all others, with the response bodies of the real providers. It is
not a provider: with it, the example project is healthy without internet, and failures of providers can be simulated.

    python -m example_project.provider_simulator --port 8799 --key sk-ant-… --key sk-proj-…

Each provider has a path with its name: /anthropic/v1/models, /mistral/v1/models. The environment variables that direct
clients there are printed at the start. PROVIDER_SIMULATOR is read by the settings of the example project, which send
all of their checks there. POST /simulate {"mode": "429"} selects the response to all further requests; the modes are in
MODES. ``make demo`` starts the simulator with the keys of its environment: MISTRAL_API_KEY=… make demo checks Mistral's
key as well. With --open the simulator is a gateway that accepts every key.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODES = ("ok", "reject", "500", "429", "silent", "garbage", "redirect", "no-funds")
LABEL = "healthguard example provider SIMULATOR"
SILENCE_SECONDS = 60
"""The time that a request waits in the mode "silent" (seconds)."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """The responses of a provider.

    Args:
        base: the path at the end of its base URL.
        path: the requested path, below the base URL.
        real: the response body for a valid key.
        rejection: the response body for an invalid key.
        status: the HTTP status for an invalid key.
        header: the header that contains the key, if not Authorization.
        variable: the environment variable that sets the base URL of its clients.
    """

    base: str
    path: str
    real: Any
    rejection: Any
    status: int = 401
    header: str = "authorization"
    variable: str | None = None


def _models(name: str) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": LABEL}]}


def _openai_error(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": "invalid_api_key"}}


_CLAUDE = {"type": "model", "id": "claude-simulated", "display_name": LABEL}
_BEDROCK = {"modelId": "simulated", "modelName": LABEL, "providerName": LABEL}
_GOOGLE_ERROR = {
    "code": 400,
    "message": "API key not valid. Please pass a valid API key.",
    "status": "INVALID_ARGUMENT",
    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
}
_XAI = {"redacted_api_key": "xai-...", "api_key_id": "simulated", "name": LABEL, "acls": ["api-key:model:*"]}
_XAI_FLAGS = {"team_blocked": False, "api_key_blocked": False, "api_key_disabled": False}

SHAPES = {
    "anthropic": Shape(
        "",
        "/v1/models",
        {"data": [_CLAUDE], "has_more": False, "first_id": _CLAUDE["id"], "last_id": _CLAUDE["id"]},
        {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}},
        header="x-api-key",
        variable="ANTHROPIC_BASE_URL",
    ),
    "openai": Shape(
        "/v1",
        "/models",
        _models("gpt-simulated"),
        _openai_error("Incorrect API key provided. You can find your API key in your account."),
        variable="OPENAI_BASE_URL",
    ),
    "azure_openai": Shape(
        "",
        "/openai/models",
        _models("gpt-simulated"),
        {"error": {"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."}},
        header="api-key",
        variable="AZURE_OPENAI_ENDPOINT",
    ),
    "gemini": Shape(
        "",
        "/v1beta/models",
        {"models": [{"name": "models/gemini-simulated", "displayName": LABEL}]},
        {"error": _GOOGLE_ERROR},
        400,
        header="x-goog-api-key",
        variable="GOOGLE_GEMINI_BASE_URL",
    ),
    "mistral": Shape(
        "/v1", "/models", _models("mistral-simulated"), {"detail": "Unauthorized"}, variable="MISTRAL_BASE_URL"
    ),
    "cohere": Shape(
        "",
        "/v1/check-api-key",
        {"valid": True, "organization_id": "simulated", "owner_id": "simulated"},
        {"valid": False},
        200,
        variable="CO_API_URL",
    ),
    "groq": Shape(
        "", "/openai/v1/models", _models("llama-simulated"), _openai_error("Invalid API Key"), variable="GROQ_BASE_URL"
    ),
    "deepseek": Shape(
        "",
        "/user/balance",
        {"is_available": True, "balance_infos": [{"currency": "USD", "total_balance": "9.60"}]},
        _openai_error("Authentication Fails, Your api key is invalid", "authentication_error"),
    ),
    "xai": Shape(
        "/v1",
        "/api-key",
        {**_XAI, **_XAI_FLAGS},
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided."},
        400,
    ),
    "openrouter": Shape(
        "/api/v1",
        "/key",
        {"data": {"label": LABEL, "limit": None, "limit_remaining": None, "usage": 0}},
        {"error": {"message": "User not found.", "code": 401}},
    ),
    "together": Shape(
        "/v1",
        "/models",
        [{"id": "llama-simulated", "object": "model", "organization": LABEL}],
        _openai_error("Invalid API key provided."),
        variable="TOGETHER_BASE_URL",
    ),
    "fireworks": Shape(
        "/inference/v1",
        "/models",
        _models("accounts/fireworks/models/simulated"),
        _openai_error("The API key you provided is invalid."),
    ),
    "perplexity": Shape(
        "",
        "/v1/async/sonar",
        {"next_token": None, "requests": []},
        b"<html><head><title>401 Authorization Required</title></head></html>",
        variable="PERPLEXITY_BASE_URL",
    ),
    "huggingface": Shape(
        "",
        "/api/whoami-v2",
        {"type": "user", "name": "simulated", "fullname": LABEL},
        {"error": "Invalid credentials in Authorization header"},
        variable="HF_ENDPOINT",
    ),
    "replicate": Shape(
        "/v1",
        "/account",
        {"type": "organization", "username": "simulated", "name": LABEL},
        {"title": "Unauthenticated", "detail": "You did not pass a valid authentication token", "status": 401},
        variable="REPLICATE_BASE_URL",
    ),
    "bedrock": Shape(
        "",
        "/foundation-models",
        {"modelSummaries": [_BEDROCK]},
        {"Message": "Authentication failed: Please make sure your API Key is valid."},
        403,
    ),
    "voyage": Shape(
        "/v1", "/files", {"object": "list", "data": [], "has_more": False}, {"detail": "Provided API key is invalid."}
    ),
    "elevenlabs": Shape(
        "",
        "/v1/user",
        {"user_id": "simulated", "subscription": {"tier": "free"}},
        {"detail": {"status": "invalid_api_key", "message": "Invalid API key"}},
        header="xi-api-key",
    ),
}


class Simulator(ThreadingHTTPServer):
    """The HTTP server of the simulator.

    Args:
        port: the port on 127.0.0.1 to listen on; 0 for any free port.
        keys: the valid keys.
        is_open: True to accept every key, like a gateway that checks no keys.
    """

    daemon_threads = True
    # Many processes may connect at the same time. If the queue is full, the kernel makes further clients wait.
    request_queue_size = 128

    def __init__(self, port: int = 0, keys: tuple[str, ...] = (), *, is_open: bool = False) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.keys = set(keys)
        self.is_open = is_open
        self.mode = "ok"
        self.received: list[str] = []

    @property
    def asked(self) -> int:
        """The number of requests received."""
        return len(self.received)

    @property
    def base_urls(self) -> dict[str, str]:
        """The environment variables that direct the clients of providers, and the example's checks, to this server."""
        root = f"http://127.0.0.1:{self.server_port}"
        urls = {shape.variable: base_url(root, name) for name, shape in SHAPES.items() if shape.variable is not None}
        return {**urls, "PROVIDER_SIMULATOR": root}

    def start(self) -> Simulator:
        """Serve requests on a background thread and return this server."""
        # The argument is the interval (seconds) at which the server checks for a shutdown.
        threading.Thread(target=self.serve_forever, args=(0.02,), name="provider-simulator", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop the server and free the port."""
        self.shutdown()
        self.server_close()


def base_url(root: str, name: str) -> str:
    """Return the base URL of the provider ``name`` on a simulator at ``root``."""
    return f"{root}/{name}{SHAPES[name].base}"


class _Handler(BaseHTTPRequestHandler):
    server: Simulator
    server_version = LABEL

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.split("/")[1]
        shape = SHAPES.get(name)
        self.server.received.append(self._key(shape))
        if shape is None or path != f"/{name}{shape.base}{shape.path}":
            self._send(404, {"error": {"type": "not_found_error", "message": f"{LABEL}: unknown path"}})
        elif not self._sent_failure():
            self._answer(shape)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path != "/simulate":
            self.do_GET()
            return
        try:
            mode = json.loads(content)["mode"]
        except (ValueError, KeyError, TypeError):
            mode = None
        if mode not in MODES:
            self._send(400, {"error": f'Send {{"mode": …}} with one of these modes: {", ".join(MODES)}.'})
            return
        self.server.mode = mode
        self._send(200, {"mode": mode})

    def _sent_failure(self) -> bool:
        """Send the failure of the current mode, if it has one, and return True if a response was sent."""
        match self.server.mode:
            case "500":
                self._send(500, {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}})
            case "429":
                self._send(
                    429, {"type": "error", "error": {"type": "rate_limit_error", "message": "Number of requests"}}
                )
            case "no-funds":
                self._send(402, {"type": "error", "error": {"type": "billing_error", "message": "No credit"}})
            case "silent":
                time.sleep(SILENCE_SECONDS)
            case "garbage":
                self._send(200, b"<!doctype html><title>Sign in to the hotel's Wi-Fi</title>")
            case "redirect":
                self.send_response(302)
                self.send_header("Location", self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()
            case _:
                return False
        return True

    def _key(self, shape: Shape | None) -> str:
        # Anthropic also accepts a bearer token.
        key = self.headers.get(shape.header if shape else "authorization") or self.headers.get("authorization") or ""
        return key.removeprefix("Bearer ")

    def _answer(self, shape: Shape) -> None:
        is_real = self.server.is_open or self._key(shape) in self.server.keys
        if self.server.mode != "reject" and is_real:
            self._send(200, shape.real)
        else:
            self._send(shape.status, shape.rejection)

    def _send(self, status: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing, so that the terminal shows only the output of the demo."""


def main() -> None:
    """Run the simulator until it is interrupted."""
    parser = argparse.ArgumentParser(
        description=f"{LABEL}. Providers: {', '.join(SHAPES)}.",
        epilog=f'Modes: {", ".join(MODES)}. Select one with: curl 127.0.0.1:PORT/simulate -d \'{{"mode": "429"}}\'',
    )
    parser.add_argument("--port", type=int, default=8799, help="the port on 127.0.0.1 to listen on (default: 8799)")
    parser.add_argument("--key", action="append", default=[], help="a valid key; can be repeated")
    parser.add_argument("--open", action="store_true", help="accept every key, like a gateway that checks no keys")
    options = parser.parse_args()
    simulator = Simulator(options.port, tuple(options.key), is_open=options.open)
    for name, url in simulator.base_urls.items():
        print(f"export {name}={url}", flush=True)
    try:
        simulator.serve_forever()
    except KeyboardInterrupt:
        simulator.server_close()


if __name__ == "__main__":
    main()
