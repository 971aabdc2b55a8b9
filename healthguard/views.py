"""The URL adaptor: ordinary views, for everyone."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from healthguard.respond import Answer, Request, respond

CAPTURED = "healthguard_path"
"""The name by which healthguard's own URL patterns capture what of the path follows the mount."""


def health(request: HttpRequest, /, *arguments: object, **captured: object) -> HttpResponse:
    """Answer everything below the place where healthguard is mounted.

    Args:
        request: the request.
        arguments: what the patterns around the mount capture without a name.
        captured: what they and healthguard's own patterns capture by name.
    """
    return as_response(respond(as_request(request, str(captured.get(CAPTURED, "")))))


class _EveryAlias(set[str]):
    """A set that contains every database alias, including those that are added after import."""

    def __contains__(self, alias: object) -> bool:
        return True


# Not behind a login, nor in a transaction of any database that may be down; and a POST is told what is wrong with it.
health.login_required = False  # type: ignore[attr-defined]
health.csrf_exempt = True  # type: ignore[attr-defined]
# django.db.transaction.non_atomic_requests() adds aliases to this set; Django's handlers ask whether it contains one.
health._non_atomic_requests = _EveryAlias()  # type: ignore[attr-defined]  # noqa: SLF001


def as_request(request: HttpRequest, rest: str) -> Request:
    """What of a Django request counts; ``rest`` is what of its path follows the place where healthguard is mounted."""
    return Request(
        request.method or "GET",
        rest,
        request.META.get("QUERY_STRING", ""),
        request.META.get("HTTP_AUTHORIZATION", ""),
    )


def as_response(answer: Answer) -> HttpResponse:
    """``answer`` as a Django response."""
    response = HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
    # Django logs every 503 as an error and mails it to ADMINS: that would be a mail a poll. The change is in the log.
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response
