"""The Django view, in the module where a project expects it."""

from healthguard.http.view import health

__all__ = ["health"]
