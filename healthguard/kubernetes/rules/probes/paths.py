"""The rules for the paths that probes request."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.rules.probes.probe import ProbeKind, probes_of, shown_path
from healthguard.kubernetes.rules.probes.requests import (
    PROBE_NAMES,
    ProbeRequest,
    has_known_mounts,
    request_of,
    subpath,
)
from healthguard.kubernetes.rules.probes.subjects import serves_http
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule

_NAMES = {ProbeKind.STARTUP: "startup", ProbeKind.READINESS: "ready", ProbeKind.LIVENESS: "live"}
_SYNONYMS = {
    "liveness": "live",
    "livez": "live",
    "alive": "live",
    "lve": "live",
    "liv": "live",
    "readiness": "ready",
    "readyz": "ready",
    "redy": "ready",
    "raedy": "ready",
    "rady": "ready",
    "readdy": "ready",
    "reday": "ready",
    "readyness": "ready",
    "start": "startup",
    "started": "startup",
    "starup": "startup",
    "statup": "startup",
    "startupz": "startup",
    "start-up": "startup",
    "startp": "startup",
}
"""The names that people write instead of those of the probes. No service is usually called like this."""
_SIMILAR = 0.8


@container_rule("probe-path", Severity.WARNING, "A probe requests a path that is not healthguard's.")
def find_foreign_path(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each probe whose path leads to no mount, or to a name that healthguard does not have."""
    mounts = subject.requirements.mount_paths
    for request in _requests(subject):
        below = subpath(request.path, mounts)
        right = f"/{mounts[0].strip('/')}/{_NAMES[request.probe.kind]}".replace("//", "/")
        if below is None:
            yield _foreign(request, rule, right, mounts)
        elif (meant := _misspelled(below)) is not None:
            yield rule.finding(
                f"{request.probe.label} requests {shown_path(request.path)}. healthguard has no such path and "
                "responds with 404, so the probe always fails.",
                f"Request {_sibling(request, below, meant)}.",
                obj=request.probe.container.workload.object,
                node=request.node,
                line=request.line,
                container=request.probe.container.name,
                severity=Severity.ERROR,
            )


def _foreign(request: ProbeRequest, rule: Rule[ContainerSubject], right: str, mounts: tuple[str, ...]) -> Finding:
    is_typo = _is_similar_mount(request.path, mounts)
    consequence = "so it always fails" if is_typo else "so it does not check what the declaration requires"
    return rule.finding(
        f"{request.probe.label} requests {shown_path(request.path)}, where healthguard does not respond, "
        f"{consequence}.",
        f"Set the path to {right}.",
        obj=request.probe.container.workload.object,
        node=request.node,
        line=request.line,
        container=request.probe.container.name,
        severity=Severity.ERROR if is_typo else Severity.WARNING,
    )


def _is_similar_mount(path: str, mounts: tuple[str, ...]) -> bool:
    """Return True if only the mount is misspelled: the rest of the path is a name that only healthguard has there."""
    head, _, name = path.strip("/").rpartition("/")
    return name in PROBE_NAMES and any(
        difflib.SequenceMatcher(None, head.lower(), mount.strip("/").lower()).ratio() >= _SIMILAR for mount in mounts
    )


def _misspelled(below: str) -> str | None:
    """Return the probe that a path below the mount means although it does not exist; None if it may exist."""
    first, _, last = below.rpartition("/")
    if first:
        # The names of probes are reserved, so no service below a group has one.
        return last if last in PROBE_NAMES else None
    if last in PROBE_NAMES:
        return None
    return _SYNONYMS.get(last.lower()) or (last.lower() if last.lower() in PROBE_NAMES else None)


@container_rule(
    "probe-liveness-deep",
    Severity.WARNING,
    "A liveness probe depends on other systems, so that their outage restarts all pods.",
)
def find_deep_liveness(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding if the liveness probe requests something other than ``live``."""
    for request in _requests(subject, ProbeKind.LIVENESS):
        below = subpath(request.path, subject.requirements.mount_paths)
        if below is None or below == "live" or _misspelled(below) is not None:
            continue
        yield _path_finding(
            request,
            rule,
            f"{request.probe.label} requests {shown_path(request.path)}, which depends on databases and other systems. "
            "If one of them is down, the kubelet restarts the container in every pod, and a restart does not help.",
            f"Request {_sibling(request, below, 'live')}, which only shows that the process responds.",
        )


@container_rule(
    "probe-readiness-fleet",
    Severity.WARNING,
    "A readiness probe requests the status of everything, so that one outage takes out all pods at once.",
)
def find_fleet_readiness(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding if the readiness probe requests the mount itself."""
    for request in _requests(subject, ProbeKind.READINESS):
        if subpath(request.path, subject.requirements.mount_paths) == "":
            yield _path_finding(
                request,
                rule,
                f"{request.probe.label} requests {shown_path(request.path)}, the status of everything. All pods "
                "share the same database, so that one short outage takes all of them out of rotation at once.",
                f"Request {_sibling(request, '', 'ready')}, which keeps a pod out of rotation only until it has been "
                "ready once.",
            )


@container_rule(
    "probe-readiness-shallow", Severity.WARNING, "A readiness probe requests a path that does not check readiness."
)
def find_shallow_readiness(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding if the readiness probe requests ``live``, or ``startup`` although there is a DRAIN_FILE."""
    for request in _requests(subject, ProbeKind.READINESS):
        below = subpath(request.path, subject.requirements.mount_paths)
        ready = _sibling(request, below or "", "ready")
        if below == "live":
            yield _path_finding(
                request,
                rule,
                f"{request.probe.label} requests {shown_path(request.path)}, which checks nothing. A pod with a wrong "
                "configuration gets traffic.",
                f"Request {ready}.",
            )
        elif below == "startup" and subject.requirements.drain_file is not None:
            yield _path_finding(
                request,
                rule,
                f"{request.probe.label} requests {shown_path(request.path)}, which ignores DRAIN_FILE. A pod that is "
                "about to be stopped stays ready.",
                f"Request {ready}.",
            )


@container_rule(
    "probe-startup-deep", Severity.WARNING, "A startup probe fails because of services that need not be ready."
)
def find_deep_startup(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding if the startup probe requests the mount itself, or a service."""
    for request in _requests(subject, ProbeKind.STARTUP):
        below = subpath(request.path, subject.requirements.mount_paths)
        if below is None or below in PROBE_NAMES or _misspelled(below) is not None:
            continue
        yield _path_finding(
            request,
            rule,
            f"{request.probe.label} requests {shown_path(request.path)}, which also fails for services that readiness "
            "ignores. The kubelet then restarts the container again and again.",
            f"Request {_sibling(request, below, 'startup')}, which stays 200 once the pod has been ready.",
        )


@container_rule("probe-fresh", Severity.WARNING, "A probe requests new runs of all checks with ?fresh=1.")
def find_fresh(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield a finding for each probe that asks for fresh results."""
    mounts = subject.requirements.mount_paths
    for request in _requests(subject):
        if "fresh=" not in request.query or subpath(request.path, mounts) in (None, "live"):
            continue
        yield _path_finding(
            request,
            rule,
            f"{request.probe.label} requests fresh results. healthguard responds with 401 without a token, and with a "
            "token it runs every check for every probe of every pod.",
            "Remove fresh from the query. The results are renewed when their ttl has passed.",
        )


def _requests(subject: ContainerSubject, kind: ProbeKind | None = None) -> Iterator[ProbeRequest]:
    """Yield the requests whose paths can be judged, of the probes of one kind or of all."""
    return (request for request in _all_requests(subject) if kind is None or request.probe.kind is kind)


@memoized
def _all_requests(subject: ContainerSubject) -> Sequence[ProbeRequest]:
    if not has_known_mounts(subject.requirements.mount_paths) or not serves_http(subject):
        return ()
    requests = map(request_of, probes_of(subject.container))
    return [request for request in requests if request is not None]


def _sibling(request: ProbeRequest, below: str, name: str) -> str:
    """Return the path of a probe at the mount that the request uses."""
    path = request.path.rstrip("/")
    mount = path.removesuffix(below).rstrip("/") if below else path
    return shown_path(f"/{mount.strip('/')}/{name}".replace("//", "/"))


def _path_finding(request: ProbeRequest, rule: Rule[ContainerSubject], message: str, remedy: str) -> Finding:
    container = request.probe.container
    return rule.finding(
        message, remedy, obj=container.workload.object, node=request.node, line=request.line, container=container.name
    )
