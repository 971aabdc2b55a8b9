"""The entry point: one exchange within the timeout, then the output and the exit code."""

from __future__ import annotations

import signal
import sys
import threading

from healthguard.probe.exchange import Response, Stage, get
from healthguard.probe.options import PROGRAM, Options, TokenError, parse_options
from healthguard.probe.output import line, lines, write
from healthguard.probe.target import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HEALTHY, UNHEALTHY, USAGE = 0, 1, 2
"""The exit codes. Docker reserves 2, so that only an invalid command line has it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    try:
        options = parse_options(arguments)
        return _probe(options, options.token())
    except UsageError as error:
        write(sys.stderr, line(f"{error} See: {PROGRAM} --help"))
        return USAGE
    except TokenError as error:
        write(sys.stderr, line(str(error)))
        return UNHEALTHY
    except Exception as error:
        # Only the class, because a traceback could contain the token.
        hint = "Check the memory and process limits of the container; if they are not reached, report a bug."
        write(sys.stderr, line(f"The probe raised {type(error).__name__}. {hint}"))
        return UNHEALTHY


class _Exchange(threading.Thread):
    """One exchange on a thread of its own.

    The main thread stops waiting at the timeout, whatever the exchange does: resolving a name, for example, cannot be
    interrupted, and a server that sends a byte now and then never lets the timeout of a socket expire.
    """

    def __init__(self, options: Options, token: str) -> None:
        super().__init__(daemon=True)
        self.stage = Stage.CONNECTION
        self.outcome: Response | Exception | None = None
        self._options = options
        self._token = token

    def run(self) -> None:
        try:
            self.outcome = get(self._options.target, self._token, self._enter)
        except Exception as error:
            self.outcome = error

    def _enter(self, stage: Stage) -> None:
        self.stage = stage


def _probe(options: Options, token: str) -> int:
    exchange = _Exchange(options, token)
    exchange.start()
    exchange.join(options.timeout)
    outcome = exchange.outcome
    is_healthy = isinstance(outcome, Response) and outcome.status == 200
    if not is_healthy:
        # Before the body, because kubelet and Docker keep only the beginning of the output.
        write(sys.stderr, line(_explain(options, exchange.stage, outcome), token))
    if options.verbose and isinstance(outcome, Response):
        write(sys.stdout, lines(outcome.body, token))
    return HEALTHY if is_healthy else UNHEALTHY


def _explain(options: Options, stage: Stage, outcome: Response | Exception | None) -> str:
    # Imported only after a failure.
    from healthguard.probe.explanation import explain_error, explain_response, explain_timeout

    if isinstance(outcome, Response):
        return explain_response(options.target, outcome)
    if outcome is None:
        return explain_timeout(options.target, stage, options.timeout)
    return explain_error(options.target, stage, outcome)


def _end_at_interrupt() -> None:
    """Let Ctrl-C end the process at once, which a shell reports as 130.

    Python handles a signal only when the main thread continues, and then shows a traceback.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    _end_at_interrupt()
    sys.exit(main())
