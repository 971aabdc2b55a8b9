"""The health state of this process: its services, their outcomes, and the startup latch."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import MutableMapping

from django.core.signals import setting_changed

from healthguard.conf import OWN_SERVICE, global_problem, settings
from healthguard.probes.identity import PodIdentity, parent_server, server_identity
from healthguard.probes.latch import Latch
from healthguard.runner import Runner
from healthguard.runner.pod.knowledge import PodKnowledge, open_store
from healthguard.runner.receivers import send_change
from healthguard.runtime import log
from healthguard.service import Tree
from healthguard.status import Problem, Status

_NOT_IDENTIFIED = (
    "The workers of this server cannot be identified (%s), so they share neither the results of their checks nor the "
    "information that the pod is ready. A worker that starts while a service is unhealthy stays unready."
)


class HealthState:
    """The services of one declaration, their outcomes, and the startup latch.

    Args:
        tree: the services; by default all that are declared.
        is_shared: True if the startup latch is shared with the other workers of this server.
        is_logged: True if changes of status are logged.
    """

    def __init__(self, tree: Tree | None = None, *, is_shared: bool = False, is_logged: bool = True) -> None:
        self.tree = settings.tree() if tree is None else tree
        self.identity = _shared_identity(self.tree) if is_shared else None
        server = None if self.identity is None else parent_server()
        self.latch = Latch(None if self.identity is None else self.identity.name, server)
        pod = _pod_knowledge(self.identity, server) if is_logged else PodKnowledge(is_logged=False)
        self.runner = Runner(self.tree.services(), pod)
        self.is_inline = settings.inline
        self.problem = global_problem()
        self.response_cache: MutableMapping[tuple[str, str], object] = {}
        """Rendered responses, by method and path. Used by :mod:`healthguard.http.handler`."""
        self._is_logged = is_logged
        self._log_lock = threading.Lock()
        self._logged: Problem | None = None
        self._own_status = Status.UNKNOWN
        self._logged_draining = False

    def log_problem(self, problem: Problem | None) -> None:
        """Log and send as a signal that a problem outside all services has begun or ended, once per change."""
        with self._log_lock:
            if not self._is_logged or problem == self._logged:
                return
            self._logged = problem
            status = Status.HEALTHY if problem is None else Status.UNHEALTHY
            previous, self._own_status = self._own_status, status
        if problem is None:
            log.write(log.INFO, "%s: unhealthy -> healthy", OWN_SERVICE)
        else:
            log.write(log.ERROR, "%s: unhealthy: %s", OWN_SERVICE, problem.summary)
        problems = () if problem is None else (problem,)
        send_change((OWN_SERVICE,), previous, status, problems, is_inline=self.is_inline)

    def log_draining(self, is_draining: bool) -> None:
        """Log that draining has begun or ended, once per change."""
        with self._log_lock:
            if is_draining == self._logged_draining:
                return
            self._logged_draining = is_draining
        if is_draining:
            log.write(log.INFO, "The pod is draining: DRAIN_FILE exists, and the ready probe answers 503.")
        else:
            log.write(log.INFO, "The pod is no longer draining.")


def _shared_identity(tree: Tree) -> PodIdentity | None:
    """Return the identity that this server's workers share, or None if it cannot be determined."""
    try:
        # The default services depend on what has been added to DATABASES in the meantime.
        identity = server_identity(tree, is_declared="SERVICES" in settings.declared)
    except Exception as error:
        log.once(log.WARNING, _NOT_IDENTIFIED, type(error).__name__)
        return None
    if identity is None:
        log.once(log.INFO, _NOT_IDENTIFIED, sys.platform)
    return identity


def _pod_knowledge(identity: PodIdentity | None, server: tuple[int, int] | None) -> PodKnowledge | None:
    if identity is None:
        return None
    return PodKnowledge(identity.service_digests, lambda: open_store(identity.name, identity.signature_key, server))


_state: HealthState | None = None
_was_changed = False
_lock = threading.Lock()


def get_state() -> HealthState:
    """Return this process's state. There is a new one in a forked child, and after a setting was overridden."""
    global _state
    current = _state
    if current is None:
        with _lock:
            current = _state
            if current is None:
                current = _state = HealthState(is_shared=not (_was_changed or settings.inline))
    # A test has its own declaration, environment and database: inline, nothing is kept from one probe to the next.
    return HealthState() if current.is_inline else current


def _reset_state(**kwargs: object) -> None:
    """Drop the state, because the settings that it was made from have changed, as they do in tests."""
    global _state, _was_changed
    _state, _was_changed = None, True


def _reset_after_fork() -> None:
    global _state, _lock
    # The lock too: another thread of the parent may have held it.
    _state, _lock = None, threading.Lock()


setting_changed.connect(_reset_state)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_reset_after_fork)
