"""The checks. Each one is a django-health-check dataclass that raises an exception if it finds a problem.

Importing this package does not access the settings or the app registry, so a settings module may import it.
"""

from healthguard.checks.ai_keys import AIProviderKey
from healthguard.checks.database import DatabaseName
from healthguard.checks.endpoint import CredentialExchange, HTTPEndpoint
from healthguard.checks.environment import EnvironmentVariable
from healthguard.checks.migrations import AppliedMigrations
from healthguard.checks.schema import ModelSchema, RequiredColumns, RequiredTables
from healthguard.checks.secrets import SecretKey

__all__ = [
    "AIProviderKey",
    "AppliedMigrations",
    "CredentialExchange",
    "DatabaseName",
    "EnvironmentVariable",
    "HTTPEndpoint",
    "ModelSchema",
    "RequiredColumns",
    "RequiredTables",
    "SecretKey",
]
