"""The options of the check of manifests, which both of its commands have."""

from __future__ import annotations

import argparse
import dataclasses
import re
from typing import Any, Self

FORMATS = ("text", "json", "github", "sarif")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_CONTAINER = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")

DESCRIPTION = """\
Check Kubernetes manifests before they are applied: that the containers of the
application get the variables that it needs, with usable values, and probes
that fit. Nothing is sent anywhere, and no cluster is needed.
"""
EXIT_CODES = """\
exit codes:
  0  no errors (with --strict, no warnings either)
  1  errors, or no container was chosen, so that nothing was checked
  2  an input that cannot be read, wrong usage, or an invalid file of
     requirements
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that both commands have."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a file, a folder, or - for standard input; a kustomization is rendered",
    )
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        type=_variable,
        metavar="NAME",
        help="require this environment variable too; repeatable",
    )
    parser.add_argument(
        "--container",
        action="append",
        default=[],
        type=_container,
        metavar="NAME",
        help="check the containers with this name, and not those that get a required variable; repeatable",
    )
    parser.add_argument("--strict", action="store_true", help="fail if there are warnings")
    parser.add_argument(
        "--strict-unknown",
        action="store_true",
        help="list what depends on objects outside the inputs; with --strict, fail because of it",
    )
    parser.add_argument("--advice", action="store_true", help="list advice too; it never fails")
    parser.add_argument("--format", choices=FORMATS, default="text", help="the format of the output (default: text)")


def add_requirements_argument(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the argument that names a file of requirements. The help states what is used without it: ``default``."""
    parser.add_argument(
        "--requirements",
        metavar="FILE",
        help=f'the file that "manage.py healthguard requirements" has written (default: {default})',
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """The options of one call; see :func:`add_arguments` for their meaning."""

    paths: tuple[str, ...]
    requirements: str | None
    require: tuple[str, ...]
    container: tuple[str, ...]
    strict: bool
    strict_unknown: bool
    advice: bool
    format: str

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """Return the options that the parser has found."""
        values = {field.name: options[field.name] for field in dataclasses.fields(cls)}
        values |= {name: tuple(values[name]) for name in ("paths", "require", "container")}
        return cls(**values)


def _variable(text: str) -> str:
    """Return the name of a variable. An error does not contain the text, which may be a value."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("must be the name of an environment variable, without its value")
    return text


def _container(text: str) -> str:
    if not _CONTAINER.fullmatch(text):
        raise argparse.ArgumentTypeError("must be the name of a container: lower-case letters, digits and dashes")
    return text
