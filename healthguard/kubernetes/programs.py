"""The program that a container runs, as far as its image and its command show it."""

from __future__ import annotations

import functools
import re

from healthguard.kubernetes.environment.deferred import command_of
from healthguard.kubernetes.workloads import Container

_PROGRAM = re.compile(
    r"manage\.py|django-admin|python|gunicorn|uvicorn|hypercorn|daphne|granian|uwsgi|waitress|celery|dramatiq|huey|rqworker"
    r"|flower|\b(?:uv|poetry|pipenv|pdm|rye|hatch)\s+run\b|\.sh\b|\.py\b|\bmake\b|entrypoint",
    re.IGNORECASE,
)
_MANAGEMENT = re.compile(r"(?:manage\.py|django-admin)\s+([a-z_]+)")
_WITHOUT_SERVICES = frozenset(
    {"collectstatic", "compilemessages", "makemessages", "check", "help", "version", "diffsettings", "compress"}
)
"""Management commands that often run without a database and with a dummy secret key."""


def image_of(container: Container) -> str:
    """Return the repository of a container's image, without tag and digest; an empty string if it has none."""
    return _repository(container.node.text_at("image") or "")


@functools.lru_cache(maxsize=1024)
def _repository(image: str) -> str:
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def may_run_application(container: Container) -> bool:
    """Return True unless the command of a container shows another program than a Django application."""
    command = command_of(container)
    if commands := _MANAGEMENT.findall(command):
        return any(name not in _WITHOUT_SERVICES for name in commands)
    return not command or _PROGRAM.search(command) is not None


def builds_only(container: Container) -> bool:
    """Return True if a container ends by itself and only runs commands like collectstatic, with dummy values."""
    commands = _MANAGEMENT.findall(command_of(container)) if container.is_finite else []
    return bool(commands) and all(name in _WITHOUT_SERVICES for name in commands)


def runs_management_command(container: Container) -> bool:
    """Return True if a container runs a management command that needs the services of the application."""
    return any(name not in _WITHOUT_SERVICES for name in _MANAGEMENT.findall(command_of(container)))
