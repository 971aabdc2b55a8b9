"""healthguard: one declaration of what a Django deployment must have, verified at every stage of its life.

The public names load on first use (PEP 562), so that importing this package imports neither Django nor
django-health-check. A settings module may import it: no setting and no app registry is touched.
"""

from __future__ import annotations

import importlib

from healthguard.runtime.version import __version__

# Type checkers treat this name as true. Importing it from typing would slow down the start of healthguard.probe.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from healthguard.exceptions import Degraded, Unhealthy
    from healthguard.service import Service
    from healthguard.service.sabotages import Sabotage
    from healthguard.status import Fault, Problem, Status

__all__ = ["Degraded", "Fault", "Problem", "Sabotage", "Service", "Status", "Unhealthy", "__version__"]

_MODULES = {
    "Degraded": "healthguard.exceptions",
    "Fault": "healthguard.status",
    "Problem": "healthguard.status",
    "Sabotage": "healthguard.service.sabotages",
    "Service": "healthguard.service",
    "Status": "healthguard.status",
    "Unhealthy": "healthguard.exceptions",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
