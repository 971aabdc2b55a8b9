"""The command ``python -m healthguard.kubernetes PATH...``, which needs neither Django nor the settings."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from healthguard.kubernetes import options as options_module
from healthguard.kubernetes.options import Options
from healthguard.runtime.streams import CLOSED, INTERRUPTED, discard, discard_output, terminate

if TYPE_CHECKING:
    from healthguard.requirements.requirement import Requirements

PROGRAM = "python -m healthguard.kubernetes"
UNUSABLE = 2
"""The exit code of wrong usage."""
_WIDTH = 79
_EPILOG = f"""\
examples:
  all manifests of a folder, with the requirements of the declaration
    {PROGRAM} \\
      --requirements healthguard-requirements.json deploy/
  an overlay of kustomize, with a variable that is named by hand
    {PROGRAM} --require DATABASE_URL overlays/production
  what Helm renders
    helm template shop ./chart | {PROGRAM} \\
      --requirements healthguard-requirements.json -
  in GitHub Actions, with annotations
    {PROGRAM} --format github --strict \\
      --requirements healthguard-requirements.json deploy/

{options_module.EXIT_CODES}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code. A mistake of the user, Ctrl-C and a closed pipe show no traceback."""
    _prepare_streams()
    try:
        return _run(_parse(arguments))
    except BrokenPipeError:
        discard_output()
        return CLOSED
    except KeyboardInterrupt:
        discard_output()
        return INTERRUPTED


def _run(options: Options) -> int:
    # Imported only here, so that the help and a wrong option are shown at once.
    from healthguard.kubernetes import command
    from healthguard.runtime.terminal import PLAIN, terminal_of

    try:
        stdin = None if sys.stdin is None else sys.stdin.buffer
        examination = command.examine_inputs(options, _requirements(options), stdin)
        terminal = PLAIN if sys.stdout is None else terminal_of(sys.stdout)
        _write(command.render(examination, options.format, terminal))
        if options.format == "github":
            command.write_job_summary(examination)
    except command.CommandError as error:
        return _fail(str(error))
    return examination.exit_code


def _requirements(options: Options) -> Requirements:
    """Return the requirements in the file of the options; those of ``--require`` are added later."""
    from healthguard.kubernetes.command import read_requirements
    from healthguard.requirements.requirement import Requirements

    return Requirements(()) if options.requirements is None else read_requirements(options.requirements)


def _write(text: str) -> None:
    """Write to standard output.

    Raises:
        CommandError: it cannot be written, because a disk is full for example.
    """
    from healthguard.kubernetes.command import CommandError

    if sys.stdout is None:
        # The file descriptor was closed when Python started.
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard(sys.stdout)
        reason = error.strerror or type(error).__name__
        raise CommandError(f"The output cannot be written: {reason}. Check standard output.") from None


def _fail(text: str) -> int:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
    return UNUSABLE


class _Parser(argparse.ArgumentParser):
    """A parser whose errors do not contain arguments, which may be secrets."""

    def error(self, message: str) -> NoReturn:
        # argparse quotes the value that it rejects, except in the messages of the types of arguments.
        fact = re.sub(r"'[^']*'|\"[^\"]*\"", "…", message, count=1)
        if message.startswith("unrecognized arguments"):
            fact = "the command line has an unknown option"
        raise SystemExit(_fail(f"{fact[:1].upper()}{fact[1:]}. See: {PROGRAM} --help"))


def _parse(arguments: Sequence[str] | None) -> Options:
    parser = _Parser(
        prog=PROGRAM,
        description=options_module.DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=_WIDTH),
        allow_abbrev=False,
    )
    options_module.add_arguments(parser)
    options_module.add_requirements_argument(parser, "none; then --require or --container is needed")
    options = Options.of(vars(parser.parse_args(arguments)))
    if options.requirements is None and not options.require and not options.container:
        parser.error("one of --requirements, --require and --container is needed")
    return options


def _prepare_streams() -> None:
    """Let no character fail that a stream cannot encode."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    # So that temporary folders are removed.
    signal.signal(signal.SIGTERM, terminate)
    sys.exit(main())
