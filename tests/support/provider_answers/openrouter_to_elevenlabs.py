"""The responses of the other providers of the catalog, from OpenRouter to ElevenLabs."""

from __future__ import annotations

from typing import Any

from healthguard.providers import Verdict
from tests.support.provider_answers.answer import Answer
from tests.support.provider_answers.bodies import HTML, model_list, openai_error

VALID, RESTRICTED, NO_FUNDS = Verdict.VALID, Verdict.RESTRICTED, Verdict.NO_FUNDS
REJECTED, UNKNOWN, RATE_LIMITED, DOWN = Verdict.REJECTED, Verdict.UNKNOWN, Verdict.RATE_LIMITED, Verdict.DOWN


def openrouter_key(**facts: Any) -> dict[str, Any]:
    """Return OpenRouter's description of a key, with the facts that differ from those of an unlimited key."""
    description = {
        "label": "sk-or-v1-0e6...1c96",
        "limit": None,
        "limit_remaining": None,
        "usage": 0,
        "is_free_tier": False,
    }
    return {"data": {**description, **facts}}


def elevenlabs_error(status: str, message: str) -> dict[str, Any]:
    return {"detail": {"status": status, "message": message}}


OPENROUTER_TO_ELEVENLABS: dict[str, tuple[Answer, ...]] = {
    "openrouter": (
        Answer(VALID, 200, openrouter_key()),
        Answer(VALID, 200, openrouter_key(limit=10, limit_remaining=7.5), "limit"),
        *(Answer(NO_FUNDS, 200, openrouter_key(limit=10, limit_remaining=n), str(n)) for n in (0, 0.0, -0.25)),
        Answer(UNKNOWN, 200, model_list("openai/gpt-4o"), "public-list"),
        Answer(REJECTED, 401, {"error": {"message": "User not found.", "code": 401}}, requests=2),
        Answer(NO_FUNDS, 402, {"error": {"message": "Insufficient credits", "code": 402}}),
        Answer(UNKNOWN, 403, {"error": {"message": "Input flagged", "code": 403, "metadata": {"reasons": []}}}),
        Answer(RATE_LIMITED, 429, {"error": {"message": "Rate limit exceeded", "code": 429}}),
    ),
    "together": (
        Answer(VALID, 200, [{"id": "meta-llama/Llama-3.3-70B", "object": "model", "type": "chat"}], "list"),
        Answer(VALID, 200, model_list("meta-llama/Llama-3.3-70B"), "data"),
        Answer(REJECTED, 401, openai_error("Invalid API key provided: {key}", code="invalid_api_key"), requests=2),
        Answer(NO_FUNDS, 402, openai_error("Credit limit exceeded", "credit_limit")),
        Answer(UNKNOWN, 403, openai_error("Input token count exceeds the limit", "permission_error"), "input"),
        Answer(RATE_LIMITED, 429, openai_error("You are being rate limited", "rate_limit", "model_rate_limit")),
    ),
    "fireworks": (
        Answer(VALID, 200, model_list("accounts/fireworks/models/deepseek-v3")),
        Answer(REJECTED, 401, openai_error("The API key you provided is invalid.", code="UNAUTHORIZED"), requests=2),
        Answer(UNKNOWN, 403, {"error": "unauthorized"}, "text"),
        Answer(UNKNOWN, 403, openai_error("no", "permission_error"), "permission"),
        Answer(
            RESTRICTED,
            412,
            openai_error(
                "Account is suspended, possibly due to reaching the monthly spending limit.", code="PRECONDITION_FAILED"
            ),
        ),
    ),
    "perplexity": (
        Answer(VALID, 200, {"next_token": None, "requests": []}),
        Answer(VALID, 200, {"requests": [{"id": "a", "status": "COMPLETED"}]}, "some"),
        Answer(REJECTED, 401, b"<html><head><title>401 Authorization Required</title></head></html>", "", HTML, 2),
        Answer(
            REJECTED,
            401,
            {"error": {"message": "Invalid API key", "type": "invalid_api_key", "code": 401}},
            "json",
            requests=2,
        ),
    ),
    "huggingface": (
        Answer(
            VALID,
            200,
            {"type": "user", "name": "somebody", "auth": {"type": "access_token", "accessToken": {"role": "read"}}},
        ),
        Answer(REJECTED, 401, {"error": "Invalid credentials in Authorization header"}, requests=2),
        Answer(UNKNOWN, 403, {"error": "Forbidden"}, "text"),
        Answer(RATE_LIMITED, 429, {"error": "We had to rate limit your IP (192.0.2.1)."}),
    ),
    "replicate": (
        Answer(VALID, 200, {"type": "organization", "username": "acme", "name": "Acme", "github_url": "https://x"}),
        Answer(
            REJECTED,
            401,
            {"title": "Unauthenticated", "detail": "You did not pass a valid authentication token", "status": 401},
            requests=2,
        ),
        Answer(NO_FUNDS, 402, {"title": "Insufficient credit", "detail": "You have no credit", "status": 402}),
        Answer(RESTRICTED, 403, {"detail": "You do not have permission to perform this action.", "status": 403}),
        Answer(RATE_LIMITED, 429, {"detail": "Request was throttled. Expected available in 1 second.", "status": 429}),
    ),
    "bedrock": (
        Answer(VALID, 200, {"modelSummaries": [{"modelId": "anthropic.claude-sonnet-4", "providerName": "Anthropic"}]}),
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
        Answer(VALID, 200, {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}),
        Answer(REJECTED, 401, {"detail": "Provided API key is invalid."}, requests=2),
        Answer(UNKNOWN, 403, {"detail": "Forbidden"}, "detail"),
        Answer(UNKNOWN, 403, openai_error("no", "permission_error"), "permission"),
        Answer(RATE_LIMITED, 429, {"detail": "You have not yet added your payment method in the billing page."}),
    ),
    "elevenlabs": (
        Answer(VALID, 200, {"user_id": "u1", "subscription": {"tier": "creator"}, "xi_api_key": "{key}"}),
        Answer(REJECTED, 401, elevenlabs_error("invalid_api_key", "Invalid API key"), "invalid"),
        Answer(
            RESTRICTED,
            401,
            elevenlabs_error("missing_permissions", "The API key you used is missing the permission user_read"),
            "permissions",
        ),
        Answer(RESTRICTED, 401, elevenlabs_error("detected_unusual_activity", "Unusual activity detected."), "unusual"),
        Answer(NO_FUNDS, 401, elevenlabs_error("quota_exceeded", "This request exceeds your quota."), "quota"),
        Answer(NO_FUNDS, 400, elevenlabs_error("quota_exceeded", "This request exceeds your quota."), "quota"),
        Answer(REJECTED, 401, {"detail": "Unauthorized"}, "plain", requests=2),
        Answer(RATE_LIMITED, 429, elevenlabs_error("too_many_concurrent_requests", "Too many concurrent requests")),
        Answer(DOWN, 503, elevenlabs_error("system_busy", "We are experiencing heavy traffic")),
    ),
}
