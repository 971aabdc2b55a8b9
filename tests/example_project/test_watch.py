"""The monitor that ``make outage`` and ``make matrix`` run, and what they require of its messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.outage import Cause, alerts_about, alerts_about_repair
from example_project.watch import Alert, Watch

SETTINGS = """
import os
from healthguard.checks import SecretKey
SECRET_KEY = os.environ["SECRET_KEY"]
INSTALLED_APPS = ["healthguard"]
ROOT_URLCONF = "watched_urls"
HEALTHGUARD = {"SERVICES": {"django_config": SecretKey()}}
"""
KEY = "Vq3zN8rT5wXb7Yc2KdLm9Pf4Gh6Js1Au0Ei-Ro_Tz8Wn5Qk3Mb7VxVq3zN8rT5wXb"
CAUSE = Cause("SECRET_KEY is empty", {"django_config": "secret_key_empty"})
FAILED = Alert(
    "healthguard: django_config on a is unhealthy",
    "django_config on a is unhealthy, since 2026-11-27 20:36:23 UTC (0 s).\n"
    "SECRET_KEY is empty (0 bytes). [secret_key_empty, config]\nFix: Set it.\n\nMessage 6b8e59317a84",
)
RESTORED = Alert(
    "healthguard: django_config on a is healthy again",
    "django_config on a is healthy again, after 24 s. The failure began at 2026-11-27 20:36:23 UTC.\n\nMessage ff34",
)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    (tmp_path / "watched_settings.py").write_text(SETTINGS)
    (tmp_path / "watched_urls.py").write_text("urlpatterns = []\n")
    watch = Watch(tmp_path, "--state", "monitor.json", "--name", "a")
    yield watch
    watch.stop()


def environment(key: str) -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "watched_settings", "SECRET_KEY": key}


def test_webhook_receives_the_failure_and_the_repair(watch: Watch) -> None:
    """Each round is a process of its own, which finds the state of the round before it."""
    broken, repaired, quiet = (watch.round(environment(key)) for key in ("", KEY, KEY))
    assert alerts_about(broken.alerts, CAUSE)
    assert alerts_about_repair(repaired.alerts, CAUSE)
    assert quiet.alerts == ()
    assert [each.exit_code for each in (broken, repaired, quiet)] == [1, 0, 0]


def test_replay_accepts_the_expected_messages() -> None:
    assert alerts_about((FAILED,), CAUSE)
    assert alerts_about_repair((RESTORED,), CAUSE)


@pytest.mark.parametrize(
    "alerts",
    [(), (RESTORED,), (FAILED, FAILED), (Alert(FAILED.title, FAILED.body.replace("secret_key_empty", "exception")),)],
    ids=["no message", "another message", "two messages", "another code"],
)
def test_replay_rejects_a_missing_or_another_alert(alerts: tuple[Alert, ...]) -> None:
    assert not alerts_about(alerts, CAUSE)


@pytest.mark.parametrize(
    "alerts",
    [(), (FAILED,), (RESTORED, RESTORED), (Alert(RESTORED.title, RESTORED.body.replace("django_config", "cache")),)],
    ids=["no message", "another message", "two messages", "another service"],
)
def test_replay_rejects_a_missing_or_another_message_after_the_repair(alerts: tuple[Alert, ...]) -> None:
    assert not alerts_about_repair(alerts, CAUSE)
