"""The URL patterns to include: ``path("api/health", include("healthguard.urls"))``. They match that path and below."""

from __future__ import annotations

from django.urls import path, re_path, register_converter
from django.urls.converters import PathConverter

from healthguard.http.mount import is_known_path, mounts
from healthguard.views import health

app_name = "healthguard"


class DeclaredConverter(PathConverter):
    """The converter of a probe or a declared service, used if the mount ends with a trailing slash.

    Without a trailing slash it must not match. Otherwise ``api/healthcare`` would be the service ``care``.
    """

    def to_python(self, value: str) -> str:
        """Return ``value`` if it is a probe or a declared service.

        Raises:
            ValueError: it is not. Django then tries the next pattern.
        """
        if not mounts().has_trailing_slash or not is_known_path(value):
            raise ValueError
        return value.rstrip("/")


register_converter(DeclaredConverter, "healthguard_declared")

# The slash is in brackets because Django warns (urls.W002) about patterns that start with one. It is intended here: the
# mount has no trailing slash, so that one include() covers the path itself and the paths below it.
urlpatterns = [
    re_path(r"^[/]?$", health, name="health"),
    re_path(r"^[/](?P<healthguard_path>[\s\S]+)$", health),
    path("<healthguard_declared:healthguard_path>", health),
]
