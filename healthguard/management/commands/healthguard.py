"""``manage.py healthguard``: the checks of the HEALTHGUARD setting on the command line."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import signal
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser, DjangoHelpFormatter, OutputWrapper

from healthguard.formats.text import style_of
from healthguard.management import (
    check,
    check_options,
    drain,
    drill,
    history,
    manifests,
    monitor,
    monitor_options,
    probes,
    requirements,
    undrain,
)
from healthguard.management.console import Console
from healthguard.management.hidden_arguments import without_secrets
from healthguard.runtime.streams import CLOSED, INTERRUPTED, discard_output, terminate
from healthguard.secret_values.showable import is_showable

_SUBCOMMANDS: dict[str, tuple[types.ModuleType, Callable[[dict[str, Any], Console], int]]] = {
    "check": (check_options, check.run),
    "drain": (drain, drain.run),
    "drill": (drill, drill.run),
    "history": (history, history.run),
    "manifests": (manifests, manifests.run),
    "monitor": (monitor_options, monitor.run),
    "probes": (probes, probes.run),
    "requirements": (requirements, requirements.run),
    "undrain": (undrain, undrain.run),
}
"""The subcommands: the module with the texts and the arguments, and the function that returns the exit code."""


_WORD = re.compile(r"[^\s'\"]+")


class _Parser(CommandParser):
    """The parser of the command and of each subcommand.

    Its errors do not contain URLs and unknown values in the arguments, which may be secrets.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:  # type: ignore[override]
        """Return the parsed arguments. Unknown ones are an error here, so that it is this parser that reports them."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(map(_shown_argument, unknown))}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Report an error.

        Raises:
            CommandError: the command was called from code.
            SystemExit: it was called on the command line.
        """
        # It never returns, but its type does not say so.
        raise super().error(_WORD.sub(lambda word: "…" if "://" in word[0] else word[0], message))


def _shown_argument(argument: str) -> str:
    """Return the name of an unknown option, or an unknown value if it is a plain name."""
    name = argument.partition("=")[0]
    return name if is_showable(name.lstrip("-")) else "…"


class _HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The format of the help: the line breaks of the examples stay as they are."""


class Command(BaseCommand):
    """The command. It reports errors of the declaration itself, so the system checks need not run before it."""

    help = "Check what the HEALTHGUARD setting declares."
    requires_system_checks = ()
    _may_be_inline = True

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser. Django offers no other way to choose its class."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.__class__ = _Parser
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the subcommands and their arguments."""
        subcommands = parser.add_subparsers(
            dest="subcommand", required=True, metavar="SUBCOMMAND", parser_class=_Parser
        )
        for name, (module, _) in _SUBCOMMANDS.items():
            subcommand = subcommands.add_parser(
                name,
                help=module.SUMMARY,
                description=module.DESCRIPTION,
                epilog=module.EPILOG,
                formatter_class=_HelpFormatter,
                # Otherwise "--token SECRET" would be read as "--token-env SECRET".
                allow_abbrev=False,
            )
            module.add_arguments(subcommand)
            self._add_common_arguments(subcommand)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command, and end the process with its exit code. Ctrl-C and a closed output leave no traceback."""
        argv = without_secrets(argv)
        # A process of its own has no transaction of a test.
        self._may_be_inline = False
        self._open_streams()
        _handle_sigterm()
        code = 0
        try:
            super().run_from_argv(argv)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        except KeyboardInterrupt:
            code = INTERRUPTED
            discard_output()
        except BrokenPipeError:
            code = CLOSED
            discard_output()
        _end(code)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the subcommand.

        Raises:
            UsageError: the arguments are wrong.
            SystemExit: the report requires another exit code than 0.
        """
        is_colored = True if options["force_color"] else False if options["no_color"] else None
        style = style_of(self.stdout, is_colored=is_colored, verbosity=options["verbosity"])
        console = Console(self.stdout, self.stderr, style, may_be_inline=self._may_be_inline)
        _, run = _SUBCOMMANDS[options["subcommand"]]
        if code := run(options, console):
            raise SystemExit(code)

    def _open_streams(self) -> None:
        """Let a closed stream lead nowhere, and let no character fail that the stream cannot encode."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None:
                setattr(self, name, OutputWrapper(open(os.devnull, "w")))  # noqa: SIM115 - open until the process ends
            elif isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")

    def _add_common_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Accept the options of all commands after the subcommand too, where people write them."""
        for name, arguments in (
            ("--settings", {}),
            ("--pythonpath", {}),
            ("--traceback", {"action": "store_true"}),
            ("--no-color", {"action": "store_true"}),
            ("--force-color", {"action": "store_true"}),
            ("--skip-checks", {"action": "store_true"}),
        ):
            parser.add_argument(name, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **arguments)  # type: ignore[arg-type]
        parser.add_argument(
            "-v",
            "--verbosity",
            type=int,
            choices=range(4),
            default=argparse.SUPPRESS,
            help="0 shows only problems, 2 also the evidence",
        )


def _handle_sigterm() -> None:
    """End the process on SIGTERM. As process 1 of a container it would ignore the signal without a handler."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, terminate)


def _end(code: int) -> None:
    """End the process with an exit code, without waiting for the threads that a check has left behind."""
    if threading.active_count() > 1:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        # The interpreter would wait for them, even if they hang: for those of a ThreadPoolExecutor even if they are
        # daemons.
        os._exit(code)
    if code:
        raise SystemExit(code)
