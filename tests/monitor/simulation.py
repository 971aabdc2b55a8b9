"""A monitor in simulated time: its clock, its instances, and a receiver of its messages that fails at times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from example_project.webhook_receiver import WebhookReceiver
from healthguard.monitor.channels import Routing
from healthguard.monitor.history import Change
from healthguard.monitor.instances import Instances
from healthguard.monitor.journal import TextJournal
from healthguard.monitor.monitor import Clock, Monitor, Setup
from healthguard.monitor.observation import Found, Observation, Sighting
from healthguard.monitor.outbox import Message
from healthguard.monitor.policy import Policy
from healthguard.monitor.sender import Sender
from healthguard.monitor.storage import StateFile
from healthguard.status import Fault, Status

INTERVAL = 60.0
BEGIN = 1_780_000_000.0
"""The time of the first round (seconds since the epoch)."""
_MESSAGE = re.compile(r"^Message ([0-9a-f]{12})$", re.MULTILINE)

POLICY = Policy()
HEALTHY = Observation("service", Status.HEALTHY)


def failing(fault: Fault = Fault.OUTAGE, service: str = "service", *, is_critical: bool = True) -> Observation:
    """Return the observation of a service that is down."""
    problem = Found("plug_out", fault, "The plug is out.", "Put it in.")
    status = Status.UNHEALTHY if is_critical else Status.DEGRADED
    return Observation(service, status, is_failing=True, is_critical=is_critical, problems=(problem,))


def degraded(fault: Fault = Fault.OUTAGE) -> Observation:
    """Return the observation of a service that still works, although a dependency has a problem."""
    return Observation("service", Status.DEGRADED, problems=(Found("slow", fault, "It is slow.", "Wait."),))


def sighting(*observations: Observation) -> Sighting:
    """Return the sighting of an instance with these services."""
    is_good = all(item.status.is_serving for item in observations)
    return Sighting(observations, is_complete=True, is_good=is_good)


class SimulatedClock(Clock):
    """A clock that advances only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = BEGIN

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    @property
    def round(self) -> int:
        """The number of the round at this time."""
        return round((self.time - BEGIN) / INTERVAL)


class Record:
    """A delivery that records the messages, and delivers all of them."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def deliver(self, messages: Sequence[Message], urls: Mapping[str, str]) -> list[str]:
        """Record the messages."""
        self.messages += messages
        return [""] * len(messages)

    @property
    def titles(self) -> list[str]:
        """The titles without the name of the program."""
        return [message.title.removeprefix("healthguard: ") for message in self.messages]


class Crash(BaseException):
    """The end of the process, as by ``kill -9``."""


class Watch:
    """A monitor of one instance ``web`` with scripted observations.

    Args:
        script: the observations of each round.
        state: the path of the state file.
        sender: the sender of the messages; a record of them by default.
        url: the URL of the receiver.
        policy: the policy.
        crash_step: a function that returns, for the number of a round, the number of the step of writing the state
            at which the process ends in this round. It ends once at most in each round.
    """

    def __init__(
        self,
        script: Sequence[Sequence[Observation]],
        state: Path,
        *,
        sender: Sender | None = None,
        url: str = "json://127.0.0.1:9/",
        policy: Policy = POLICY,
        crash_step: Callable[[int], int] | None = None,
    ) -> None:
        self.clock = SimulatedClock()
        self.record = Record()
        self.restarts = 0
        self.lines: list[str] = []
        self._script = script
        self._state = state
        self._sender = sender
        self._url = url
        self._policy = policy
        self._crash_step = crash_step
        self._step = 0
        self._crashed_round = -1
        self._monitor: Monitor | None = None
        self._file: StateFile | None = None

    def run(self) -> None:
        """Run one round for each entry of the script. Start again after each crash, and go on with the next round."""
        while self.clock.round < len(self._script):
            try:
                self._run_round()
            except Crash:
                self.restarts += 1
                self._end()
        self._end()

    @property
    def changes(self) -> tuple[Change, ...]:
        """The record of changes in the state file."""
        file = StateFile(self._state)
        try:
            return file.load()[0].changes
        finally:
            file.release()

    def _run_round(self) -> None:
        self._step = 0
        monitor = self._running()
        begin = BEGIN + self.clock.round * INTERVAL
        self.clock.time = begin
        if monitor.state.checked_at != begin:
            monitor.round()
        monitor.deliver()
        while (pause := monitor.seconds_to_next_attempt) < begin + INTERVAL / 2 - self.clock.time:
            self.clock.sleep(pause)
            monitor.deliver()
        self.clock.time = begin + INTERVAL

    def _before_writing(self, step: str) -> None:
        number = self.clock.round
        if self._crash_step is not None and self._crashed_round != number and self._step == self._crash_step(number):
            self._crashed_round = number
            raise Crash
        self._step += 1

    def _running(self) -> Monitor:
        if self._monitor is None:
            self._file = StateFile(self._state, self._before_writing)
            self._monitor = Monitor(
                Setup(
                    Instances({"web": lambda: sighting(*self._script[self.clock.round])}, None),
                    self._policy,
                    Routing.of([self._url]),
                    self._file,
                    self._sender or self.record,
                    TextJournal(self.lines.append),
                    clock=self.clock,
                )
            )
        return self._monitor

    def _end(self) -> None:
        if self._file is not None:
            self._file.release()
        self._file = self._monitor = None


def distinct(receiver: WebhookReceiver) -> Iterator[tuple[str, str]]:
    """Yield the title and the body of each message without its id, once, in the order of the first deliveries."""
    seen = set()
    for message in receiver.messages:
        (identifier,) = _MESSAGE.findall(message["message"])
        if identifier not in seen:
            seen.add(identifier)
            yield message["title"], _MESSAGE.split(message["message"])[0]
