"""The process that sends messages with Apprise: ``python -m healthguard.monitor.sending``.

It is a process of its own for two reasons. Apprise and the libraries below it log URLs, which are secrets, and here no
log is written. And a library that hangs can be ended.

Each line of its standard input is a JSON object with the keys ``id``, ``url``, ``title``, ``body`` and ``kind``. The
last is empty if the URL is only validated. Each line of its standard output is one with the keys ``id`` and ``reason``.
The last is empty if the message was delivered. The process ends when its standard input ends.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import sys
import threading
from typing import IO, Any

INVALID = "the URL is not valid for Apprise"
_FAILED = "Apprise could not send it"
_STATUS = re.compile(r"\berror\s*=\s*(\d{3})\b")


def main() -> None:
    """Send what standard input requests until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # A plugin that prints must not disturb the answers.
    os.dup2(2, 1)
    logging.getLogger().addHandler(logging.NullHandler())
    lock = threading.Lock()
    for line in sys.stdin:
        request = json.loads(line)
        # A thread of its own for each message, so that a channel that hangs does not delay the others.
        threading.Thread(target=functools.partial(_answer, request, answers, lock), daemon=True).start()
    # Threads that hang must not keep the process alive.
    os._exit(0)


def _answer(request: dict[str, Any], answers: IO[str], lock: threading.Lock) -> None:
    try:
        reason = _send(request)
    except BaseException as error:
        reason = f"{_FAILED}: {type(error).__name__}"
    with lock:
        answers.write(json.dumps({"id": request["id"], "reason": reason}) + "\n")
        answers.flush()


def _send(request: dict[str, Any]) -> str:
    """Send one message; return why it failed, or an empty text."""
    import apprise

    asset = apprise.AppriseAsset(app_id="healthguard", app_desc="healthguard", app_url="", async_mode=False)
    receiver = apprise.Apprise(asset=asset)
    if not receiver.add(request["url"]):
        return INVALID
    if not request["kind"]:
        return ""
    result = receiver.notify(
        body=request["body"],
        title=request["title"],
        # Earlier versions of Apprise have no enumerations for these.
        notify_type=request["kind"],
        body_format="text",
    )
    if result:
        return ""
    status = _http_status(result)
    return _FAILED if status is None else f"the receiver answered with HTTP status {status}"


def _http_status(result: object) -> str | None:
    """Return the HTTP status in the log lines of a delivery. Nothing else in them is safe to show."""
    # Earlier versions of Apprise return True or False instead of an object with log lines.
    lines = result.logs() if hasattr(result, "logs") else ()
    return next((match[1] for line in lines if (match := _STATUS.search(str(line)))), None)


if __name__ == "__main__":
    main()
