"""The checks. Each is a django-health-check dataclass that raises when something is wrong and is silent otherwise.

Importing this package touches no setting and no app registry, so a settings module may do it.
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
