"""The identity of the server and of the project that this process serves.

The workers of one server share a private folder. They are identified by random bytes that are unique for each
execution of a program, because PIDs, command lines and parent processes can change, repeat or be hidden. A worker that
starts with another declaration or other code, as after a HUP of gunicorn, does not share the folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import multiprocessing
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

from healthguard.runner.pod.private_folder import start_time
from healthguard.runtime.version import __version__
from healthguard.service import ServiceNode, Tree
from healthguard.service.code_versions import check_versions, settings_version
from healthguard.service.declared_text import declared_text

try:
    # Imported early, because a worker that has dropped its privileges may not be able to read Python's files.
    import ctypes
except ImportError:  # some builds of Python do not have it
    ctypes = None  # type: ignore[assignment]

_AT_RANDOM = 25
"""The entry of the auxiliary vector that points to the random bytes; see getauxval(3)."""
_RANDOM_BYTES = 16


@dataclasses.dataclass(frozen=True, slots=True)
class PodIdentity:
    """The identity that the workers of one server with one declaration share.

    Each part is a keyed hash, so it does not reveal any setting. Only the processes of this server have the key.

    Args:
        name: the name of what they share (32 hexadecimal characters).
        signature_key: the key to sign it with (32 bytes).
        service_digests: a name of each service by its path (16 hexadecimal characters), which depends on the options
            and the code of its checks.
    """

    name: str
    signature_key: bytes = dataclasses.field(repr=False)
    service_digests: Mapping[tuple[str, ...], str]


def server_identity(tree: Tree, *, is_declared: bool = True) -> PodIdentity | None:
    """Return the identity of the workers of this server; None if it cannot be determined on this system.

    Args:
        tree: the services. Their options are read at once, because a check may change its attributes when it runs.
        is_declared: False for the default services, on which the name does not depend. Workers may have different
            ones if databases are added at run time. The digests of services that differ are different.
    """
    key = _server_key()
    if key is None:
        return None
    services = {service.path: _declaration(service) for service in tree.services()}
    name = _keyed_hash(key, "name", _project(), *sorted(services.values() if is_declared else ())).hex()[:32]
    return PodIdentity(
        name,
        _keyed_hash(key, "signature", name),
        {
            service.path: _keyed_hash(key, "service", services[service.path], _code(service)).hex()[:16]
            for service in tree.services()
        },
    )


def _keyed_hash(key: bytes, *texts: str) -> bytes:
    return hmac.new(key, repr(texts).encode(), hashlib.sha256).digest()


def _server_key() -> bytes | None:
    """Return secret random bytes that the server's processes share; None if there are none.

    Workers are forked from the server's program (gunicorn, uWSGI, Apache) or started by multiprocessing (uvicorn,
    hypercorn, granian). Any other process counts as a separate server.
    """
    if os.name != "posix":
        return None
    parent, current = multiprocessing.parent_process(), multiprocessing.current_process()
    if parent is not None and parent.pid == os.getppid():
        # The authentication key consists of 32 random bytes of the main process. All its children inherit it.
        return b"\0".join([bytes(current.authkey), str(parent.pid).encode(), str(start_time(os.getppid())).encode()])
    random_bytes = _random_bytes_of_program()
    if random_bytes is None or parent is None:
        return random_bytes
    # The server itself runs in a child process of multiprocessing, and has forked its workers there.
    return b"\0".join([random_bytes, bytes(current.authkey), current.name.encode()])


def _random_bytes_of_program() -> bytes | None:
    """Return the 16 random bytes that the kernel provides for each execution of a program; None if unavailable.

    A fork keeps them; another execution gets new ones. Reading them requires neither privileges nor /proc.
    """
    if ctypes is None or not sys.platform.startswith("linux"):
        return None
    try:
        getauxval = ctypes.CDLL(None).getauxval
        getauxval.restype, getauxval.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
        address = getauxval(_AT_RANDOM)
    except (OSError, AttributeError):
        return None
    return ctypes.string_at(address, _RANDOM_BYTES) if address else None


def parent_server() -> tuple[int, int] | None:
    """Return the process that starts this server's workers: its PID and its start time (clock ticks since boot).

    It is the parent of this process. Return None if the parent is another program, like a shell, or cannot be read.
    """
    pid = os.getppid()
    started = start_time(pid)
    if pid <= 1 or started is None:
        return None
    is_worker = multiprocessing.parent_process() is not None
    own_stack, parent_stack = _stack_address(os.getpid()), _stack_address(pid)
    # The address of the stack is random for each execution. It is "0" if this process is not allowed to read it.
    return (pid, started) if is_worker or parent_stack in ("0", own_stack) else None


def _stack_address(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[25]
    except (OSError, IndexError):
        return ""


def _project() -> str:
    """Return a text that identifies the project.

    Two sites of one server have the same user and may have the same services, but they differ in some other part.
    """
    return declared_text(
        [
            __version__,
            os.geteuid(),
            os.environ.get("DJANGO_SETTINGS_MODULE"),
            settings_version() or os.getcwd(),
            getattr(settings, "ROOT_URLCONF", None),
            # With mod_wsgi, several process groups may serve the same code in different environments.
            getattr(sys.modules.get("mod_wsgi"), "process_group", None),
            _database(DEFAULT_DB_ALIAS),
        ]
    )


def _declaration(service: ServiceNode) -> str:
    """Return the text of a declared service. Its ttl has no jitter, which differs between processes."""
    declared = service.declared
    policy = (declared.ready, declared.critical, declared.ttl, declared.stale_for, declared.timeout)
    # Each check has its own text, so that only the text of an excessive one is cut.
    return repr([declared_text([service.path, policy]), *map(declared_text, declared.checks)])


def _code(service: ServiceNode) -> str:
    """Return a text that identifies the code of a service's checks, its defaults, and the databases that they use."""
    return declared_text(
        [
            (
                [] if source.check_class is None else check_versions(source.check_class),
                source.ttl,
                source.timeout,
                source.alias,
                None if source.database is None else _database(source.database),
            )
            for source in service.sources
        ]
    )


def _database(alias: str) -> list[object]:
    """Return the keys that identify a database and do not change while a process runs.

    Django fills in the other keys when a connection is first used, and projects may add aliases at run time.
    """
    databases = getattr(settings, "DATABASES", None)
    database = databases.get(alias) if isinstance(databases, Mapping) else None
    if not isinstance(database, Mapping):
        return []
    return [database.get(key) or "" for key in ("NAME", "HOST", "PORT", "USER")]
