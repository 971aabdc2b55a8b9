"""What the providers answer, with the bodies that they document or are seen to send, and what each means.

``{key}`` in a body stands for the key: whatever echoes it, it must not be told.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
from typing import Any

from healthguard.providers import Verdict

REAL, RESTRICTED, NO_FUNDS = Verdict.REAL, Verdict.RESTRICTED, Verdict.NO_FUNDS
REJECTED, UNKNOWN, RATE_LIMITED, DOWN = Verdict.REJECTED, Verdict.UNKNOWN, Verdict.RATE_LIMITED, Verdict.DOWN

MODELS = {"object": "list", "data": [{"id": "any", "object": "model"}]}
"""What a gateway lists, to anybody or to whom it knows."""
HTML = {"Content-Type": "text/html"}
CLOUDFLARE = (
    b"<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>{key}</body></html>"
)
NGINX = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center>nginx</center></body></html>"
HOTEL = b"<!doctype html><title>Sign in to the hotel's Wi-Fi</title>"


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer.

    Args:
        verdict: what it means.
        status: the HTTP status.
        body: the JSON, or the bytes.
        name: what tells it apart from the provider's others of that status.
        headers: header lines beside the content's type.
        asks: how often the provider is asked before that counts.
    """

    verdict: Verdict
    status: int
    body: Any
    name: str = ""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    asks: int = 1

    @property
    def label(self) -> str:
        return f"{self.status}{'-' * bool(self.name)}{self.name}"


def in_a_minute() -> str:
    """A date as HTTP writes it."""
    return email.utils.format_datetime(
        datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60), usegmt=True
    )


# What is no provider's own, and so means the same whoever was asked.
ANYBODYS = (
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


def _models(*names: str) -> dict[str, Any]:
    data = [{"id": name, "object": "model", "created": 1700000000, "owned_by": "organization"} for name in names]
    return {"object": "list", "data": data}


def _openai(message: str, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _anthropic(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CUAKgUpjvJyyZRKGwcVE3"}


def _google(code: int, message: str, status: str, reason: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    if reason is not None:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
        text = {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message}
        error["details"] = [info, text]
    return {"error": error}


def _xai(**flags: bool) -> dict[str, Any]:
    about = {
        "redacted_api_key": "xai-...b14o",
        "user_id": "59fbe5f2-040b-46d5-8325-868bb8f23eb2",
        "name": "production",
        "team_id": "5ea6f6bd-7815-4b8a-9135-28b2d7ba6722",
        "acls": ["api-key:model:*", "api-key:endpoint:*"],
        "api_key_id": "ae1e1841-4326-4b36-a8a9-8a1a7237db11",
    }
    return {**about, "team_blocked": False, "api_key_blocked": False, "api_key_disabled": False, **flags}


def _openrouter(**facts: Any) -> dict[str, Any]:
    about = {"label": "sk-or-v1-0e6...1c96", "limit": None, "limit_remaining": None, "usage": 0, "is_free_tier": False}
    return {"data": {**about, **facts}}


def _elevenlabs(status: str, message: str) -> dict[str, Any]:
    return {"detail": {"status": status, "message": message}}


ANSWERS: dict[str, tuple[Answer, ...]] = {
    "anthropic": (
        Answer(REAL, 200, {"data": [{"type": "model", "id": "claude-opus-4-1"}], "has_more": False}),
        Answer(REAL, 200, {"data": [], "has_more": False, "first_id": None, "last_id": None}, "no-model"),
        Answer(REJECTED, 401, _anthropic("authentication_error", "invalid x-api-key")),
        Answer(REJECTED, 401, _anthropic("authentication_error", "OAuth token has expired."), "oauth-expired"),
        Answer(REJECTED, 401, b"", "plain", asks=2),
        Answer(REJECTED, 403, _anthropic("permission_error", "OAuth token has been revoked."), "oauth-revoked"),
        Answer(RESTRICTED, 403, _anthropic("permission_error", "Your API key does not have permission for {key}.")),
        Answer(
            NO_FUNDS, 400, _anthropic("invalid_request_error", "Your credit balance is too low to access."), "credit"
        ),
        Answer(
            NO_FUNDS,
            400,
            _anthropic("invalid_request_error", "You have reached your specified API usage limits."),
            "usage-limit",
        ),
        Answer(
            RESTRICTED, 400, _anthropic("invalid_request_error", "This organization has been disabled."), "disabled"
        ),
        Answer(UNKNOWN, 400, _anthropic("invalid_request_error", "anthropic-version: header is required"), "other"),
        Answer(NO_FUNDS, 402, _anthropic("billing_error", "There's an issue with your billing.")),
        Answer(UNKNOWN, 404, _anthropic("not_found_error", "Not found")),
        Answer(RATE_LIMITED, 429, _anthropic("rate_limit_error", "This request would exceed your rate limit.")),
        Answer(NO_FUNDS, 429, _anthropic("rate_limit_error", "You have reached your spend limit."), "spend"),
        Answer(DOWN, 500, _anthropic("api_error", "Internal server error")),
        Answer(DOWN, 529, _anthropic("overloaded_error", "Overloaded")),
    ),
    "openai": (
        Answer(REAL, 200, _models("gpt-4o")),
        Answer(
            REJECTED, 401, _openai("Incorrect API key provided: {key}. You can find yours at …", code="invalid_api_key")
        ),
        Answer(
            RESTRICTED,
            401,
            _openai("You have insufficient permissions for this operation. Missing scopes: api.model.read."),
            "scopes",
        ),
        Answer(RESTRICTED, 401, {"error": "You have insufficient permissions. Missing scopes: x"}, "scopes-text"),
        Answer(RESTRICTED, 401, _openai("Use eu.api.openai.com", code="incorrect_hostname"), "hostname"),
        Answer(RESTRICTED, 401, _openai("Your IP 192.0.2.1 is not authorized", code="ip_not_authorized"), "ip-code"),
        Answer(RESTRICTED, 401, _openai("IP not authorized"), "ip"),
        Answer(RESTRICTED, 401, _openai("You must be a member of an organization to use the API"), "organization"),
        Answer(UNKNOWN, 401, _openai("Something new", code="something_new"), "new"),
        Answer(UNKNOWN, 401, CLOUDFLARE, "html", HTML),
        Answer(RESTRICTED, 403, _openai("You have insufficient permissions for this operation."), "permissions"),
        Answer(
            UNKNOWN,
            403,
            _openai("Country, region, or territory not supported", code="unsupported_country_region_territory"),
            "country",
        ),
        *(
            Answer(NO_FUNDS, 429, _openai("You exceeded your current quota", code, code), code)
            for code in (
                "insufficient_quota",
                "credit_balance_exhausted",
                "project_spend_limit_exceeded",
                "organization_spend_limit_exceeded",
                "project_usage_limit_exceeded",
            )
        ),
        Answer(NO_FUNDS, 429, _openai("You exceeded your quota", "insufficient_quota"), "quota-as-type"),
        Answer(NO_FUNDS, 429, _openai("Limit reached", "requests", "project_usage_limit_exceeded"), "quota-as-code"),
        Answer(RATE_LIMITED, 429, _openai("Rate limit reached for requests", "requests", "rate_limit_exceeded")),
        Answer(DOWN, 500, _openai("The server had an error", "server_error")),
        Answer(DOWN, 503, _openai("The engine is currently overloaded", "service_unavailable_error")),
    ),
    "azure_openai": (
        Answer(REAL, 200, {"data": [{"id": "gpt-4o", "status": "succeeded"}], "object": "list"}),
        Answer(
            REJECTED,
            401,
            {
                "error": {
                    "code": "401",
                    "message": "Access denied due to invalid subscription key or wrong API endpoint. Make sure to "
                    "provide a valid key for an active subscription and use a correct regional API endpoint.",
                }
            },
            asks=2,
        ),
        Answer(UNKNOWN, 403, {"error": {"code": "403", "message": "Access denied due to Virtual Network rules."}}),
        Answer(
            UNKNOWN, 403, {"error": {"code": "PermissionDenied", "message": "Public access is disabled."}}, "public"
        ),
        Answer(UNKNOWN, 404, {"error": {"code": "404", "message": "Resource not found"}}),
        Answer(RATE_LIMITED, 429, {"error": {"code": "429", "message": "Requests have exceeded call rate limit."}}),
        Answer(
            DOWN, 500, {"error": {"code": "InternalServerError", "message": "Backend returned unexpected response"}}
        ),
    ),
    "gemini": (
        Answer(REAL, 200, {"models": [{"name": "models/gemini-2.5-pro", "version": "2.5"}], "nextPageToken": "C"}),
        Answer(
            REJECTED,
            400,
            _google(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
            "invalid",
        ),
        Answer(
            REJECTED,
            400,
            _google(400, "API key expired. Please renew the API key.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
            "expired",
        ),
        Answer(
            UNKNOWN,
            400,
            _google(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"),
            "location",
        ),
        Answer(
            UNKNOWN,
            401,
            _google(
                401,
                "Request had invalid authentication credentials.",
                "UNAUTHENTICATED",
                "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            ),
        ),
        *(
            Answer(RESTRICTED, 403, _google(403, "Requests are blocked.", "PERMISSION_DENIED", reason), reason)
            for reason in (
                "API_KEY_SERVICE_BLOCKED",
                "API_KEY_HTTP_REFERRER_BLOCKED",
                "API_KEY_IP_ADDRESS_BLOCKED",
                "SERVICE_DISABLED",
            )
        ),
        Answer(
            REJECTED,
            403,
            _google(403, "Your API key was reported as leaked. Please use another API key.", "PERMISSION_DENIED"),
            "leaked",
        ),
        Answer(UNKNOWN, 403, _google(403, "The caller does not have permission", "PERMISSION_DENIED"), "caller"),
        Answer(RATE_LIMITED, 429, _google(429, "You exceeded your current quota.", "RESOURCE_EXHAUSTED")),
        Answer(DOWN, 503, _google(503, "The model is overloaded.", "UNAVAILABLE")),
    ),
    "mistral": (
        Answer(REAL, 200, _models("mistral-large-latest")),
        Answer(REJECTED, 401, {"message": "Unauthorized", "request_id": "a9dc1b2e"}, asks=2),
        Answer(REJECTED, 401, {"detail": "Unauthorized"}, "detail", asks=2),
        Answer(
            RATE_LIMITED,
            429,
            {"object": "error", "message": "Service tier capacity exceeded for this model.", "code": "3505"},
        ),
    ),
    "cohere": (
        Answer(REAL, 200, {"valid": True, "organization_id": "f2ed8b6e", "owner_id": "b8e11b4c"}),
        Answer(REJECTED, 200, {"valid": False}, "invalid"),
        Answer(UNKNOWN, 200, {"valid": "perhaps"}, "unclear"),
        Answer(REJECTED, 401, {"message": "invalid api token"}, asks=2),
        Answer(REJECTED, 498, {"message": "invalid token"}),
        Answer(NO_FUNDS, 402, {"message": "You have reached your billing limit"}),
        Answer(
            RATE_LIMITED, 429, {"message": "You are using a Trial key, which is limited to 1000 API calls a month."}
        ),
        Answer(UNKNOWN, 499, {"message": "request cancelled by user"}),
    ),
    "groq": (
        Answer(REAL, 200, _models("llama-3.3-70b-versatile")),
        Answer(REJECTED, 401, _openai("Invalid API Key", code="invalid_api_key"), asks=2),
        Answer(RESTRICTED, 403, _openai("The model is blocked", "permissions_error", "model_permission_blocked_org")),
        Answer(RATE_LIMITED, 429, _openai("Rate limit reached for model", "requests", "rate_limit_exceeded")),
    ),
    "deepseek": (
        Answer(REAL, 200, {"is_available": True, "balance_infos": [{"currency": "USD", "total_balance": "9.60"}]}),
        Answer(
            NO_FUNDS,
            200,
            {"is_available": False, "balance_infos": [{"currency": "USD", "total_balance": "0.00"}]},
            "no-balance",
        ),
        Answer(
            REJECTED,
            401,
            _openai(
                "Authentication Fails, Your api key: {key} is invalid", "authentication_error", "invalid_request_error"
            ),
            asks=2,
        ),
        Answer(NO_FUNDS, 402, _openai("Insufficient Balance", "unknown_error", "invalid_request_error")),
    ),
    "xai": (
        Answer(REAL, 200, _xai()),
        *(Answer(REJECTED, 200, _xai(**{f: True}), f) for f in ("api_key_blocked", "api_key_disabled", "team_blocked")),
        Answer(
            REJECTED,
            400,
            {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: {key}. You can …"},
            "incorrect",
            asks=2,
        ),
        # The request has no other argument than the key.
        Answer(
            REJECTED,
            400,
            {"code": "Client specified an invalid argument", "error": "Argument not supported"},
            "other",
            asks=2,
        ),
        Answer(REJECTED, 401, {"code": "Unauthenticated", "error": "No credentials were provided"}, asks=2),
        Answer(
            NO_FUNDS,
            403,
            {
                "code": "The caller does not have permission to execute the specified operation",
                "error": "Your newly created team doesn't have any credits yet.",
            },
            "credits",
        ),
        Answer(
            RESTRICTED,
            403,
            {
                "code": "The caller does not have permission to execute the specified operation",
                "error": "API key lacks an ACL",
            },
            "acl",
        ),
        Answer(
            NO_FUNDS,
            429,
            {
                "code": "Some resource has been exhausted",
                "error": "Your team has either used all available credits or reached its monthly spending limit.",
            },
            "credits",
        ),
        Answer(RATE_LIMITED, 429, {"code": "Some resource has been exhausted", "error": "Too many requests"}),
    ),
    "openrouter": (
        Answer(REAL, 200, _openrouter()),
        Answer(REAL, 200, _openrouter(limit=10, limit_remaining=7.5), "limit"),
        *(Answer(NO_FUNDS, 200, _openrouter(limit=10, limit_remaining=n), str(n)) for n in (0, 0.0, -0.25)),
        Answer(UNKNOWN, 200, _models("openai/gpt-4o"), "public-list"),
        Answer(REJECTED, 401, {"error": {"message": "User not found.", "code": 401}}, asks=2),
        Answer(NO_FUNDS, 402, {"error": {"message": "Insufficient credits", "code": 402}}),
        Answer(UNKNOWN, 403, {"error": {"message": "Input flagged", "code": 403, "metadata": {"reasons": []}}}),
        Answer(RATE_LIMITED, 429, {"error": {"message": "Rate limit exceeded", "code": 429}}),
    ),
    "together": (
        Answer(REAL, 200, [{"id": "meta-llama/Llama-3.3-70B", "object": "model", "type": "chat"}], "list"),
        Answer(REAL, 200, _models("meta-llama/Llama-3.3-70B"), "data"),
        Answer(REJECTED, 401, _openai("Invalid API key provided: {key}", code="invalid_api_key"), asks=2),
        Answer(NO_FUNDS, 402, _openai("Credit limit exceeded", "credit_limit")),
        Answer(UNKNOWN, 403, _openai("Input token count exceeds the limit", "permission_error"), "input"),
        Answer(RATE_LIMITED, 429, _openai("You are being rate limited", "rate_limit", "model_rate_limit")),
    ),
    "fireworks": (
        Answer(REAL, 200, _models("accounts/fireworks/models/deepseek-v3")),
        Answer(REJECTED, 401, _openai("The API key you provided is invalid.", code="UNAUTHORIZED"), asks=2),
        Answer(UNKNOWN, 403, {"error": "unauthorized"}, "text"),
        Answer(UNKNOWN, 403, _openai("no", "permission_error"), "permission"),
        Answer(
            RESTRICTED,
            412,
            _openai(
                "Account is suspended, possibly due to reaching the monthly spending limit.", code="PRECONDITION_FAILED"
            ),
        ),
    ),
    "perplexity": (
        Answer(REAL, 200, {"next_token": None, "requests": []}),
        Answer(REAL, 200, {"requests": [{"id": "a", "status": "COMPLETED"}]}, "some"),
        Answer(REJECTED, 401, b"<html><head><title>401 Authorization Required</title></head></html>", "", HTML, 2),
        Answer(
            REJECTED,
            401,
            {"error": {"message": "Invalid API key", "type": "invalid_api_key", "code": 401}},
            "json",
            asks=2,
        ),
    ),
    "huggingface": (
        Answer(
            REAL,
            200,
            {"type": "user", "name": "somebody", "auth": {"type": "access_token", "accessToken": {"role": "read"}}},
        ),
        Answer(REJECTED, 401, {"error": "Invalid credentials in Authorization header"}, asks=2),
        Answer(UNKNOWN, 403, {"error": "Forbidden"}, "text"),
        Answer(RATE_LIMITED, 429, {"error": "We had to rate limit your IP (192.0.2.1)."}),
    ),
    "replicate": (
        Answer(REAL, 200, {"type": "organization", "username": "acme", "name": "Acme", "github_url": "https://x"}),
        Answer(
            REJECTED,
            401,
            {"title": "Unauthenticated", "detail": "You did not pass a valid authentication token", "status": 401},
            asks=2,
        ),
        Answer(NO_FUNDS, 402, {"title": "Insufficient credit", "detail": "You have no credit", "status": 402}),
        Answer(RESTRICTED, 403, {"detail": "You do not have permission to perform this action.", "status": 403}),
        Answer(RATE_LIMITED, 429, {"detail": "Request was throttled. Expected available in 1 second.", "status": 429}),
    ),
    "bedrock": (
        Answer(REAL, 200, {"modelSummaries": [{"modelId": "anthropic.claude-sonnet-4", "providerName": "Anthropic"}]}),
        Answer(UNKNOWN, 403, {"Message": "Authentication failed: Please make sure your API Key is valid."}, "invalid"),
        *(
            Answer(
                RESTRICTED,
                403,
                {field: "User: arn:aws:iam::1:user/BedrockAPIKey-x is not authorized to perform: bedrock:List on *"},
                field,
            )
            for field in ("message", "Message")
        ),
        Answer(RATE_LIMITED, 429, {"message": "Too many requests, please wait before trying again."}),
        Answer(DOWN, 503, {"message": "Service unavailable"}, "json"),
    ),
    "voyage": (
        Answer(REAL, 200, {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}),
        Answer(REJECTED, 401, {"detail": "Provided API key is invalid."}, asks=2),
        Answer(UNKNOWN, 403, {"detail": "Forbidden"}, "detail"),
        Answer(UNKNOWN, 403, _openai("no", "permission_error"), "permission"),
        Answer(RATE_LIMITED, 429, {"detail": "You have not yet added your payment method in the billing page."}),
    ),
    "elevenlabs": (
        Answer(REAL, 200, {"user_id": "u1", "subscription": {"tier": "creator"}, "xi_api_key": "{key}"}),
        Answer(REJECTED, 401, _elevenlabs("invalid_api_key", "Invalid API key"), "invalid"),
        Answer(
            RESTRICTED,
            401,
            _elevenlabs("missing_permissions", "The API key you used is missing the permission user_read"),
            "permissions",
        ),
        Answer(RESTRICTED, 401, _elevenlabs("detected_unusual_activity", "Unusual activity detected."), "unusual"),
        Answer(NO_FUNDS, 401, _elevenlabs("quota_exceeded", "This request exceeds your quota."), "quota"),
        Answer(NO_FUNDS, 400, _elevenlabs("quota_exceeded", "This request exceeds your quota."), "quota"),
        Answer(REJECTED, 401, {"detail": "Unauthorized"}, "plain", asks=2),
        Answer(RATE_LIMITED, 429, _elevenlabs("too_many_concurrent_requests", "Too many concurrent requests")),
        Answer(DOWN, 503, _elevenlabs("system_busy", "We are experiencing heavy traffic")),
    ),
}
