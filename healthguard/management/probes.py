"""The subcommand ``probes``, which prints the probes that fit the declaration."""

from __future__ import annotations

import argparse
import dataclasses
import re
from typing import Any, Self

from healthguard.conf import settings
from healthguard.http.mount import mounts
from healthguard.kubernetes.probe_template.plan import Part, Plan
from healthguard.kubernetes.probe_template.rendering import render_docker, render_json, render_yaml
from healthguard.management.console import Console
from healthguard.management.declaration import read_settings, selected_services
from healthguard.management.errors import UsageError

SUMMARY = "print the probes that fit the declaration"
DESCRIPTION = """\
Print the probes, the preStop hook and the grace period that fit the HEALTHGUARD
setting, for a manifest of Kubernetes or for a Dockerfile. Nothing is checked."""
EPILOG = """\
examples:
  the probes of a web container, with the reasons as comments
    manage.py healthguard probes
  of a worker, which serves no HTTP
    manage.py healthguard probes --part worker
  the HEALTHCHECK of a Dockerfile
    manage.py healthguard probes --format docker --port 8080

exit codes:
  0  the probes were printed
  2  wrong usage, or healthguard is not mounted in the URLconf
"""
SUCCEEDED = 0

_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_RENDERERS = {"yaml": render_yaml, "json": render_json, "docker": render_docker}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    parser.add_argument(
        "--port",
        type=port,
        default=8000,
        metavar="PORT",
        help="the number or name of the server's port (default: 8000)",
    )
    parser.add_argument(
        "--part",
        choices=[part.value for part in Part],
        default=Part.WEB.value,
        help="the part of the application (default: web)",
    )
    parser.add_argument("--format", choices=tuple(_RENDERERS), default="yaml", help="the output (default: yaml)")


def port(text: str) -> int | str:
    """Return the number or the name of a port.

    Raises:
        argparse.ArgumentTypeError: the text is neither.
    """
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    if len(text) <= 15 and _PORT_NAME.fullmatch(text):
        return text
    raise argparse.ArgumentTypeError("must be a number from 1 to 65535, or the name of a port like http")


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """The options of one call; see :func:`add_arguments` for their meaning."""

    port: int | str
    part: str
    format: str

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """Return the options that the parser has found.

        Raises:
            UsageError: they contradict each other.
        """
        parsed = cls(**{field.name: options[field.name] for field in dataclasses.fields(cls)})
        if parsed.format == "docker" and isinstance(parsed.port, str):
            raise UsageError("--format docker needs the number of the port: a Dockerfile has no names of ports.")
        return parsed


def run(options: dict[str, Any], console: Console) -> int:
    """Run the subcommand. Return its exit code.

    Raises:
        UsageError: the declaration cannot be read, or healthguard is not mounted.
    """
    parsed = Options.of(options)
    console.write(_RENDERERS[parsed.format](Part(parsed.part), _plan(parsed)))
    return SUCCEEDED


def _plan(options: Options) -> Plan:
    services = tuple(selected_services((), ()).services())
    mount_path = _mount_path()
    with read_settings():
        return Plan(
            mount_path=mount_path,
            port=options.port,
            deadline=settings.deadline,
            longest_timeout=max((service.timeout for service in services), default=0.0),
            drain_file=settings.drain_file,
            never_ready=tuple("/".join(service.path) for service in services if service.ready == "never"),
        )


def _mount_path() -> str:
    """Return the first path at which healthguard is mounted.

    Raises:
        UsageError: there is none, or it depends on the request.
    """
    found = mounts()
    if found.problem is not None:
        raise UsageError(f"{found.problem.message} {found.problem.hint}")
    static = next((mount.prefix for mount in found.mounts if mount.is_static and not mount.is_view), None)
    if static is not None:
        return static
    if found.mounts:
        raise UsageError(
            "healthguard is mounted only at paths that depend on the request. Add a path like "
            "path('api/health', include('healthguard.urls')) to ROOT_URLCONF, or set MOUNT."
        )
    raise UsageError(
        "healthguard is not mounted. Add path('api/health', include('healthguard.urls')) to ROOT_URLCONF, or set MOUNT."
    )
