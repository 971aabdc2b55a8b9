"""The command line and the environment of the command."""

from __future__ import annotations

import argparse
import os
import re
import sys

from healthguard.probe.output import write
from healthguard.probe.target import Target, UsageError, parse_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

PROGRAM = "python -m healthguard.probe"
TOKEN_VARIABLE = "HEALTHGUARD_TOKEN"  # noqa: S105
MAX_TIMEOUT = 3600.0
"""The longest timeout (seconds)."""

_WIDTH = 79
_DESCRIPTION = """\
Request a health endpoint once. The exit code is 0 if the response has the
status code 200, and 1 in all other cases. It is 2 if the command line is
invalid. Redirects are not followed, and proxies are not used.
"""
_EXAMPLES = f"""\
the token:
  If the environment variable {TOKEN_VARIABLE} is set, it is sent as a bearer
  token. With a token of DETAILS_TOKENS, the response contains the reasons.

examples:
  {PROGRAM} http://127.0.0.1:8000/api/health/ready
  {PROGRAM} unix:/run/app.sock:/api/health/live
  {PROGRAM} --timeout 3 --verbose http://[::1]:8000/api/health
  {PROGRAM} --ca-file /etc/tls/ca.pem \\
      --host-header shop.example.com https://127.0.0.1:8443/api/health
"""


class TokenError(Exception):
    """The variable with the token is not usable."""


class Options:
    """The options of a command line.

    Args:
        target: the server and the request.
        timeout: the time limit of the exchange (seconds).
        token_variable: the variable that ``--token-env`` names, or None.
        verbose: True to print the body.
    """

    __slots__ = ("_is_token_required", "_token_variable", "target", "timeout", "verbose")

    def __init__(self, target: Target, timeout: float, token_variable: str | None, verbose: bool) -> None:
        self.target = target
        self.timeout = timeout
        self._token_variable = TOKEN_VARIABLE if token_variable is None else token_variable
        self._is_token_required = token_variable is not None
        self.verbose = verbose

    def token(self) -> str:
        """Return the bearer token; empty if none is to be sent.

        Raises:
            TokenError: the variable is not set although it is named, or its value cannot be sent.
        """
        token = os.environ.get(self._token_variable, "")
        if self._is_token_required and not token:
            raise TokenError("The variable that --token-env names is not set or empty. Set it to a token.")
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise TokenError(
                f"The token in {self._token_variable} contains a line break, a space or another "
                "character that cannot be sent. Remove it from the Secret; often it is a line break at the end."
            )
        return token


class _Parser(argparse.ArgumentParser):
    """A parser that raises exceptions. Their messages do not contain unknown arguments, which may be secrets."""

    def error(self, message: str) -> NoReturn:
        # argparse quotes the value that it rejects.
        fact = re.split("['\"]", message)[0].rstrip()
        raise UsageError(f"{fact[:1].upper()}{fact[1:]}.")

    def print_help(self, file: object = None) -> None:
        write(sys.stdout, self.format_help())


def parse_options(arguments: Sequence[str] | None) -> Options:
    """Return the options.

    Args:
        arguments: the command line; None for that of this process.

    Raises:
        UsageError: the command line is invalid.
        SystemExit: the command line contains ``--help``.
    """
    values, unknown = _parser().parse_known_args(arguments)
    if any(argument.startswith("--token") for argument in unknown):
        raise UsageError(
            f"--token is not an option. Set the variable {TOKEN_VARIABLE}: other users can see a command line."
        )
    if unknown:
        raise UsageError("The command line has an unknown option, or more than one URL.")
    target = parse_target(values.url, values.host_header, values.ca_file)
    return Options(target, values.timeout, values.token_env, values.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        # With a fixed width, argparse does not import the slow module that finds the width of the terminal.
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=_WIDTH),
        # Otherwise "--token SECRET" would be read as "--token-env SECRET".
        allow_abbrev=False,
    )
    parser.add_argument("url", metavar="URL", help="http://…, https://… or unix:SOCKET:/PATH")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the body of the response")
    parser.add_argument(
        "--timeout",
        type=_timeout,
        default=1.0,
        metavar="SECONDS",
        help="the time limit of the whole exchange (default: 1)",
    )
    parser.add_argument(
        "--host-header",
        metavar="HOST",
        help="the Host header, if it is not that of the URL; with https, the certificate must be valid for it",
    )
    parser.add_argument("--ca-file", metavar="PATH", help="trust these certificates (PEM), and not those of the system")
    parser.add_argument(
        "--token-env", metavar="NAME", help=f"the environment variable with the token (default: {TOKEN_VARIABLE})"
    )
    return parser


def _timeout(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_TIMEOUT:
        raise argparse.ArgumentTypeError(f"use a number of seconds above 0, at most {MAX_TIMEOUT:.0f}")
    return value
