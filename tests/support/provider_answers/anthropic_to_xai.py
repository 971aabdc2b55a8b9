"""The responses of the first providers of the catalog, from Anthropic to xAI."""

from __future__ import annotations

from typing import Any

from healthguard.providers import Verdict
from tests.support.provider_answers.answer import Answer
from tests.support.provider_answers.bodies import CLOUDFLARE, HTML, model_list, openai_error

VALID, RESTRICTED, NO_FUNDS = Verdict.VALID, Verdict.RESTRICTED, Verdict.NO_FUNDS
REJECTED, UNKNOWN, RATE_LIMITED, DOWN = Verdict.REJECTED, Verdict.UNKNOWN, Verdict.RATE_LIMITED, Verdict.DOWN


def anthropic_error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CUAKgUpjvJyyZRKGwcVE3"}


def google_error(code: int, message: str, status: str, reason: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    if reason is not None:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
        text = {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message}
        error["details"] = [info, text]
    return {"error": error}


def xai_key(**flags: bool) -> dict[str, Any]:
    """Return xAI's description of a key, with the flags that differ from those of a working key."""
    description = {
        "redacted_api_key": "xai-...b14o",
        "user_id": "59fbe5f2-040b-46d5-8325-868bb8f23eb2",
        "name": "production",
        "team_id": "5ea6f6bd-7815-4b8a-9135-28b2d7ba6722",
        "acls": ["api-key:model:*", "api-key:endpoint:*"],
        "api_key_id": "ae1e1841-4326-4b36-a8a9-8a1a7237db11",
    }
    return {**description, "team_blocked": False, "api_key_blocked": False, "api_key_disabled": False, **flags}


ANTHROPIC_TO_XAI: dict[str, tuple[Answer, ...]] = {
    "anthropic": (
        Answer(VALID, 200, {"data": [{"type": "model", "id": "claude-opus-4-1"}], "has_more": False}),
        Answer(VALID, 200, {"data": [], "has_more": False, "first_id": None, "last_id": None}, "no-model"),
        Answer(REJECTED, 401, anthropic_error("authentication_error", "invalid x-api-key")),
        Answer(REJECTED, 401, anthropic_error("authentication_error", "OAuth token has expired."), "oauth-expired"),
        Answer(REJECTED, 401, b"", "plain", requests=2),
        Answer(REJECTED, 403, anthropic_error("permission_error", "OAuth token has been revoked."), "oauth-revoked"),
        Answer(
            RESTRICTED, 403, anthropic_error("permission_error", "Your API key does not have permission for {key}.")
        ),
        Answer(
            NO_FUNDS,
            400,
            anthropic_error("invalid_request_error", "Your credit balance is too low to access."),
            "credit",
        ),
        Answer(
            NO_FUNDS,
            400,
            anthropic_error("invalid_request_error", "You have reached your specified API usage limits."),
            "usage-limit",
        ),
        Answer(
            RESTRICTED,
            400,
            anthropic_error("invalid_request_error", "This organization has been disabled."),
            "disabled",
        ),
        Answer(
            UNKNOWN, 400, anthropic_error("invalid_request_error", "anthropic-version: header is required"), "other"
        ),
        Answer(NO_FUNDS, 402, anthropic_error("billing_error", "There's an issue with your billing.")),
        Answer(UNKNOWN, 404, anthropic_error("not_found_error", "Not found")),
        Answer(RATE_LIMITED, 429, anthropic_error("rate_limit_error", "This request would exceed your rate limit.")),
        Answer(NO_FUNDS, 429, anthropic_error("rate_limit_error", "You have reached your spend limit."), "spend"),
        Answer(DOWN, 500, anthropic_error("api_error", "Internal server error")),
        Answer(DOWN, 529, anthropic_error("overloaded_error", "Overloaded")),
    ),
    "openai": (
        Answer(VALID, 200, model_list("gpt-4o")),
        Answer(
            REJECTED,
            401,
            openai_error("Incorrect API key provided: {key}. You can find yours at …", code="invalid_api_key"),
        ),
        Answer(
            RESTRICTED,
            401,
            openai_error("You have insufficient permissions for this operation. Missing scopes: api.model.read."),
            "scopes",
        ),
        Answer(RESTRICTED, 401, {"error": "You have insufficient permissions. Missing scopes: x"}, "scopes-text"),
        Answer(RESTRICTED, 401, openai_error("Use eu.api.openai.com", code="incorrect_hostname"), "hostname"),
        Answer(
            RESTRICTED, 401, openai_error("Your IP 192.0.2.1 is not authorized", code="ip_not_authorized"), "ip-code"
        ),
        Answer(RESTRICTED, 401, openai_error("IP not authorized"), "ip"),
        Answer(RESTRICTED, 401, openai_error("You must be a member of an organization to use the API"), "organization"),
        Answer(UNKNOWN, 401, openai_error("Something new", code="something_new"), "new"),
        Answer(UNKNOWN, 401, CLOUDFLARE, "html", HTML),
        Answer(RESTRICTED, 403, openai_error("You have insufficient permissions for this operation."), "permissions"),
        Answer(
            UNKNOWN,
            403,
            openai_error("Country, region, or territory not supported", code="unsupported_country_region_territory"),
            "country",
        ),
        *(
            Answer(NO_FUNDS, 429, openai_error("You exceeded your current quota", code, code), code)
            for code in (
                "insufficient_quota",
                "credit_balance_exhausted",
                "project_spend_limit_exceeded",
                "organization_spend_limit_exceeded",
                "project_usage_limit_exceeded",
            )
        ),
        Answer(NO_FUNDS, 429, openai_error("You exceeded your quota", "insufficient_quota"), "quota-as-type"),
        Answer(
            NO_FUNDS, 429, openai_error("Limit reached", "requests", "project_usage_limit_exceeded"), "quota-as-code"
        ),
        Answer(RATE_LIMITED, 429, openai_error("Rate limit reached for requests", "requests", "rate_limit_exceeded")),
        Answer(DOWN, 500, openai_error("The server had an error", "server_error")),
        Answer(DOWN, 503, openai_error("The engine is currently overloaded", "service_unavailable_error")),
    ),
    "azure_openai": (
        Answer(VALID, 200, {"data": [{"id": "gpt-4o", "status": "succeeded"}], "object": "list"}),
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
            requests=2,
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
        Answer(VALID, 200, {"models": [{"name": "models/gemini-2.5-pro", "version": "2.5"}], "nextPageToken": "C"}),
        Answer(
            REJECTED,
            400,
            google_error(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
            "invalid",
        ),
        Answer(
            REJECTED,
            400,
            google_error(400, "API key expired. Please renew the API key.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
            "expired",
        ),
        Answer(
            UNKNOWN,
            400,
            google_error(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"),
            "location",
        ),
        Answer(
            UNKNOWN,
            401,
            google_error(
                401,
                "Request had invalid authentication credentials.",
                "UNAUTHENTICATED",
                "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            ),
        ),
        *(
            Answer(RESTRICTED, 403, google_error(403, "Requests are blocked.", "PERMISSION_DENIED", reason), reason)
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
            google_error(403, "Your API key was reported as leaked. Please use another API key.", "PERMISSION_DENIED"),
            "leaked",
        ),
        Answer(UNKNOWN, 403, google_error(403, "The caller does not have permission", "PERMISSION_DENIED"), "caller"),
        Answer(RATE_LIMITED, 429, google_error(429, "You exceeded your current quota.", "RESOURCE_EXHAUSTED")),
        Answer(DOWN, 503, google_error(503, "The model is overloaded.", "UNAVAILABLE")),
    ),
    "mistral": (
        Answer(VALID, 200, model_list("mistral-large-latest")),
        Answer(REJECTED, 401, {"message": "Unauthorized", "request_id": "a9dc1b2e"}, requests=2),
        Answer(REJECTED, 401, {"detail": "Unauthorized"}, "detail", requests=2),
        Answer(
            RATE_LIMITED,
            429,
            {"object": "error", "message": "Service tier capacity exceeded for this model.", "code": "3505"},
        ),
    ),
    "cohere": (
        Answer(VALID, 200, {"valid": True, "organization_id": "f2ed8b6e", "owner_id": "b8e11b4c"}),
        Answer(REJECTED, 200, {"valid": False}, "invalid"),
        Answer(UNKNOWN, 200, {"valid": "perhaps"}, "unclear"),
        Answer(REJECTED, 401, {"message": "invalid api token"}, requests=2),
        Answer(REJECTED, 498, {"message": "invalid token"}),
        Answer(NO_FUNDS, 402, {"message": "You have reached your billing limit"}),
        Answer(
            RATE_LIMITED, 429, {"message": "You are using a Trial key, which is limited to 1000 API calls a month."}
        ),
        Answer(UNKNOWN, 499, {"message": "request cancelled by user"}),
    ),
    "groq": (
        Answer(VALID, 200, model_list("llama-3.3-70b-versatile")),
        Answer(REJECTED, 401, openai_error("Invalid API Key", code="invalid_api_key"), requests=2),
        Answer(
            RESTRICTED, 403, openai_error("The model is blocked", "permissions_error", "model_permission_blocked_org")
        ),
        Answer(RATE_LIMITED, 429, openai_error("Rate limit reached for model", "requests", "rate_limit_exceeded")),
    ),
    "deepseek": (
        Answer(VALID, 200, {"is_available": True, "balance_infos": [{"currency": "USD", "total_balance": "9.60"}]}),
        Answer(
            NO_FUNDS,
            200,
            {"is_available": False, "balance_infos": [{"currency": "USD", "total_balance": "0.00"}]},
            "no-balance",
        ),
        Answer(
            REJECTED,
            401,
            openai_error(
                "Authentication Fails, Your api key: {key} is invalid", "authentication_error", "invalid_request_error"
            ),
            requests=2,
        ),
        Answer(NO_FUNDS, 402, openai_error("Insufficient Balance", "unknown_error", "invalid_request_error")),
    ),
    "xai": (
        Answer(VALID, 200, xai_key()),
        *(
            Answer(REJECTED, 200, xai_key(**{f: True}), f)
            for f in ("api_key_blocked", "api_key_disabled", "team_blocked")
        ),
        Answer(
            REJECTED,
            400,
            {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: {key}. You can …"},
            "incorrect",
            requests=2,
        ),
        # The request has no other argument than the key.
        Answer(
            REJECTED,
            400,
            {"code": "Client specified an invalid argument", "error": "Argument not supported"},
            "other",
            requests=2,
        ),
        Answer(REJECTED, 401, {"code": "Unauthenticated", "error": "No credentials were provided"}, requests=2),
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
}
