"""The declaration of a project: services, their checks, and the tree that they form."""

from healthguard.service.check_source import CheckSource, declaration_errors, source_of
from healthguard.service.service import CheckSpec, ReadyPolicy, Service
from healthguard.service.tree import ServiceNode, Tree, resolve_service

__all__ = [
    "CheckSource",
    "CheckSpec",
    "ReadyPolicy",
    "Service",
    "ServiceNode",
    "Tree",
    "declaration_errors",
    "resolve_service",
    "source_of",
]
