# pyright: strict, reportMissingTypeStubs=false
"""A project that uses every public name. Type checkers accept it; it is never run.

mypy reads the types with Django's stubs, and pyright reads them as an editor does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, assert_type

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.dispatch import receiver
from django.urls import include, path
from health_check.base import HealthCheck

import healthguard.asgi
import healthguard.wsgi
from healthguard import Degraded, Fault, Problem, Sabotage, Service, Status, Unhealthy, __version__
from healthguard.checks import (
    AIProviderKey,
    AppliedMigrations,
    CredentialExchange,
    DatabaseName,
    EnvironmentVariable,
    HTTPEndpoint,
    ModelSchema,
    RequiredColumns,
    RequiredTables,
    SecretKey,
)
from healthguard.middleware import HealthGuardMiddleware
from healthguard.providers import Provider, ResponseRule, Switch, Verdict, VerificationRequest
from healthguard.pytest_plugin import DegradedWarning, HealthGuard
from healthguard.requirements import Requirement, VariableRequirement
from healthguard.signals import status_changed


@dataclasses.dataclass
class QueueLength(HealthCheck):
    """A check of the project's own."""

    queue: str
    limit: int = 100

    def needs(self) -> Iterator[Requirement]:
        yield VariableRequirement(("QUEUE_URL", "BROKER_URL"), pattern="^amqps://", min_bytes=16)

    def sabotages(self) -> Iterator[Sabotage]:
        yield Sabotage("a limit that is exceeded", QueueLength(self.queue, limit=-1), ["queue_full"])

    async def run(self) -> None:
        length = len(self.queue)
        if length > self.limit:
            raise Unhealthy(
                "queue_full",
                f"{self.queue} has {length} jobs.",
                fault=Fault.OUTAGE,
                hint="Start more workers.",
                evidence={"length": length},
            )
        if length > self.limit // 2:
            raise Degraded("queue_long", "Many jobs wait.", fault=Fault.OUTAGE, hint="Check the workers.")


def key_from_the_vault() -> str:
    return "key"


async def key_from_the_database() -> str | None:
    return None


GATEWAY = Provider(
    name="gateway",
    variables=("GATEWAY_KEY",),
    base_url="https://llm.example.com/v1",
    is_gateway=True,
    request=VerificationRequest(path="/models"),
    response_rules=(ResponseRule(Verdict.NO_FUNDS, 402),),
    switches=(Switch("USE_OTHER"),),
)

HEALTHGUARD = {
    "SERVICES": {
        "database": Service(
            DatabaseName("shop", env="DATABASE_URL"),
            [RequiredTables(["shop_order"]), RequiredColumns("shop_order", {"id": "bigint"})],
            AppliedMigrations(),
            ModelSchema(),
            ready="always",
            ttl=15,
            stale_for=30,
            timeout=2.5,
        ),
        "config": Service(
            [SecretKey(env="SECRET_KEY"), EnvironmentVariable("STRIPE_KEY", pattern="^sk_")], critical=False
        ),
        "ai": {
            "anthropic": AIProviderKey("anthropic", key=key_from_the_vault, share="default"),
            "openai": Service(AIProviderKey("openai", key=key_from_the_database), ready="never"),
            "gateway": AIProviderKey(GATEWAY),
            "exchange": CredentialExchange("/api/exchange", ["anthropic"], headers={"x-api-key": key_from_the_vault}),
        },
        "orders": HTTPEndpoint("/api/orders", expect={"status": "ok"}),
        "queue": QueueLength("jobs"),
        "cache": ("health_check.checks.Cache", {"alias": "default"}),
        "mail": "health_check.checks.Mail",
    },
}

urlpatterns = [path("api/health", include("healthguard.urls"))]
wsgi_application = healthguard.wsgi.guard(get_wsgi_application())
asgi_application = healthguard.asgi.guard(get_asgi_application())
asgi_callable: Callable[[Any, Any, Any], Awaitable[None]] = asgi_application
middleware: type[HealthGuardMiddleware] = HealthGuardMiddleware


def read(problem: Problem) -> tuple[str, Fault]:
    """Return typed members, which editors complete."""
    assert_type(problem.message, str)
    assert_type(problem.fault, Fault)
    assert_type(Status.HEALTHY.is_serving, bool)
    version: str = __version__
    assert_type(problem.hint + version, str)
    return problem.code, problem.fault


@receiver(status_changed, sender=Service)
def remember(service: tuple[str, ...], status: Status, problems: tuple[Problem, ...], **kwargs: object) -> None:
    """Receive the signal, as a project does."""


def test_readiness(healthguard: HealthGuard) -> None:
    """Use the fixture of the pytest plugin."""
    with healthguard.broken("database", code="table_missing", fault="outage"), healthguard.broken("ai", degraded=True):
        assert_type(healthguard.report().status, Status)
    category: type[Warning] = DegradedWarning
    assert category
