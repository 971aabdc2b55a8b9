"""The options of the subcommand ``monitor``."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import socket
from pathlib import Path
from typing import Any, Self

from healthguard.conf import settings
from healthguard.conf.monitor import monitor_errors
from healthguard.management import arguments
from healthguard.management.errors import UsageError
from healthguard.monitor.heartbeat import Heartbeat, HeartbeatStyle
from healthguard.monitor.policy import Policy
from healthguard.secret_values.embedded import url_flaw
from healthguard.secret_values.showable import shown_name

FORMATS = ("text", "json")

SUMMARY = "check again and again, and send a message when something changes"
DESCRIPTION = """\
Run the checks every minute in this process, or request the reports of running
instances, and send a message when the status of a service changes."""
EPILOG = """\
examples:
  the declaration, with messages to Slack; the URL is in the variable SLACK
    manage.py healthguard monitor --notify SLACK --state /state/monitor.json
  two running instances, with a token from HEALTHGUARD_TOKEN
    manage.py healthguard monitor --url https://a.example/api/health
        --url https://b.example/api/health --notify SLACK
  send a test message
    manage.py healthguard monitor --notify SLACK --test-notify
  one round, as in a CronJob of Kubernetes
    manage.py healthguard monitor --once --state /state/monitor.json
  no messages about a service for two hours
    manage.py healthguard monitor --mute database --until 2h
        --state /state/monitor.json

exit codes:
  0  stopped by SIGTERM or Ctrl-C; with --once: healthy or degraded
  1  with --once: unhealthy or unknown; with --test-notify: not delivered
  2  wrong usage, an invalid declaration, or another monitor uses the state file
"""
_INTERVAL = 60.0
_POLICY = Policy()
_POD = re.compile(r"(-[0-9]{7,10}|-[bcdf-hj-np-tv-xz2456789]{5,10})?-[bcdf-hj-np-tv-xz2456789]{5}$")
"""The end of the name of a pod that belongs to a Deployment or a CronJob.

Its characters are those of https://pkg.go.dev/k8s.io/apimachinery/pkg/util/rand.
"""
_MONITORING = ("url", "notify", "notify_noncritical", "heartbeat", "once", "test_notify")
"""The options that start a monitor, also together with --mute."""
_URL_LIMIT = 10.0
"""The longest time that a round with --url takes by default (seconds)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    arguments.add_selection(parser, "monitor")
    what = parser.add_argument_group("what is monitored")
    what.add_argument(
        "--url", action="append", default=[], help="monitor a running instance instead of this process; repeatable"
    )
    what.add_argument(
        "--token-env",
        type=arguments.variable,
        default="HEALTHGUARD_TOKEN",
        metavar="NAME",
        help="with --url, the environment variable that contains the token (default: HEALTHGUARD_TOKEN)",
    )
    what.add_argument("--ca-file", metavar="PATH", help="with --url, trust the certificates in this PEM file")
    what.add_argument("--name", help="without --url, the name of this instance in messages (default: its host name)")
    when = parser.add_argument_group("when it is checked, and when messages are sent")
    when.add_argument(
        "--interval",
        type=arguments.duration,
        default=_INTERVAL,
        metavar="TIME",
        help="the time between two rounds, varied by a tenth (default: 60s)",
    )
    when.add_argument(
        "--deadline",
        type=arguments.duration,
        metavar="TIME",
        help="the longest time that a round may take (default: the timeouts of the services; 10s with --url)",
    )
    when.add_argument(
        "--after",
        type=arguments.positive,
        default=_POLICY.after,
        metavar="N",
        help="the failing rounds before a message (default: 2). A wrong configuration needs only one",
    )
    when.add_argument(
        "--after-degraded",
        type=arguments.positive,
        default=_POLICY.after_degraded,
        metavar="N",
        help="the same if a dependency makes a service only degraded (default: 5)",
    )
    when.add_argument(
        "--remind",
        type=arguments.duration,
        metavar="TIME",
        help="repeat the message about what still fails after this time (default: never)",
    )
    when.add_argument(
        "--mute",
        action="append",
        type=arguments.service,
        default=[],
        metavar="SERVICE",
        help="send no messages about a service or a group before --until; repeatable. Alone, it stores this and ends",
    )
    when.add_argument(
        "--until", type=arguments.moment, metavar="TIME", help="the end of --mute, like 18:00, 2026-11-27T18:00Z or 2h"
    )
    where = parser.add_argument_group("where messages are sent")
    where.add_argument(
        "--notify",
        action="append",
        default=[],
        metavar="URL",
        help="a URL of Apprise, or the name of an environment variable that contains some; repeatable",
    )
    where.add_argument(
        "--notify-noncritical",
        action="append",
        default=[],
        metavar="URL",
        help="the same for services with critical=False (default: those of --notify)",
    )
    where.add_argument("--test-notify", action="store_true", help="send a test message, and end")
    where.add_argument("--link", metavar="URL", help="a URL to show in each message, like that of a dashboard")
    where.add_argument(
        "--heartbeat",
        metavar="URL",
        help="a URL to request after each good round, or the name of an environment variable that contains it",
    )
    where.add_argument(
        "--heartbeat-style",
        choices=[style.value for style in HeartbeatStyle],
        default=HeartbeatStyle.PLAIN,
        help="healthchecks also requests URL/fail after a bad round (default: plain)",
    )
    parser.add_argument("--state", metavar="FILE", help="keep the state in this file, so that it survives a restart")
    parser.add_argument("--once", action="store_true", help="run one round, and end with the exit code of check")
    parser.add_argument("--format", choices=FORMATS, default="text", help="the format of the output (default: text)")


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """The options of one call; see :func:`add_arguments` for their meaning."""

    services: tuple[str, ...]
    exclude: tuple[str, ...]
    url: tuple[str, ...]
    token_env: str
    ca_file: str | None
    name: str
    interval: float
    deadline: float | None
    policy: Policy
    mutes: dict[str, float]
    only_mutes: bool
    notify: tuple[str, ...] = dataclasses.field(repr=False)
    notify_noncritical: tuple[str, ...] = dataclasses.field(repr=False)
    test_notify: bool
    link: str | None
    heartbeat: Heartbeat | None
    state: Path | None
    once: bool
    format: str

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """Return the options that the parser has found, completed by those of the setting.

        Raises:
            UsageError: they contradict each other, or a value is missing.
        """
        declared = settings.monitor
        _check_setting()
        state = declared.state if options["state"] is None else options["state"]
        is_stateless = options["once"] and state is None
        if bool(options["mute"]) != (options["until"] is not None):
            raise UsageError("--mute and --until are used together: --mute database --until 2h.")
        if options["ca_file"] is not None and not options["url"]:
            raise UsageError("--ca-file is used only with --url.")
        if options["name"] is not None and options["url"]:
            raise UsageError("--name is used only without --url: an instance with a URL is named by its URL.")
        deadline = options["deadline"]
        return cls(
            services=tuple(options["services"]),
            exclude=tuple(options["exclude"]),
            url=tuple(options["url"]),
            token_env=options["token_env"],
            ca_file=options["ca_file"],
            name=options["name"] or _instance_name(),
            interval=options["interval"],
            deadline=_URL_LIMIT if deadline is None and options["url"] else deadline,
            policy=Policy(
                # Without a state, a run has no earlier round to compare with.
                1 if is_stateless else options["after"],
                1 if is_stateless else options["after_degraded"],
                options["remind"],
            ),
            mutes=dict.fromkeys(options["mute"], options["until"]),
            only_mutes=bool(options["mute"]) and not any(options[name] for name in _MONITORING),
            notify=_urls(options["notify"], "--notify") or _declared(declared.notify, "NOTIFY"),
            notify_noncritical=_urls(options["notify_noncritical"], "--notify-noncritical")
            or _declared(declared.notify_noncritical, "NOTIFY_NONCRITICAL"),
            test_notify=options["test_notify"],
            link=options["link"],
            heartbeat=_heartbeat(options["heartbeat"], options["heartbeat_style"]),
            state=None if state is None else _state_path(state),
            once=options["once"],
            format=options["format"],
        )


def _instance_name() -> str:
    """Return the host name; in Kubernetes without its random parts, so that the next pod continues the same record."""
    host = socket.gethostname() or "localhost"
    return _POD.sub("", host) if "KUBERNETES_SERVICE_HOST" in os.environ else host


def _check_setting() -> None:
    """Raise an error if the setting of the monitor is invalid. Without its channels, no message would be sent.

    Raises:
        UsageError: it is invalid.
    """
    declared = settings.declared.get("MONITOR")
    for error in () if declared is None else monitor_errors(declared):
        if not error.is_warning:
            raise UsageError(f"{error.message} {error.hint}")


def _state_path(value: str) -> Path:
    if not value:
        raise UsageError("--state is empty. Set it to the path of a file.")
    path = Path(value)
    if not path.name or "\0" in value:
        raise UsageError(f"--state {value!r} is not the path of a file.")
    return path


def _urls(values: list[str], option: str) -> tuple[str, ...]:
    """Return the URLs in the values of an option, each a URL or the name of a variable."""
    urls = tuple(url for value in values for url in ([value] if "://" in value else _of_variable(value, option)))
    for url in urls:
        _refuse_flawed(url, f"A URL of {option}")
    return urls


def _refuse_flawed(url: str, subject: str) -> None:
    """Raise an error if a URL contains an unusable secret. The first message would otherwise be lost.

    Raises:
        UsageError: it does.
    """
    if (flaw := url_flaw(url, is_secret=True)) is not None:
        raise UsageError(f"{subject} {flaw.what}. {flaw.remedy}")


def _of_variable(name: str, option: str) -> list[str]:
    """Return the URLs in an environment variable.

    Raises:
        UsageError: it has no URL, or the name is not that of a variable.
    """
    try:
        arguments.variable(name)
    except argparse.ArgumentTypeError:
        raise UsageError(f"{option} must be a URL, or the name of an environment variable that contains one.") from None
    urls = os.environ.get(name, "").split()
    if not urls:
        state = "empty" if name in os.environ else "missing"
        raise UsageError(f"The environment variable {shown_name(name)} of {option} is {state}. Set it to a URL.")
    return urls


def _declared(urls: tuple[str, ...], key: str) -> tuple[str, ...]:
    if not all(url.strip() for url in urls):
        raise UsageError(
            f"HEALTHGUARD['MONITOR'][{key!r}] contains an empty URL. Set the environment variable that it comes from."
        )
    for position, url in enumerate(urls):
        _refuse_flawed(url, f"HEALTHGUARD['MONITOR'][{key!r}][{position}]")
    return urls


def _heartbeat(value: str | None, style: str) -> Heartbeat | None:
    if value is None:
        return None
    url = value if "://" in value else _of_variable(value, "--heartbeat")[0]
    _refuse_flawed(url, "The URL of --heartbeat")
    try:
        return Heartbeat(url, HeartbeatStyle(style))
    except ValueError:
        raise UsageError("--heartbeat must be an http or https URL.") from None
