"""The options of the subcommand ``check``."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Self

from healthguard.management import arguments
from healthguard.management.errors import UsageError

FORMATS = ("text", "json", "github", "junit")

SUMMARY = "run the checks once, and report what they find"
DESCRIPTION = """\
Run the checks in this process, or request the report of a running instance, and
show what they find."""
EPILOG = """\
examples:
  before a deployment: everything, with the environment of this process
    manage.py healthguard check
  in a pipeline that applies the migrations later
    manage.py healthguard check --allow migrations_pending
  as an init container: wait until the database accepts connections
    manage.py healthguard check database --wait 60
  without a network and a database, as in an image build
    manage.py healthguard check --offline
  a running instance, with a token from HEALTHGUARD_TOKEN
    manage.py healthguard check --url https://example.com/api/health

exit codes:
  0  healthy or degraded (with --strict only healthy)
  1  unhealthy or unknown
  2  wrong usage, or an invalid declaration in the settings
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    arguments.add_selection(parser, "check")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        type=arguments.code,
        metavar="CODE",
        help="count a problem with this code as degraded; repeatable",
    )
    parser.add_argument("--strict", action="store_true", help="fail if a service is degraded")
    parser.add_argument("--offline", action="store_true", help="check what needs neither a network nor a database")
    parser.add_argument(
        "--deadline",
        type=arguments.seconds,
        metavar="SECONDS",
        help="the longest time to wait for the checks (default: the timeouts of the services)",
    )
    parser.add_argument(
        "--wait", type=arguments.seconds, metavar="SECONDS", help="repeat until healthy, for at most this time"
    )
    parser.add_argument(
        "--wait-for-config",
        action="store_true",
        help="with --wait, also wait while a configuration is wrong",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="the format of the report (default: text)")
    parser.add_argument("--url", help="request the report from a running instance instead")
    parser.add_argument("--ca-file", metavar="PATH", help="with --url, trust the certificates in this PEM file")
    parser.add_argument(
        "--token-env",
        type=arguments.variable,
        default="HEALTHGUARD_TOKEN",
        metavar="NAME",
        help="with --url, the environment variable that contains the token (default: HEALTHGUARD_TOKEN)",
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """The options of one call; see :func:`add_arguments` for their meaning."""

    services: tuple[str, ...]
    exclude: tuple[str, ...]
    allow: tuple[str, ...]
    strict: bool
    offline: bool
    deadline: float | None
    wait: float | None
    wait_for_config: bool
    format: str
    url: str | None
    ca_file: str | None
    token_env: str

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """Return the options that the parser has found.

        Raises:
            UsageError: they contradict each other.
        """
        values = {field.name: options[field.name] for field in dataclasses.fields(cls)}
        values |= {name: tuple(values[name]) for name in ("services", "exclude", "allow")}
        parsed = cls(**values)
        if parsed.url is not None and parsed.offline:
            raise UsageError("--offline cannot be used with --url.")
        if parsed.url is None and parsed.ca_file is not None:
            raise UsageError("--ca-file is used only with --url.")
        if parsed.wait is None and parsed.wait_for_config:
            raise UsageError("--wait-for-config is used only with --wait.")
        return parsed
