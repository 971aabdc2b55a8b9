"""The texts of the fields: YAML, JSON and a line of a Dockerfile."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator

from healthguard.kubernetes.probe_template.fields import Field, Value, as_dict, container_fields, pod_fields
from healthguard.kubernetes.probe_template.plan import PYTHON_SECONDS, Part, Plan

_WIDTH = 100
_PLAIN = re.compile(r"/?[A-Za-z][A-Za-z0-9._/-]*|/[A-Za-z0-9._/-]+")
"""The texts that need no quotes in YAML. Words that YAML reads as another type are excluded below."""
_OTHER_TYPES = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_TITLES = {
    Part.WEB: "A web container",
    Part.WORKER: "A worker. Nothing sends requests to it, so it has no readiness probe. Nothing shows that it hangs "
    "without its own heartbeat, so it has no liveness probe",
    Part.SCHEDULER: "A scheduler. Nothing sends requests to it, so it has no readiness probe. Run one replica of it",
}


def render_yaml(part: Part, plan: Plan) -> str:
    """Return the fields as the part of a Deployment that contains them, with the reasons as comments."""
    head = f"{_TITLES[part]}. Copy these fields into the manifest."
    lines = [*_comment(head, ""), "spec:", "  template:", "    spec:"]
    lines += _lines(pod_fields(part, plan), "      ")
    lines += ["      containers:", f"        - name: {part}"]
    lines += _lines(container_fields(part, plan), "          ")
    return "\n".join(lines) + "\n"


def render_json(part: Part, plan: Plan) -> str:
    """Return the fields without comments, by the place to which they belong."""
    fields = {"container": as_dict(container_fields(part, plan)), "pod": as_dict(pod_fields(part, plan))}
    return json.dumps(fields, indent=2) + "\n"


def render_docker(part: Part, plan: Plan) -> str:
    """Return the HEALTHCHECK of a Dockerfile."""
    if part is Part.WEB:
        own = plan.timeout + 1
        command = ["python", "-m", "healthguard.probe", f"--timeout={own}"]
        command.append(f"http://127.0.0.1:{plan.port}{plan.path('ready')}")
        reason = (
            f"The probe waits {own} s, longer than DEADLINE ({plan.deadline:g} s). Docker waits longer than the probe "
            "and the start of Python, because it kills the command without a line in the log."
        )
        return _healthcheck(reason, 10, own + PYTHON_SECONDS, plan.startup_budget, command)
    reason = "Each check starts Django, so it runs every five minutes only."
    return _healthcheck(reason, 300, plan.check_timeout, plan.startup_budget, plan.check_command)


def _healthcheck(reason: str, interval: int, timeout: int, start: int, command: list[str]) -> str:
    options = f"--interval={interval}s --timeout={timeout}s --start-period={start}s --retries=3"
    return "\n".join([*_comment(reason, ""), f"HEALTHCHECK {options} \\", f"    CMD {json.dumps(command)}"]) + "\n"


def _lines(fields: tuple[Field, ...], indent: str) -> Iterator[str]:
    for field in fields:
        yield from _comment(field.comment, indent)
        if isinstance(field.value, tuple):
            yield f"{indent}{field.name}:"
            yield from _lines(field.value, f"{indent}  ")
        else:
            yield f"{indent}{field.name}: {_text(field.value)}"


def _comment(text: str, indent: str) -> list[str]:
    prefix = f"{indent}# "
    return textwrap.wrap(text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False)


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value if _is_plain(value) else json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(value)}]" if all(map(_is_plain, value)) else json.dumps(value)
    return str(value)


def _is_plain(text: str) -> bool:
    """Return True if a text needs no quotes. A text of JSON, in quotes, is one of YAML too."""
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _OTHER_TYPES
