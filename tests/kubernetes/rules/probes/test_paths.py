"""The rules for the paths that probes request."""

from __future__ import annotations

import pytest

from healthguard.requirements.requirement import Requirements
from tests.kubernetes.rules.probes.probe_manifests import REQUIREMENTS, Case, fault_line, faults, findings, manifest


def readiness(path: str, mark: str = "") -> str:
    return f"""
    readinessProbe:
      httpGet:
        port: http
        path: {path}{mark}
    """


def liveness(path: str, mark: str = "") -> str:
    return f"livenessProbe:\n  httpGet:\n    port: http\n    path: {path}{mark}"


def startup(path: str, mark: str = "") -> str:
    return f"startupProbe:\n  httpGet:\n    port: http\n    path: {path}{mark}"


MARK = "  # fault"
SOUND = manifest()
CASES = [
    Case("probe-path", "warning", manifest(readiness=readiness("/healthz", MARK)), SOUND, "another view"),
    Case("probe-path", "warning", manifest(readiness=readiness("/", MARK)), SOUND, "home page"),
    Case("probe-path", "warning", manifest(startup=startup("/ping/", MARK)), SOUND, "startup"),
    Case("probe-path", "warning", manifest(liveness=liveness("/admin/", MARK)), SOUND, "liveness"),
    Case("probe-path", "error", manifest(readiness=readiness("/api/heath/ready", MARK)), SOUND, "misspelled mount"),
    Case("probe-path", "error", manifest(readiness=readiness("/API/health/ready", MARK)), SOUND, "capitals"),
    Case("probe-path", "error", manifest(readiness=readiness("/api/health/readyz", MARK)), SOUND, "readyz"),
    Case("probe-path", "error", manifest(readiness=readiness("/api/health/Ready", MARK)), SOUND, "Ready"),
    Case("probe-path", "error", manifest(liveness=liveness("/api/health/liveness", MARK)), SOUND, "liveness word"),
    Case("probe-path", "error", manifest(readiness=readiness("/api/health/database/ready", MARK)), SOUND, "below"),
    Case(
        "probe-path",
        "warning",
        manifest(readiness="readinessProbe:\n  httpGet:  # fault\n    port: http"),
        SOUND,
        "no path",
    ),
    Case("probe-liveness-deep", "warning", manifest(liveness=liveness("/api/health", MARK)), SOUND, "mount"),
    Case("probe-liveness-deep", "warning", manifest(liveness=liveness("/api/health/ready", MARK)), SOUND, "ready"),
    Case("probe-liveness-deep", "warning", manifest(liveness=liveness("/api/health/database", MARK)), SOUND, "service"),
    Case(
        "probe-liveness-deep",
        "warning",
        manifest(
            liveness="""
            livenessProbe:
              timeoutSeconds: 5
              exec:
                command: [curl, -sf, "http://localhost:8000/api/health/ready"]  # fault
            """
        ),
        manifest(liveness="livenessProbe: {exec: {command: [curl, -sf, 'http://localhost:8000/api/health/live']}}"),
        "exec",
    ),
    Case("probe-readiness-fleet", "warning", manifest(readiness=readiness("/api/health", MARK)), SOUND, "mount"),
    Case("probe-readiness-fleet", "warning", manifest(readiness=readiness("/api/health/", MARK)), SOUND, "last slash"),
    Case("probe-readiness-fleet", "warning", manifest(readiness=readiness("api/health", MARK)), SOUND, "no slash"),
    Case("probe-readiness-shallow", "warning", manifest(readiness=readiness("/api/health/live", MARK)), SOUND, "live"),
    Case("probe-startup-deep", "warning", manifest(startup=startup("/api/health", MARK)), SOUND, "mount"),
    Case("probe-startup-deep", "warning", manifest(startup=startup("/api/health/database", MARK)), SOUND, "service"),
    Case(
        "probe-fresh", "warning", manifest(readiness=readiness("/api/health/ready?fresh=1", MARK)), SOUND, "readiness"
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fault_is_found_at_its_line(case: Case) -> None:
    """A broken manifest has exactly one finding above advice."""
    assert faults(case.broken) == [(case.rule, case.severity, fault_line(case.broken))]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sound_twin_has_no_finding(case: Case) -> None:
    """A manifest without the fault has no finding above advice."""
    assert faults(case.sound) == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/health/ready",
        "/api/health/ready/",
        "api/health/ready",
        "/api/health/ready?source=kubelet",
        "/shop/api/health/ready",
        "/api/health/database",
        "/api/health/ai_providers/anthropic",
        "/api/health/startup",
    ],
)
def test_path_of_healthguard_is_accepted(path: str) -> None:
    """Services, a last slash, a query and the prefix of the project are right for readiness."""
    assert faults(manifest(readiness=readiness(path))) == []


@pytest.mark.parametrize("path", ["/healthz", "/api/health", "/api/health/live"])
def test_unknown_mount_gives_no_finding(path: str) -> None:
    """Without the mount paths of the declaration no path is judged."""
    assert faults(manifest(readiness=readiness(path)), Requirements(())) == []


@pytest.mark.parametrize(("path", "rules"), [("/acme/health/ready", []), ("/acme/status/ready", ["probe-path"])])
def test_captured_argument_of_the_mount_matches_any_text(path: str, rules: list[str]) -> None:
    """A mount below a captured argument is compared with its static parts."""
    requirements = Requirements((), mount_paths=("<slug:tenant>/health",))
    assert [rule for rule, _, _ in faults(manifest(readiness=readiness(path)), requirements)] == rules


def test_probe_through_another_container_is_not_judged() -> None:
    """A port that only another container lists leads to that container."""
    text = manifest(readiness="readinessProbe: {httpGet: {path: /nginx-health, port: 80}}")
    text += "        - name: proxy\n          image: nginx\n          ports: [{containerPort: 80}]\n"
    assert faults(text) == []


def test_readiness_at_startup_ignores_the_drain_file() -> None:
    """With a DRAIN_FILE, a readiness probe at /startup is a fault."""
    text = manifest(
        readiness=readiness("/api/health/startup", MARK),
        lifecycle="lifecycle: {preStop: {exec: {command: [sh, -c, 'touch /tmp/drain; sleep 5']}}}",
    )
    requirements = Requirements((), mount_paths=("api/health",), drain_file="/tmp/drain")
    assert faults(text, requirements) == [("probe-readiness-shallow", "warning", fault_line(text))]


def test_query_of_a_path_is_not_shown() -> None:
    """A query may contain a token."""
    [found] = [
        finding
        for finding in findings(manifest(readiness=readiness("/healthz?token=s3cr3t")), REQUIREMENTS)
        if finding.rule == "probe-path"
    ]
    assert "s3cr3t" not in found.message + found.remedy


def test_long_segment_of_a_path_is_not_shown() -> None:
    """A path may contain a token as well."""
    token = "a8f5f167f44f4964e6c998dee827110c"
    [found] = [f for f in findings(manifest(readiness=readiness(f"/healthz/{token}"))) if f.rule == "probe-path"]
    assert token not in found.message + found.remedy


def test_remedy_names_the_right_path() -> None:
    """The remedy of a foreign path is the path of the same probe at the declared mount."""
    [found] = [f for f in findings(manifest(readiness=readiness("/healthz"))) if f.rule == "probe-path"]
    assert found.remedy == "Set the path to /api/health/ready."
