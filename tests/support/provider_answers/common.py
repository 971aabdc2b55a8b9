"""The responses of proxies, gateways and edge servers. Each means the same in front of any provider."""

from __future__ import annotations

from healthguard.providers import Verdict
from tests.support.provider_answers.answer import Answer
from tests.support.provider_answers.bodies import CLOUDFLARE, HOTEL, HTML, NGINX

NO_FUNDS, UNKNOWN, RATE_LIMITED, DOWN = Verdict.NO_FUNDS, Verdict.UNKNOWN, Verdict.RATE_LIMITED, Verdict.DOWN

ANYBODYS: tuple[Answer, ...] = (
    Answer(NO_FUNDS, 402, {"error": {"message": "Payment required for {key}"}}, "plain"),
    Answer(UNKNOWN, 403, CLOUDFLARE, "edge", HTML),
    Answer(UNKNOWN, 403, b"error code: 1010", "cloudflare-1010"),
    Answer(UNKNOWN, 403, {"error": {"type": "forbidden", "message": "Request not allowed"}}, "region"),
    Answer(UNKNOWN, 400, {"error": {"message": "Bad request"}}, "plain"),
    Answer(UNKNOWN, 400, b"<h1>400 The plain HTTP request was sent to HTTPS port</h1>", "tls", HTML),
    Answer(UNKNOWN, 404, {"detail": "Not Found"}, "plain"),
    Answer(UNKNOWN, 404, b"404 page not found", "text"),
    Answer(UNKNOWN, 405, {"detail": "Method Not Allowed"}),
    Answer(UNKNOWN, 407, b"", "proxy"),
    Answer(UNKNOWN, 421, b"", "misdirected"),
    Answer(UNKNOWN, 451, b"Unavailable for legal reasons"),
    Answer(RATE_LIMITED, 429, {"message": "Too many requests"}, "plain"),
    Answer(RATE_LIMITED, 429, b"", "seconds", {"Retry-After": "60"}),
    Answer(RATE_LIMITED, 429, CLOUDFLARE, "date", {"Retry-After": "in a minute"}),
    Answer(RATE_LIMITED, 429, b"", "nonsense", {"Retry-After": "soon"}),
    Answer(DOWN, 500, {"error": {"message": "Internal server error, {key}"}}, "plain"),
    Answer(DOWN, 502, NGINX, "proxy", HTML),
    Answer(DOWN, 503, b"", "plain"),
    Answer(DOWN, 503, {"error": "upstream connect error"}, "seconds", {"Retry-After": "60"}),
    Answer(DOWN, 504, b""),
    Answer(DOWN, 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "plain"),
    Answer(UNKNOWN, 200, HOTEL, "captive-portal", HTML),
    Answer(UNKNOWN, 200, HOTEL, "captive-portal-that-says-json"),
    Answer(UNKNOWN, 200, b"", "empty"),
    Answer(UNKNOWN, 200, {"status": "ok"}, "other-json"),
    Answer(UNKNOWN, 200, None, "null"),
    Answer(UNKNOWN, 200, "data", "text"),
    Answer(UNKNOWN, 200, {"error": {"message": "no such path, {key}"}}, "error-as-200"),
    Answer(UNKNOWN, 202, b""),
    Answer(UNKNOWN, 204, b""),
    *(Answer(UNKNOWN, status, b"", "redirect", {"Location": "trap"}) for status in (301, 302, 303, 307, 308)),
    Answer(UNKNOWN, 304, b""),
)
"""The responses that do not depend on the provider."""
