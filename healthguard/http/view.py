"""The URL adaptor: an ordinary Django view, which does not require a login."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from healthguard.http.handler import Request, Response, respond

CAPTURED = "healthguard_path"
"""The name under which healthguard's URL patterns capture the part of the path below the mount."""


def health(request: HttpRequest, /, *arguments: object, **captured: object) -> HttpResponse:
    """Answer every path below the mount of healthguard.

    Args:
        request: the request.
        arguments: the values that the URL patterns around the mount capture without a name.
        captured: the values that these patterns and healthguard's own patterns capture by name.
    """
    return as_response(respond(as_request(request, str(captured.get(CAPTURED, "")))))


class _EveryAlias(set[str]):
    """A set that contains every database alias, including those that are added after import."""

    def __contains__(self, alias: object) -> bool:
        return True


# Probes do not log in. A POST request must get the 405 answer with its hint, and not Django's CSRF error page.
health.login_required = False  # type: ignore[attr-defined]
health.csrf_exempt = True  # type: ignore[attr-defined]
# The view must not run in a transaction, because the database may be down. django.db.transaction.non_atomic_requests()
# adds aliases to this set, and Django's handlers test if it contains an alias.
health._non_atomic_requests = _EveryAlias()  # type: ignore[attr-defined]  # noqa: SLF001


def as_request(request: HttpRequest, subpath: str) -> Request:
    """Return the parts of a Django request that a response depends on.

    Args:
        request: the Django request.
        subpath: the part of its path below the mount.
    """
    return Request(
        request.method or "GET",
        subpath,
        request.META.get("QUERY_STRING", ""),
        request.META.get("HTTP_AUTHORIZATION", ""),
    )


def as_response(response: Response) -> HttpResponse:
    """Return ``response`` as a Django response."""
    django_response = HttpResponse(response.body, status=response.status, headers=dict(response.headers))
    # Django logs every 503 as an error and mails it to ADMINS, which would be one mail per probe. healthguard already
    # logs each change of a status.
    django_response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return django_response
