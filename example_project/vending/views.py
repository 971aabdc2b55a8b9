"""The endpoint that exchanges a customer's key for credentials of AI providers."""

import datetime
import json
import os

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from example_project.vending.models import AnalyticsEvent, ApiKey

KEY_VARIABLES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
MAX_TTL_MINUTES = 24 * 60


@csrf_exempt
@require_POST
def exchange(request: HttpRequest) -> JsonResponse:
    """Return credentials for ``{"providers": ["anthropic"], "ttl_minutes": 60}``, with the header ``x-api-key``."""
    digest = ApiKey.digest_of(request.headers.get("x-api-key", ""))
    api_key = ApiKey.objects.select_related("customer").filter(digest=digest).first()
    if api_key is None:
        return JsonResponse({"error": "The x-api-key header is missing or invalid."}, status=401)
    try:
        wanted = json.loads(request.body)
        providers, minutes = wanted["providers"], wanted.get("ttl_minutes", 60)
    except (ValueError, KeyError, TypeError, AttributeError):
        return JsonResponse({"error": 'Send {"providers": ["anthropic"], "ttl_minutes": 60}.'}, status=400)
    if (
        not isinstance(providers, list)
        or not providers
        or not all(name in KEY_VARIABLES for name in map(str, providers))
    ):
        return JsonResponse({"error": f"providers must be a list of: {', '.join(sorted(KEY_VARIABLES))}."}, status=400)
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 < minutes <= MAX_TTL_MINUTES:
        return JsonResponse({"error": f"ttl_minutes must be a whole number from 1 to {MAX_TTL_MINUTES}."}, status=400)
    expires_at = timezone.now() + datetime.timedelta(minutes=minutes)
    AnalyticsEvent.objects.create(customer=api_key.customer, name="credentials.exchange", data={"providers": providers})
    return JsonResponse(
        {
            "credentials": {
                name: {"api_key": provider_key(name), "expires_at": expires_at.isoformat()} for name in providers
            }
        }
    )


def provider_key(provider: str) -> str:
    """Return the provider's key, or a mock key if there is none, so that development works without keys.

    This line caused the outage: the keys were not mounted, and customers received mock keys. It is unchanged, because
    healthguard has to detect this.
    """
    return os.environ.get(KEY_VARIABLES[provider]) or f"mock-{provider}-key"
