"""The identity of the server and of the project that this process serves.

The workers of one server share the startup latch. They are identified by random bytes that are unique for each
execution of a program, because PIDs, command lines and parent processes can change, repeat or be hidden.
"""

from __future__ import annotations

import hashlib
import hmac
import multiprocessing
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from healthguard.probes.private_folder import start_time
from healthguard.service import Tree

try:
    # Imported early, because a worker that has dropped its privileges may not be able to read Python's files.
    import ctypes
except ImportError:  # some builds of Python do not have it
    ctypes = None  # type: ignore[assignment]

_AT_RANDOM = 25
"""The entry of the auxiliary vector that points to the random bytes; see getauxval(3)."""
_RANDOM_BYTES = 16


def server_identity(tree: Tree) -> str | None:
    """Return a name that is the same for all workers of this server with this declaration, and unique to them.

    The name is a keyed hash, so it does not reveal any setting.

    Args:
        tree: the declared services.

    Returns:
        32 hexadecimal characters; None if the processes of a server cannot be identified on this system.
    """
    key = _server_key()
    if key is None:
        return None
    return hmac.new(key, _project(tree).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


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


def _project(tree: Tree) -> str:
    """Return a text that identifies the project and its declaration.

    Two sites of one server have the same user and may have the same services, but they differ in some other part.
    """
    module = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    code = getattr(sys.modules.get(module), "__file__", None) or os.getcwd()
    services = [
        (service.path, service.ready, service.critical, [source.name for source in service.sources])
        for service in tree.services()
    ]
    return repr(
        [
            (os.geteuid(), module, os.path.realpath(code), getattr(settings, "ROOT_URLCONF", None)),
            # With mod_wsgi, several process groups may serve the same code in different environments.
            getattr(sys.modules.get("mod_wsgi"), "process_group", None),
            services,
            _default_database(),
        ]
    )


def _default_database() -> list[str]:
    """Return the keys that identify the default database and do not change while a process runs.

    Django fills in the other keys when a connection is first used, and projects may add aliases at run time.
    """
    databases = getattr(settings, "DATABASES", None)
    default = databases.get("default") if isinstance(databases, Mapping) else None
    return [str(default.get(key) or "") for key in ("NAME", "HOST", "PORT", "USER")] if default else []
