"""A receiver of webhooks on 127.0.0.1, which stores what the monitor sends to ``json://``."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any


class WebhookReceiver:
    """A receiver of webhooks.

    Args:
        status_of: a function that returns the HTTP status of the answer to a message. Only those with 200 are stored.
            An attribute with the same name replaces it later.
    """

    def __init__(self, status_of: Callable[[dict[str, Any]], int] = lambda message: 200) -> None:
        self.messages: list[dict[str, Any]] = []
        self.attempts = 0
        self.status_of = status_of
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.attempts += 1
                status = receiver.status_of(message)
                if status == 200:
                    receiver.messages.append(message)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                receiver.messages.append({"path": self.path})
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL of the receiver, as Apprise defines it."""
        return f"json://127.0.0.1:{self.port}/"

    def stop(self) -> None:
        """Stop the receiver."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
