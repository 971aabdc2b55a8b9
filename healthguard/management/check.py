"""The subcommand ``check``: the checks run once, or until the services are healthy, and their report is written."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from healthguard.formats import github, junit
from healthguard.formats import json as json_format
from healthguard.formats import text as text_format
from healthguard.http.mount import mounts
from healthguard.management.check_options import Options
from healthguard.management.console import Console
from healthguard.management.declaration import NOTHING, read_settings, selected_services
from healthguard.management.errors import INVALID, UsageError
from healthguard.management.progress import Progress
from healthguard.management.remote import DEFAULT_LIMIT, Remote, select_reports
from healthguard.probes.once import report_once
from healthguard.probes.tolerance import Tolerance
from healthguard.runtime.workflow_commands import JobSummaryError, append_to_job_summary
from healthguard.service.selection import LeftOut, offline
from healthguard.status import Code, Fault, Report

HEALTHY, FAILED = 0, 1
"""The exit codes: healthy or degraded; unhealthy or unknown."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0
"""The times between two attempts (seconds). Each is twice as long as the one before."""
_SHORTEST_LIMIT = 1.0
"""The shortest time for the last attempt, when the time of --wait is over (seconds)."""

_Look: TypeAlias = Callable[[float | None], Report]
"""A function that returns a report, given the deadline (seconds)."""


class Check:
    """One call of the subcommand.

    Args:
        options: its options.
        progress: shows what it waits for.
        may_be_inline: False to ignore INLINE.

    Raises:
        UsageError: the options are wrong.
    """

    def __init__(self, options: Options, progress: Progress, *, may_be_inline: bool = True) -> None:
        self._options = options
        self._may_be_inline = may_be_inline
        self._progress = progress
        self._tolerance = Tolerance(options.allow, options.strict)
        self.notes = [*_unknown_codes(options.allow)]
        """Notes for the user, to show before the checks run."""
        self.left_out: tuple[LeftOut, ...] = ()
        """The checks that are left out, because they need a network or a database."""
        self._look = self._local() if options.url is None else self._remote(options.url)

    def report(self) -> Report:
        """Return the report, after all repetitions.

        Raises:
            UsageError: a running instance does not have one of the services.
        """
        try:
            if self._options.wait is None:
                return self._look(self._options.deadline)
            return self._last_report(self._options.wait)
        finally:
            self._progress.clear()

    def rendered(self, report: Report, style: text_format.Style) -> str:
        """Return the report in the requested format."""
        match self._options.format:
            case "json":
                has_details = any(service.checks for service in report.services())
                detail = json_format.Detail.FULL if has_details else json_format.Detail.SERVICES
                return json_format.render(report, detail).decode()
            case "junit":
                return junit.render(report, self.left_out, tolerance=self._tolerance)
            case "github":
                text = text_format.render(report, style, self.left_out)
                return github.render(report, text, tolerance=self._tolerance)
        return text_format.render(report, style, self.left_out)

    def exit_code(self, report: Report) -> int:
        """Return the exit code that the report requires."""
        if has_invalid_declaration(report):
            return INVALID
        return FAILED if self._tolerance.rejects(report) else HEALTHY

    def _local(self) -> _Look:
        """Return the function that runs the checks in this process."""
        tree = selected_services(self._options.services, self._options.exclude)
        if self._options.offline:
            tree, self.left_out = offline(tree)

        def look(deadline: float | None) -> Report:
            with read_settings():
                report = report_once(
                    tree,
                    deadline=deadline,
                    broken=mounts().problem,
                    show_progress=self._progress.show_running,
                    is_inline=None if self._may_be_inline else False,
                )
            if not report.services():
                raise UsageError(_NOTHING_OFFLINE if self.left_out else NOTHING)
            return self._tolerance.applied_to(report)

        return look

    def _remote(self, url: str) -> _Look:
        """Return the function that requests the report of a running instance."""
        remote = Remote.of(url, self._options.token_env, self._options.ca_file)

        def look(deadline: float | None) -> Report:
            report = remote.report(DEFAULT_LIMIT if deadline is None else deadline)
            report = select_reports(report, self._options.services, self._options.exclude)
            return self._tolerance.applied_to(report)

        return look

    def _last_report(self, wait: float) -> Report:
        """Return the first report with which waiting ends, or the last one if the time is over."""
        ends = time.monotonic() + wait
        pauses = _pauses()
        while True:
            limit = max(ends - time.monotonic(), _SHORTEST_LIMIT)
            deadline = self._options.deadline
            report = self._look(limit if deadline is None else min(deadline, limit))
            left = ends - time.monotonic()
            if self.exit_code(report) != FAILED or left <= 0 or not self._may_recover(report):
                return report
            self._progress.show_reason(_reason(report), wait)
            time.sleep(min(next(pauses), left))

    def _may_recover(self, report: Report) -> bool:
        """Return False if a configuration is wrong: somebody must change it, so waiting does not help."""
        if self._options.wait_for_config:
            return True
        return not any(
            result.problem is not None
            and result.problem.fault is Fault.CONFIG
            and not result.is_not_run
            and self._tolerance.is_failure(service.counted(result), result.problem.code)
            for service in report.services()
            for result in service.checks
        )


def has_invalid_declaration(report: Report) -> bool:
    """Return True if a part of the declaration is invalid."""
    return any(
        problem.code == Code.INVALID_DECLARATION for service in report.services() for problem in service.problems
    )


def run(options: dict[str, Any], console: Console) -> int:
    """Run the subcommand. Return its exit code.

    Raises:
        UsageError: the options are wrong.
    """
    check = Check(Options.of(options), console.progress(), may_be_inline=console.may_be_inline)
    for note in check.notes:
        console.write_note(note)
    report = check.report()
    console.write(check.rendered(report, console.style))
    if options["format"] == "github":
        write_job_summary(report)
    return check.exit_code(report)


def write_job_summary(report: Report) -> None:
    """Append the report to the summary of the job, if GitHub Actions runs this process.

    Raises:
        UsageError: the file of the summary cannot be written.
    """
    try:
        append_to_job_summary(lambda: github.render_summary(report))
    except JobSummaryError as error:
        raise UsageError(str(error)) from None


_NOTHING_OFFLINE = "There is nothing to check: all checks of these services need a network or a database."


def _unknown_codes(codes: Iterable[str]) -> Iterator[str]:
    """Yield a note for each code that is probably a mistake. Checks of other packages have codes of their own."""
    for code in codes:
        near = difflib.get_close_matches(code, list(Code), 1, 0.8)
        if near and code not in set(Code):
            yield f"healthguard has no problem code {code!r}. Did you mean {str(near[0])!r}?"


def _reason(report: Report) -> str:
    """Return the first problem that makes the report fail."""
    for service in sorted(report.services(), key=lambda service: -service.weight.severity):
        for problem in service.problems:
            return f"{service.name}: {problem.message}"
    return f"the status is {report.status}"


def _pauses() -> Iterator[float]:
    pause = _SHORTEST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE)
