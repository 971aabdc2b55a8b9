"""The subcommand ``monitor``: the checks run in rounds, and a message is sent when something changes."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from healthguard.http.mount import mounts
from healthguard.management.background_output import BackgroundOutput, write_at_once
from healthguard.management.check import FAILED, HEALTHY, has_invalid_declaration
from healthguard.management.console import Console
from healthguard.management.declaration import selected_services
from healthguard.management.errors import INVALID, UsageError
from healthguard.management.monitor_options import Options
from healthguard.management.remote import DEFAULT_LIMIT, Remote, select_reports
from healthguard.monitor.channels import Routing
from healthguard.monitor.instances import Instances, Look
from healthguard.monitor.journal import Journal, JsonJournal, TextJournal
from healthguard.monitor.monitor import Monitor, Setup, Storage
from healthguard.monitor.mutes import MutesFile
from healthguard.monitor.observation import Sighting, failed_sighting
from healthguard.monitor.sender import Sender, is_apprise_installed
from healthguard.monitor.state import StateError
from healthguard.monitor.storage import LockedError, MemoryStorage, StateFile, read_state
from healthguard.monitor.texts import test_message
from healthguard.probes.once import RepeatedReport
from healthguard.status import Code

_ATTEMPTS = 3
"""The number of attempts to deliver a message with --once."""


class _Stop(BaseException):
    """SIGTERM or SIGINT was received."""


def run(options: dict[str, Any], console: Console) -> int:
    """Run the subcommand. Return its exit code.

    Raises:
        UsageError: the options are wrong, or another monitor uses the state file.
    """
    stack = contextlib.ExitStack()
    try:
        with _stopped_by_signals():
            return _Command(Options.of(options), console, stack).run()
    except _Stop:
        return HEALTHY
    finally:
        stack.close()


class _Command:
    """One call of the subcommand.

    Args:
        options: its options.
        console: the output.
        stack: gets what must be released at the end.
    """

    def __init__(self, options: Options, console: Console, stack: contextlib.ExitStack) -> None:
        self._options = options
        self._console = console
        self._stack = stack
        self._sender = Sender()
        stack.callback(self._sender.close)
        self._routing = Routing.of(options.notify, options.notify_noncritical)
        self._journal = self._new_journal()
        self._has_invalid_declaration = False

    def run(self) -> int:
        """Run it; return its exit code."""
        self._check_channels()
        if self._options.test_notify:
            return self._test_channels()
        instances = self._instances()
        try:
            storage = self._storage()
            if storage is None:
                return HEALTHY
            monitor = Monitor(self._setup(instances, storage))
        except OSError as error:
            raise UsageError(f"The state file cannot be used: {error.strerror}. Set --state to another path.") from None
        if self._options.once:
            return self._once(monitor)
        self._announce(instances)
        monitor.run(self._options.interval)
        return HEALTHY

    def _setup(self, instances: Instances, storage: Storage) -> Setup:
        options = self._options
        return Setup(
            instances,
            options.policy,
            self._routing,
            storage,
            self._sender,
            self._journal,
            options.heartbeat,
            options.link,
        )

    def _once(self, monitor: Monitor) -> int:
        """Run one round; return the exit code of ``check``."""
        is_good = monitor.round()
        is_delivered = monitor.deliver()
        # With a state, the next run delivers it. Nothing is checked during a pause.
        for _ in range(1, _ATTEMPTS if self._options.state is None else 1):
            if is_delivered:
                break
            time.sleep(monitor.seconds_to_next_attempt)
            is_delivered = monitor.deliver()
        if self._has_invalid_declaration:
            return INVALID
        if not is_delivered and self._options.state is None:
            self._console.write_note("A message was not delivered, and is lost. Set --state to keep it.")
            return FAILED
        return HEALTHY if is_good else FAILED

    def _check_channels(self) -> None:
        """Raise an error if a channel cannot be used.

        Raises:
            UsageError: Apprise is not installed, or a URL is not valid.
        """
        channels = self._routing.channels
        if channels and not is_apprise_installed():
            raise UsageError("Messages need Apprise. Install it with: pip install 'django-healthguard[notify]'")
        if not channels and self._options.test_notify:
            raise UsageError("--test-notify needs a channel. Set --notify, or HEALTHGUARD['MONITOR']['NOTIFY'].")
        for name, reason in self._sender.flaws(channels).items():
            raise UsageError(
                f"Channel {name} cannot be used: {reason}. See the URLs at https://appriseit.com/services/."
            )

    def _test_channels(self) -> int:
        """Send a test message over each channel; return the exit code."""
        channels = self._routing.channels
        messages = [test_message(channel, self._options.name, time.time()) for channel in channels]
        reasons = self._sender.deliver(messages, {channel.name: channel.url for channel in channels})
        for channel, reason in zip(channels, reasons, strict=True):
            text = f"not delivered: {reason}" if reason else "delivered"
            self._console.write(f"Channel {channel.name}: {text}.\n")
        return FAILED if any(reasons) else HEALTHY

    def _storage(self) -> Storage | None:
        """Return the place of the state; None if a running monitor uses it, and only mutes had to be stored.

        Raises:
            UsageError: another monitor uses the file, or its folder does not exist.
            OSError: it cannot be used.
        """
        options, path = self._options, self._options.state
        if path is None:
            if options.mutes:
                raise UsageError("--mute needs --state: the mutes are stored beside the state file.")
            return MemoryStorage()
        if path.is_dir():
            raise UsageError(f"--state {path} is a directory. Set it to the path of a file in it.")
        if not path.parent.is_dir():
            raise UsageError(f"The folder of the state file does not exist: {path.parent}. Create it.")
        if options.mutes:
            self._mute(path)
        if options.only_mutes:
            self._console.write("Stored. The monitor that uses this state file sends no messages about it.\n")
            return None
        try:
            storage = StateFile(path)
        except LockedError:
            if options.mutes:
                self._console.write("The running monitor uses the mutes from its next round on.\n")
                return None
            raise UsageError(
                f"Another monitor uses the state file {path}. End it first, or set --state to another path."
            ) from None
        self._stack.callback(storage.release)
        return storage

    def _mute(self, path: Path) -> None:
        now = time.time()
        self._check_muted_names(path)
        if any(end <= now for end in self._options.mutes.values()):
            raise UsageError("--until is a time that has passed.")
        try:
            note = MutesFile(path).add(self._options.mutes, now)
        except LockedError:
            raise UsageError("Another process is changing the mutes. Run the command again.") from None
        if note:
            self._console.write_note(note)

    def _check_muted_names(self, path: Path) -> None:
        """Raise an error if a muted service is neither monitored nor declared.

        Raises:
            UsageError: a name is unknown.
        """
        try:
            monitored = {track.service for track in read_state(path).tracks}
        except (OSError, StateError):
            monitored = set()
        names = [
            name
            for name in self._options.mutes
            if not any(service == name or service.startswith(f"{name}/") for service in monitored)
        ]
        # Nothing is known about the services of instances that no round has seen yet.
        if names and (monitored or not self._options.url):
            selected_services(names, ())

    def _instances(self) -> Instances:
        options = self._options
        if not options.url:
            return Instances({options.name: self._local()}, None)
        remotes = [Remote.of(url, options.token_env, options.ca_file) for url in options.url]
        looks = {remote.target.shown: self._remote(remote) for remote in remotes}
        if len(looks) < len(remotes):
            raise UsageError(
                "Two --url name the same instance. Set each once. An instance is named by its URL without what may be "
                "secret, like a query."
            )
        return Instances(looks, options.deadline)

    def _local(self) -> Look:
        """Return the function that runs the checks in this process."""
        repeated = RepeatedReport(
            selected_services(self._options.services, self._options.exclude), self._options.deadline
        )

        def look() -> Sighting:
            report = repeated.report(mounts().problem)
            self._has_invalid_declaration = has_invalid_declaration(report)
            return Sighting.of(report)

        return look

    def _remote(self, remote: Remote) -> Look:
        """Return the function that requests the report of a running instance."""
        limit = self._options.deadline or DEFAULT_LIMIT

        def look() -> Sighting:
            try:
                report = select_reports(remote.report(limit), self._options.services, self._options.exclude)
            except UsageError as error:
                hint = "Check the names of the services that are selected, and the version of the instance."
                return failed_sighting(str(error), hint, Code.ENDPOINT_MISMATCH)
            return Sighting.of(report)

        return look

    def _new_journal(self) -> Journal:
        def report_dropped(count: int) -> None:
            text = f"{count} lines were dropped, because nobody read the output."
            journal.event(time.time(), "lines_dropped", text, count=count)

        write: Callable[[str], None] = functools.partial(write_at_once, self._console.stdout)
        if not self._options.once:
            output = BackgroundOutput(self._console.stdout, report_dropped)
            self._stack.callback(output.close)
            write = output.write
        journal: Journal = TextJournal(write, shows_rounds=self._console.style.verbosity > 1)
        if self._options.format == "json":
            journal = JsonJournal(write)
        return journal

    def _announce(self, instances: Instances) -> None:
        channels = self._routing.channels
        names = ", ".join(channel.name for channel in channels)
        text = f"The monitor has started: {', '.join(instances.names)}, every {self._options.interval:g} s."
        sent = f" Messages are sent over: {names}." if channels else " No messages are sent: set --notify."
        self._journal.event(
            time.time(),
            "started",
            text + sent,
            instances=list(instances.names),
            channels=[channel.name for channel in channels],
        )


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Raise :class:`_Stop` on SIGTERM and SIGINT. Handlers can be set only on the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, _stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)


def _stop(number: int, frame: types.FrameType | None) -> NoReturn:
    raise _Stop
