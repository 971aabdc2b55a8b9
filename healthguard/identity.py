"""The identity of the server and the project that this process serves.

The workers of one server share the startup latch. They recognize each other by random bytes that exist once per
started program, because process numbers, command lines and parents can change, repeat or be hidden.
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

from healthguard.private_folder import start_time
from healthguard.service import Tree

try:
    # Here, and not where it is used: a worker that has given up its rights may not be able to read Python's files.
    import ctypes
except ImportError:  # some builds of Python come without it
    ctypes = None  # type: ignore[assignment]

_AT_RANDOM = 25
"""The entry of the auxiliary vector that points to the random bytes; see getauxval(3)."""
_RANDOM_BYTES = 16


def server_identity(tree: Tree) -> str | None:
    """Return a name that all workers of this server share for this declaration, and no other server has.

    Nothing of the settings can be read from the name: it is a keyed hash.

    Args:
        tree: the declared services.

    Returns:
        32 hexadecimal characters, or None if this system does not show which processes belong together.
    """
    key = _server_key()
    if key is None:
        return None
    return hmac.new(key, _project(tree).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def _server_key() -> bytes | None:
    """Return secret random bytes that the server's processes share.

    Workers are forked from the program that the server was started as (gunicorn, uWSGI, Apache), or are started by
    multiprocessing (uvicorn, hypercorn, granian). Any other process is a server of its own.
    """
    if os.name != "posix":
        return None
    parent, current = multiprocessing.parent_process(), multiprocessing.current_process()
    if parent is not None and parent.pid == os.getppid():
        # The authentication key is 32 random bytes of the main process, which all its children inherit.
        return b"\0".join([bytes(current.authkey), str(parent.pid).encode(), str(start_time(os.getppid())).encode()])
    random_bytes = _random_bytes_of_program()
    if random_bytes is None or parent is None:
        return random_bytes
    # A server that itself runs inside a child process of multiprocessing, and has forked its workers there.
    return b"\0".join([random_bytes, bytes(current.authkey), current.name.encode()])


def _random_bytes_of_program() -> bytes | None:
    """Return the 16 random bytes that the kernel gives a program when it is executed.

    A fork keeps them, another execution gets new ones. They need no rights, and no /proc.
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
    """Return the process that starts this server's workers, as far as it can be told: its number and its start time.

    It is the parent of this process, unless that is known to be another program: a shell, for example.
    """
    pid = os.getppid()
    started = start_time(pid)
    if pid <= 1 or started is None:
        return None
    is_worker = multiprocessing.parent_process() is not None
    own, other = _stack(os.getpid()), _stack(pid)
    # The address of the stack is random for each execution, and "0" where this process may not know it.
    return (pid, started) if is_worker or other in ("0", own) else None


def _stack(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[25]
    except (OSError, IndexError):
        return ""


def _project(tree: Tree) -> str:
    """Describe the project and its declaration.

    Two sites under one server have the same user and may have the same services, but not all of these.
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
            # With mod_wsgi, several groups of processes may serve the same code with another environment.
            getattr(sys.modules.get("mod_wsgi"), "process_group", None),
            services,
            _default_database(),
        ]
    )


def _default_database() -> list[str]:
    """Return what tells the default database from others, and stays the same while a process runs.

    Django fills in the other keys when a connection is first used, and projects add aliases at run time.
    """
    databases = getattr(settings, "DATABASES", None)
    default = databases.get("default") if isinstance(databases, Mapping) else None
    return [str(default.get(key) or "") for key in ("NAME", "HOST", "PORT", "USER")] if default else []
