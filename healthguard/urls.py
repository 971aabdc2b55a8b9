"""``path("api/health", include("healthguard.urls"))``: one place, and everything below it."""

from __future__ import annotations

from django.urls import path, re_path, register_converter
from django.urls.converters import PathConverter

from healthguard.mount import is_known, mounts
from healthguard.views import health

app_name = "healthguard"


class DeclaredConverter(PathConverter):
    """A probe, or a declared service, for those who mount with a last slash.

    Without one this must not match, or ``api/healthcare`` would be taken for a service called care.
    """

    def to_python(self, value: str) -> str:
        """``value`` if it is ours.

        Raises:
            ValueError: it is not; Django tries the next pattern.
        """
        if not mounts().have_slash or not is_known(value):
            raise ValueError
        return value.rstrip("/")


register_converter(DeclaredConverter, "healthguard_declared")

# The slash is in brackets because Django warns (urls.W002) of patterns that begin with one. Here it is meant: the
# place is mounted without a last slash, so that what stands at it and what stands below it are one include().
urlpatterns = [
    re_path(r"^[/]?$", health, name="health"),
    re_path(r"^[/](?P<healthguard_path>[\s\S]+)$", health),
    path("<healthguard_declared:healthguard_path>", health),
]
