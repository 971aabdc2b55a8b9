"""healthguard: one declaration of what a Django deployment must have, proved at every stage of its life.

Importing it touches no setting and no app registry, so a settings module may do it.
"""

from healthguard.exceptions import Degraded, Unhealthy
from healthguard.service import Service
from healthguard.status import Fault, Problem, Status
from healthguard.version import __version__

__all__ = ["Degraded", "Fault", "Problem", "Service", "Status", "Unhealthy", "__version__"]
