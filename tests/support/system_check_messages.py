"""The messages of healthguard's system checks."""

from __future__ import annotations

from django.core.checks import CheckMessage, run_checks


def own_messages() -> list[CheckMessage]:
    """Run Django's system checks and return the messages of healthguard."""
    return [message for message in run_checks() if (message.id or "").startswith("healthguard.")]


def hint_of(message: CheckMessage) -> str:
    """Return the hint of a message, which must have one."""
    assert message.hint is not None, message.msg
    return message.hint
