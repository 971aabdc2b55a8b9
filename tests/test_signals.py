"""The module of the signals: it is cheap to import, and its lock is never held in a forked child."""

from __future__ import annotations

import subprocess
import sys

from healthguard import Service
from healthguard.signals import status_changed
from tests.support.locks import held_by_another_thread
from tests.support.runner_checks import is_true_in_fork
from tests.support.sites import REPOSITORY

IMPORT = """
import sys
import healthguard.signals
from django.conf import settings
loaded = [name for name in sys.modules if name.startswith(("health_check", "healthguard."))]
print(settings.configured, loaded)
"""


def test_import_reads_no_setting_and_loads_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "False ['healthguard.runtime', 'healthguard.runtime.version', 'healthguard.signals']\n"


def test_forked_child_can_check_for_receivers() -> None:
    """A thread of the parent holds the lock at the moment of the fork."""
    with held_by_another_thread(status_changed.lock):
        assert is_true_in_fork(lambda: not status_changed.has_listeners(Service))
