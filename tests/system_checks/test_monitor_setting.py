"""The key MONITOR of the setting: its system checks, and the readiness of pods that do not read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.checks import ERROR, WARNING
from django.test import override_settings

from healthguard.conf import settings
from healthguard.http.handler import Request, respond
from tests.support import strange_checks as strange
from tests.support.system_check_messages import own_messages

FINE = {"fine": strange.Fine}
INVALID = [
    "slack://hunter2/",
    ["slack://hunter2/"],
    {"NOTFY": ["slack://hunter2/"]},
    {"slack://hunter2/": "NOTIFY"},
    {"NOTIFY": "slack://hunter2/"},
    {"NOTIFY": [5]},
    {"NOTIFY_NONCRITICAL": {"slack://hunter2/": 1}},
    *(
        {key: ["json://a.example/", url]}
        for key in ("NOTIFY", "NOTIFY_NONCRITICAL")
        for url in (
            "mailto://hunter2:$(SMTP_PASSWORD)@example.com",
            "mailto://hunter2:changeme@example.com",
            "json://hunter2/?token=<your-token>",
            "$(SLACK_URL)",
        )
    ),
    {"STATE": 5},
    {"STATE": "a\0b"},
]


def statuses() -> set[tuple[int, str]]:
    """Return the responses of the report and of the probes for readiness and startup."""
    responses = [respond(Request("GET", path)) for path in ("", "ready", "startup")]
    return {(response.status, json.loads(response.body)["status"]) for response in responses}


@pytest.mark.parametrize("value", INVALID, ids=str)
def test_invalid_setting_of_the_monitor_is_an_error_and_no_pod_fails(value: object) -> None:
    """A pipeline fails with it. The pods that serve requests do not, because only the monitor reads it."""
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "MONITOR": value}):
        (message,) = own_messages()
        assert (message.id, message.level) == ("healthguard.E016", ERROR)
        assert "hunter2" not in str(message)
        assert statuses() == {(200, "healthy")}


@pytest.mark.parametrize("url", ["", " \n", None])
@pytest.mark.parametrize("key", ["NOTIFY", "NOTIFY_NONCRITICAL"])
def test_missing_url_of_the_monitor_is_a_warning(key: str, url: str | None) -> None:
    """The pods that serve requests may lack the variable, because only the monitor needs it."""
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "MONITOR": {key: ["json://a.example/", url]}}):
        (message,) = own_messages()
        assert (message.id, message.level) == ("healthguard.W005", WARNING)
        assert "a.example" not in str(message)
        assert statuses() == {(200, "healthy")}


@pytest.mark.parametrize(
    "value", [None, "", {}, {"NOTIFY": ()}, {"STATE": None}, {"STATE": ""}, {"STATE": Path("state.json")}]
)
def test_valid_setting_of_the_monitor_is_accepted(value: object) -> None:
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "MONITOR": value}):
        assert own_messages() == []


@pytest.mark.parametrize("value", ["", None])
@pytest.mark.parametrize("key", ["NOTIFY", "NOTIFY_NONCRITICAL"])
def test_channels_without_a_value_are_a_warning(key: str, value: str | None) -> None:
    """They are an empty URL, with which the monitor does not start. Nothing else needs them."""
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "MONITOR": {key: value}}):
        (message,) = own_messages()
        assert (message.id, message.level) == ("healthguard.W005", WARNING)
        assert sorted([settings.monitor.notify, settings.monitor.notify_noncritical]) == [(), ("",)]
        assert statuses() == {(200, "healthy")}


def test_url_with_an_empty_password_is_a_warning() -> None:
    """The variable of the password may be missing where no monitor runs."""
    with override_settings(HEALTHGUARD={"SERVICES": FINE, "MONITOR": {"NOTIFY": ["mailto://ops:@example.com"]}}):
        (message,) = own_messages()
        assert (message.id, message.level) == ("healthguard.W005", WARNING)
        assert statuses() == {(200, "healthy")}
