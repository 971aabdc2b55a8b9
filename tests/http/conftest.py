"""Fixtures that serve a URLconf with each adaptor."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from tests.support import adaptors, strange_checks
from tests.support.mounts import MakeURLconf, Serve


@pytest.fixture
def urlconf() -> Iterator[MakeURLconf]:
    """Make a URLconf that contains patterns, and return its name."""
    names: list[str] = []

    def make(*patterns: object, **attributes: object) -> str:
        module = types.ModuleType(f"urlconf_{len(names)}")
        module.urlpatterns = list(patterns)  # type: ignore[attr-defined]
        vars(module).update(attributes)
        sys.modules[module.__name__] = module
        names.append(module.__name__)
        return module.__name__

    yield make
    for name in names:
        del sys.modules[name]


@pytest.fixture(params=adaptors.NAMES)
def served(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Serve a URLconf with each adaptor, and return a function that sends requests."""
    enabled: list[override_settings] = []

    def serve(root: str, **settings: Any) -> adaptors.Send:
        services = {"fine": strange_checks.Fine, "care": strange_checks.Fine}
        declared = {"SERVICES": services, "INLINE": True, **settings.pop("HEALTHGUARD", {})}
        override, send = adaptors.adaptor(request.param, ROOT_URLCONF=root, HEALTHGUARD=declared, **settings)
        override.enable()
        enabled.append(override)
        return send

    yield serve
    for override in reversed(enabled):
        override.disable()
