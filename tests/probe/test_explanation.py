"""The line that explains a failed probe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healthguard.http.handler import Request, respond
from healthguard.probe.exchange import Response, Stage
from healthguard.probe.explanation import explain_error, explain_response, explain_timeout
from healthguard.probe.target import parse_target
from tests.support import strange_checks as strange
from tests.support.fixture_types import Declare

TARGET = parse_target("http://app/ready?key=value")
REASONS = "For the reasons, read the log of the server, or set HEALTHGUARD_TOKEN and add --verbose."


def explain(body: Any, status: int = 503, **headers: str) -> str:
    """Return the explanation of a response with this JSON, without the URL and the status code."""
    explanation = explain_response(TARGET, Response(status, headers, json.dumps(body).encode()))
    start = f"http://app/ready returned {status}"
    assert explanation.startswith(start)
    return explanation.removeprefix(start)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"status": "unhealthy"}, "the status is unhealthy"),
        ({"status": "unhealthy", "services": {"a": "healthy"}}, "the status is unhealthy"),
        ({"status": "unhealthy", "services": {"a": "unhealthy"}}, "a is unhealthy"),
        ({"status": "unhealthy", "services": {"a": "degraded", "b": "unknown"}}, "b is unknown, a is degraded"),
        ({"status": "unhealthy", "services": {"g": {"a": "unhealthy", "b": "healthy"}}}, "g/a is unhealthy"),
        ({"status": "unhealthy", "draining": True, "services": {}}, "the pod is draining"),
        ({"status": "unhealthy", "services": {"a": None, "b": 1, "c": ["unhealthy"]}}, "the status is unhealthy"),
        ({"status": "unhealthy", "services": "x"}, "the status is unhealthy"),
    ],
)
def test_failing_services_are_named(body: dict[str, Any], found: str) -> None:
    assert explain(body) == f": {found}. {REASONS}"


def test_problem_codes_are_named_if_the_response_contains_them() -> None:
    section = {"status": "unhealthy", "checks": [{"check": "A"}, {"code": "one"}, {"code": "two"}, "x", {"code": 3}]}
    body = {"status": "unhealthy", "services": {"g": {"a": "unhealthy"}}, "g": {"status": "unhealthy", "a": section}}
    assert explain(body) == ": g/a is unhealthy (one, two). The response contains the reasons: add --verbose."


def test_ten_services_are_named() -> None:
    names = [f"s{number}" for number in range(13)]
    body = {"status": "unhealthy", "services": dict.fromkeys(names, "unhealthy")}
    assert explain(body) == f": {', '.join(f'{name} is unhealthy' for name in names[:10])}, and 3 more. {REASONS}"


def test_real_response_is_explained(healthguard_settings: Declare) -> None:
    failing = strange.Raises(strange.UNAVAILABLE)
    healthguard_settings({"fine": strange.Fine, "group": {"bad": failing}}, DEADLINE=30)
    response = respond(Request("GET", ""))
    explanation = explain_response(TARGET, Response(response.status, {}, response.body))
    assert explanation == f"http://app/ready returned 503: group/bad is unhealthy. {REASONS}"


@pytest.mark.parametrize("path", ["missing", "fine/missing"])
def test_error_of_a_real_response_is_shown(healthguard_settings: Declare, path: str) -> None:
    healthguard_settings({"fine": strange.Fine}, DEADLINE=30)
    response = respond(Request("GET", path))
    explanation = explain_response(TARGET, Response(response.status, {}, response.body))
    assert explanation == "http://app/ready returned 404: no such service. Known services: fine."


def test_missing_token_is_explained(healthguard_settings: Declare) -> None:
    healthguard_settings({"fine": strange.Fine}, DEADLINE=30)
    response = respond(Request("GET", "", query="fresh=1"))
    explanation = explain_response(TARGET, Response(response.status, {}, response.body))
    assert explanation == "http://app/ready returned 401. Set HEALTHGUARD_TOKEN to a token of DETAILS_TOKENS."


@pytest.mark.parametrize("depth", [9, 11, 500, 100_000])
def test_deep_json_is_explained(depth: int) -> None:
    """Python cannot parse the deepest one."""
    body = b'{"status": "unhealthy", "services": ' + b'{"a": ' * depth + b'"unhealthy"' + b"}" * (depth + 1)
    explanation = explain_response(TARGET, Response(503, {}, body))
    assert explanation.startswith("http://app/ready returned 503")
    assert ("a/a is unhealthy" in explanation) == (depth < 10)


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_a_remedy_for_a_timeout(stage: Stage) -> None:
    explanation = explain_timeout(TARGET, stage, 1.5)
    assert explanation.startswith("http://app/ready did not return a complete response within 1.5 s (")
    assert len(explanation.partition("). ")[2]) > 10


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_a_remedy_for_an_error(stage: Stage) -> None:
    explanation = explain_error(TARGET, stage, OSError(5, "reason"))
    assert "(reason). " in explanation
    assert explanation.endswith(".")


def test_socket_that_this_user_may_not_open_is_explained() -> None:
    explanation = explain_error(parse_target("unix:/a:/b"), Stage.CONNECTION, PermissionError(13, "Permission denied"))
    assert explanation.startswith("unix:/a:/b: the connection failed (Permission denied). Run the probe as the user of")
