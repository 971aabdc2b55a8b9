"""The HTTP request that a probe sends, by ``httpGet`` or by a program in the container."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, unquote, urlsplit

from healthguard.kubernetes.environment.deferred import is_deferred_node
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import MapNode, Node, ScalarNode
from healthguard.kubernetes.rules.probes.commands import ProbeCommand, program_name
from healthguard.kubernetes.rules.probes.probe import Probe, integer
from healthguard.kubernetes.rules.probes.subjects import port_owners

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 - these are compared only
PROBE_NAMES = ("live", "ready", "startup")
"""The paths below the mount that are not services."""

_CLIENTS = re.compile(r"curl|wget|http|https|python[\d.]*")
_TIMEOUT_OPTIONS = {"curl": ("-m", "--max-time"), "wget": ("-T", "--timeout")}
_SIMPLE_MOUNT = re.compile(r"[\w./~:-]*")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class ProbeRequest:
    """A request.

    Args:
        probe: the probe that sends it.
        node: the value that contains the path.
        line: the line of the path, or of ``httpGet`` if it has no path.
        path: the path, without the query.
        query: the query.
        http_get: the content of ``httpGet``; None for a program.
        timeout: the time limit of the program (seconds); None if there is none, or if it is not known.
        is_own_program: True for ``python -m healthguard.probe``.
    """

    probe: Probe
    node: Node
    line: int
    path: str = dataclasses.field(repr=False)
    query: str = dataclasses.field(repr=False)
    http_get: MapNode | None
    timeout: float | None = None
    is_own_program: bool = False


@memoized
def request_of(probe: Probe) -> ProbeRequest | None:
    """Return the request that a probe sends to its container; None if it sends none, or another one."""
    if (http_get := probe.node.map_at("httpGet")) is not None:
        return _http_get_request(probe, http_get)
    command = ProbeCommand.of(probe.node)
    if command is None:
        return None
    requests = [request for words in command.programs() if (request := _program_request(probe, command, words))]
    return requests[0] if len(requests) == 1 else None


def _http_get_request(probe: Probe, http_get: MapNode) -> ProbeRequest | None:
    node = http_get.at("path")
    text = http_get.text_at("path")
    if text is None and isinstance(node, ScalarNode) and node.value is not None:
        return None
    if (node is not None and is_deferred_node(node)) or not _reaches(probe, http_get):
        return None
    url = _split(text or "/")
    if url is None:
        return None
    place, line = (http_get, probe.node.line_of("httpGet")) if node is None else (node, node.line)
    return ProbeRequest(probe, place, line, unquote(url.path), url.query, http_get)


def _reaches(probe: Probe, http_get: MapNode) -> bool:
    """Return False if the request arrives at another container of the pod, or outside the pod."""
    if http_get.text_at("host"):
        return False
    number = integer(http_get.at("port"))
    if number is None:
        return True
    owners = port_owners(probe.container.workload).get(number, ())
    return not owners or any(owner.node is probe.container.node for owner in owners)


def _program_request(probe: Probe, command: ProbeCommand, words: Sequence[str]) -> ProbeRequest | None:
    name = program_name(words[0])
    is_own = "healthguard.probe" in words
    if not is_own and (not _CLIENTS.fullmatch(name) or name.startswith("python")):
        return None
    urls = [url for word in words[1:] if (url := _local_url(word)) is not None]
    if len(urls) != 1:
        return None
    names = ("--timeout",) if is_own else _TIMEOUT_OPTIONS.get(name, ())
    timeout = _option(words, names)
    return ProbeRequest(
        probe,
        command.node,
        command.node.line,
        unquote(urls[0].path),
        urls[0].query,
        None,
        1.0 if is_own and timeout is None else timeout,
        is_own,
    )


def _local_url(word: str) -> SplitResult | None:
    """Return the URL in a word if it leads to the container itself."""
    if word.startswith("unix:"):
        _, separator, path = word.partition(":/")
        return _split(f"/{path.partition(':/')[2]}") if separator and ":/" in path else None
    if "://" not in word:
        return None
    url = _split(word)
    if url is None or url.scheme not in ("http", "https") or "$" in word:
        return None
    try:
        return url if (url.hostname or "") in LOOPBACK else None
    except ValueError:
        return None


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _option(words: Sequence[str], names: Sequence[str]) -> float | None:
    """Return the number that an option sets; None if it is not there, or not a number."""
    for index, word in enumerate(words):
        option, separator, value = word.partition("=")
        if option in names:
            return _number(value if separator else next(iter(words[index + 1 :]), ""))
        if any(len(name) == 2 and word.startswith(name) for name in names):
            return _number(word[2:])
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@functools.lru_cache(64)
def subpath(path: str, mounts: tuple[str, ...]) -> str | None:
    """Return the part of a path below the mount, without slashes at its ends; None if it leads to no mount.

    A part before the mount is accepted: the project may be served below it (SCRIPT_NAME).
    """
    bounded = f"/{path.strip('/')}/"
    for mount in mounts:
        pattern = ".+?".join(re.escape(part) for part in re.split(r"<[^>]*>", mount.strip("/")))
        if (match := re.search(f"/{pattern}/" if pattern else "/", bounded)) is not None:
            return bounded[match.end() :].strip("/")
    return None


@functools.lru_cache(8)
def has_known_mounts(mounts: tuple[str, ...]) -> bool:
    """Return True if there are mounts, and each of them can be compared with a path. At the root it cannot."""
    return bool(mounts) and all(
        mount.strip("/") and _SIMPLE_MOUNT.fullmatch(re.sub(r"<[^>]*>", "", mount)) for mount in mounts
    )
