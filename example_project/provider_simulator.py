"""A SIMULATOR of Anthropic and OpenAI: a small HTTP server that answers about keys as they do.

It knows the keys it is given and rejects any other, with the bodies of the real providers. It is no provider: it
exists so that the example project is green without internet, and so that its troubles can be played.

    python -m example_project.provider_simulator --port 8799 --key sk-ant-… --key sk-proj-…

POST /simulate {"mode": "429"} makes it answer that way from then on; the modes are in MODES.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODES = ("ok", "reject", "500", "429", "silent", "garbage", "redirect", "no-funds")
LABEL = "healthguard example provider SIMULATOR"
SILENCE_SECONDS = 60


class Simulator(ThreadingHTTPServer):
    """The server.

    Args:
        port: where to listen on 127.0.0.1; 0 for any free port.
        keys: the keys it takes for real.
    """

    daemon_threads = True

    def __init__(self, port: int = 0, keys: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.keys = set(keys)
        self.mode = "ok"
        self.asked = 0

    @property
    def base_urls(self) -> dict[str, str]:
        """The environment variables that point the providers' clients here."""
        root = f"http://127.0.0.1:{self.server_port}"
        return {"ANTHROPIC_BASE_URL": f"{root}/anthropic", "OPENAI_BASE_URL": f"{root}/openai/v1"}

    def start(self) -> Simulator:
        """Serve from a thread."""
        threading.Thread(target=self.serve_forever, name="provider-simulator", daemon=True).start()
        return self

    def stop(self) -> None:
        """End, and free the port."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Simulator
    server_version = LABEL

    def do_GET(self) -> None:
        self.server.asked += 1
        answers = {"/anthropic/v1/models": self._anthropic, "/openai/v1/models": self._openai}
        answer = answers.get(self.path.partition("?")[0])
        if answer is None:
            self._send(404, {"error": {"type": "not_found_error", "message": f"{LABEL}: no such path"}})
        elif not self._in_trouble():
            answer()

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        try:
            mode = json.loads(self.rfile.read(length))["mode"]
        except (ValueError, KeyError, TypeError):
            mode = None
        if self.path != "/simulate" or mode not in MODES:
            self._send(400, {"error": f"POST /simulate with a mode of {MODES}"})
            return
        self.server.mode = mode
        self._send(200, {"mode": mode})

    def _in_trouble(self) -> bool:
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
                self.send_header("Location", "/anthropic/v1/models")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case _:
                return False
        return True

    def _anthropic(self) -> None:
        key = self.headers.get("x-api-key") or self._bearer()
        if self._is_known(key):
            model = {"type": "model", "id": "claude-simulated", "display_name": LABEL}
            self._send(200, {"data": [model], "has_more": False, "first_id": model["id"], "last_id": model["id"]})
        else:
            error = {"type": "authentication_error", "message": "invalid x-api-key"}
            self._send(401, {"type": "error", "error": error})

    def _openai(self) -> None:
        if self._is_known(self._bearer()):
            self._send(200, {"object": "list", "data": [{"id": "gpt-simulated", "object": "model", "owned_by": LABEL}]})
        else:
            message = "Incorrect API key provided. You can find your API key in your account."
            error = {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
            self._send(401, {"error": error})

    def _is_known(self, key: str) -> bool:
        return self.server.mode != "reject" and key in self.server.keys

    def _bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    def _send(self, status: int, body: dict[str, Any] | bytes) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the demo's terminal belongs to the demo."""


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=LABEL)
    parser.add_argument("--port", type=int, default=8799)
    parser.add_argument("--key", action="append", default=[], help="a key that it takes for real")
    options = parser.parse_args()
    simulator = Simulator(options.port, tuple(options.key))
    for name, url in simulator.base_urls.items():
        print(f"export {name}={url}", flush=True)
    try:
        simulator.serve_forever()
    except KeyboardInterrupt:
        simulator.server_close()


if __name__ == "__main__":
    main()
