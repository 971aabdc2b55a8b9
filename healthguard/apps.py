"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

TAG = "healthguard"
"""The tag of all system checks, for ``manage.py check --deploy --tag healthguard``."""


class HealthGuardConfig(AppConfig):
    """The Django app."""

    name = "healthguard"
    verbose_name = "Health guard"

    def ready(self) -> None:
        """Register the system checks, and remember the loaded code; called by Django when all models are loaded."""
        from healthguard.service.code_versions import remember_versions
        from healthguard.system_checks import checks as system_checks
        from healthguard.system_checks import deployment

        remember_versions()
        register(system_checks.check_declaration, TAG)
        register(system_checks.check_middleware, TAG)
        register(system_checks.check_distribution, TAG)
        register(system_checks.check_mount, TAG, Tags.urls)
        register(deployment.check_environment, TAG, deploy=True)
        register(deployment.check_databases, TAG, Tags.database, deploy=True)
