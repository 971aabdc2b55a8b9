"""The rules for the commands of exec probes."""

from __future__ import annotations

import json

import pytest

from tests.kubernetes.rules.probes.probe_manifests import fault_line, faults, findings, manifest

URL = "http://localhost:8000/api/health/live"


def probe(command: list[str]) -> str:
    """Return a manifest whose liveness probe runs a command."""
    return manifest(liveness=f"livenessProbe:\n  exec:\n    command: {json.dumps(command)}  # fault")


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


CANNOT_FAIL = [
    ["curl", URL],
    ["curl", "-s", "-o", "/dev/null", URL],
    ["curl", "-sof", URL],
    ["curl", "--silent", "--show-error", "--max-time", "2", URL],
    ["/usr/bin/curl", "-sS", URL],
    ["timeout", "5", "curl", "-s", URL],
    ["true"],
    ["/bin/true"],
    ["echo", "ok"],
    ["wget", "-b", URL],
    ["python", "-c", f"import requests; requests.get('{URL}')"],
    shell(f"curl {URL}"),
    shell(f"curl -s {URL} || exit 1"),
    shell(f"curl -f {URL} || true"),
    shell(f"curl -f {URL} || :"),
    shell(f"curl -f {URL} || exit 0"),
    shell(f"curl -f {URL} || echo failed"),
    shell(f"curl -f {URL}; exit 0"),
    shell(f"curl -f {URL}; true"),
    shell(f"curl -f {URL} ; echo $?"),
    shell(f"curl -f {URL} | cat"),
    shell(f"curl -f {URL} | tee /tmp/health"),
    shell(f"curl -f {URL} > /dev/null 2>&1 || true"),
    shell(f"curl -f {URL} &"),
    shell(f"curl -s {URL}; exit $?"),
    shell(f"curl -s {URL} | jq .status"),
    shell(f"curl -s {URL} | grep healthy"),
    shell(f"wget -qO- {URL} || true"),
    shell(f"if curl -f {URL}; then exit 0; else exit 0; fi"),
    shell(f"if curl -s {URL}; then exit 0; else exit 1; fi"),
    shell(f"set -e\ncurl -f {URL} || true\nexit 0"),
    shell(f"{{ curl -f {URL}; }} || true"),
    shell(f"(curl -f {URL}); true"),
    shell("python -m healthguard.probe http://127.0.0.1:8000/api/health/live || true"),
    shell("ps aux | grep gunicorn"),
    ["bash", "-c", f"curl -f {URL} | cat"],
    ["/bin/bash", "-lc", f"curl {URL}"],
    ["busybox", "sh", "-c", "true"],
    ["env", "NO_PROXY=*", "curl", URL],
]
CAN_FAIL = [
    ["curl", "-f", URL],
    ["curl", "-fsS", URL],
    ["curl", "-sSfo", "/dev/null", URL],
    ["curl", "--fail", URL],
    ["curl", "--silent", "--fail-with-body", URL],
    ["curl", "-K", "/etc/curlrc", URL],
    ["wget", "-q", "--spider", URL],
    ["wget", "-qO-", URL],
    ["python", "-m", "healthguard.probe", URL],
    ["python", "-c", f"import urllib.request; urllib.request.urlopen('{URL}')"],
    ["python", "-c", f"import requests; requests.get('{URL}').raise_for_status()"],
    ["python", "-c", f"import requests; assert requests.get('{URL}').ok"],
    ["cat", "/tmp/healthy"],
    ["test", "-f", "/tmp/healthy"],
    ["pgrep", "-f", "gunicorn"],
    ["/app/health.sh"],
    ["grep", "-q", ";", "/tmp/state"],
    shell(f"curl -f {URL} || exit 1"),
    shell(f"curl -f {URL} && true"),
    shell(f"curl -f {URL} >/dev/null 2>&1"),
    shell(f'curl -s {URL} | grep -q \'"status": "healthy"\''),
    shell(f"curl -s {URL} | jq -e '.status == \"healthy\"'"),
    shell(f'test "$(curl -s -o /dev/null -w "%{{http_code}}" {URL})" = 200'),
    shell(f"[ $(curl -s {URL} | wc -c) -gt 10 ]"),
    shell(f"set -e; curl -f {URL}; true"),
    shell(f"set -eo pipefail; curl -f {URL} | cat"),
    ["bash", "-o", "pipefail", "-c", f"curl -f {URL} | cat"],
    ["bash", "-euo", "pipefail", "-c", f"curl -f {URL} | cat"],
    ["sh", "-ec", f"curl -f {URL}; true"],
    shell("ps aux | grep [g]unicorn"),
    shell("ps aux | grep -v grep | grep gunicorn"),
    shell(f"! curl -f {URL}"),
    shell(f"curl -f {URL}; code=$?; exit $code"),
    shell(f"curl -f '{URL}?a=1&b=2' || exit 1 # || true"),
    shell(f"for i in 1 2; do curl {URL} || exit 1; done"),
    shell(f"if ! curl -f {URL}; then exit 1; fi"),
    shell("echo 'a || true' | grep -q x"),
    shell("test -f /tmp/a || (test -f /tmp/b)"),
    shell('case "$X" in a) exit 0;; esac'),
    shell("unbalanced 'quote"),
    ["sh", "/app/health.sh"],
]


@pytest.mark.parametrize("command", CANNOT_FAIL, ids=str)
def test_command_that_cannot_fail_is_a_warning(command: list[str]) -> None:
    """A command that succeeds for a 503 has one finding, at the line of the command."""
    text = probe(command)
    assert ("probe-cannot-fail", "warning", fault_line(text)) in faults(text)


@pytest.mark.parametrize("command", CAN_FAIL, ids=str)
def test_command_that_can_fail_has_no_finding(command: list[str]) -> None:
    """A command is sound unless it is certain that it succeeds."""
    assert faults(probe(command)) == []


@pytest.mark.parametrize(
    "command",
    [
        [f"curl -f {URL}"],
        ["curl", "-f", URL, "||", "exit", "1"],
        ["python", "-m", "healthguard.probe", URL, ">", "/dev/null"],
        ["sh", "-c", "curl", "-f", URL],
        ["bash", "-ec", "python", "-m", "healthguard.probe", URL],
    ],
    ids=str,
)
def test_command_that_is_not_the_one_that_was_meant_is_an_error(command: list[str]) -> None:
    """Without a shell, operators are arguments; a shell runs only the first word after -c."""
    text = probe(command)
    assert faults(text) == [("probe-command-not-found", "error", fault_line(text))]


@pytest.mark.parametrize(
    "command", [["[", "1", ">", "0", "]"], ["sh", "-c", 'exec /app/check "$@"', "sh", "web"]], ids=str
)
def test_valid_use_of_operators_and_arguments_has_no_finding(command: list[str]) -> None:
    """test accepts operators, and a script may use the words after it."""
    assert faults(probe(command)) == []


def test_exec_probe_of_a_worker_is_judged() -> None:
    """A worker has no port, but its probe may be useless all the same."""
    text = manifest(
        ports="",
        startup="",
        readiness="",
        lifecycle="",
        liveness="livenessProbe:\n  exec:\n    command: ['true']  # fault",
    )
    assert faults(text) == [("probe-cannot-fail", "warning", fault_line(text))]


def test_secret_in_a_command_is_not_shown() -> None:
    """Neither the findings nor their repr contain a word of the command."""
    assert "s3cr3t" not in repr(findings(probe(["curl", "-H", "Authorization: Bearer s3cr3t", URL])))
