"""The fields of a container and of its pod, each with the reason for its value."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any, TypeAlias

from healthguard.kubernetes.probe_template.plan import (
    DJANGO_SECONDS,
    DRAIN_SECONDS,
    RESERVE_SECONDS,
    SERVER_SECONDS,
    START_SECONDS,
    Part,
    Plan,
)

Value: TypeAlias = "str | int | list[str] | tuple[Field, ...]"


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of a manifest.

    Args:
        name: its name.
        value: its value; further fields for a mapping.
        comment: the reason for it; an empty string for none.
    """

    name: str
    value: Value
    comment: str = ""

    def plain(self) -> Any:
        """Return the value without comments, for JSON."""
        return as_dict(self.value) if isinstance(self.value, tuple) else self.value


def as_dict(fields: tuple[Field, ...]) -> dict[str, Any]:
    """Return fields without their comments."""
    return {field.name: field.plain() for field in fields}


def container_fields(part: Part, plan: Plan) -> tuple[Field, ...]:
    """Return the probes and hooks of a container."""
    return _web(plan) if part is Part.WEB else (_check_probe(part, plan),)


def pod_fields(part: Part, plan: Plan) -> tuple[Field, ...]:
    """Return the fields of the pod that the hooks need."""
    if part is Part.WEB:
        return (
            Field(
                "terminationGracePeriodSeconds",
                plan.grace,
                f"{DRAIN_SECONDS} s for preStop, {SERVER_SECONDS} s in which the server finishes requests (gunicorn: "
                f"--graceful-timeout), and {RESERVE_SECONDS} s in reserve.",
            ),
        )
    if part is Part.WORKER:
        return (
            Field(
                "terminationGracePeriodSeconds",
                60,
                "Set it above the duration of the longest task: a worker finishes its tasks after SIGTERM.",
            ),
        )
    return ()


def _web(plan: Plan) -> tuple[Field, ...]:
    budget = plan.attempts(plan.startup_period) * plan.startup_period
    return (
        Field(
            "startupProbe",
            (
                _http_get(plan, "startup"),
                _timeout(plan),
                Field("periodSeconds", plan.startup_period),
                Field(
                    "failureThreshold",
                    plan.attempts(plan.startup_period),
                    f"{budget} s until the container is restarted: {START_SECONDS} s for the start of the processes, "
                    f"and two runs of the slowest service ({plan.longest_timeout:g} s).",
                ),
            ),
            "Fails until the pod has been ready once, so that a wrong configuration stops the rollout.",
        ),
        Field(
            "readinessProbe",
            (
                _http_get(plan, "ready"),
                _timeout(plan),
                Field("periodSeconds", max(5, plan.timeout)),
                Field("failureThreshold", 3),
            ),
            "Gates the rollout: a pod gets no traffic before it has been ready once. An outage afterwards takes out "
            'no pod, unless a service is declared with ready="always".',
        ),
        Field(
            "livenessProbe",
            (
                _http_get(plan, "live"),
                Field("timeoutSeconds", 5, "The path depends on nothing, but all workers may be busy."),
                Field("periodSeconds", 10),
                Field("failureThreshold", 3),
            ),
            "Shows only that the process responds. A restart repairs neither a database nor a key.",
        ),
        Field("lifecycle", (_prestop(plan),)),
    )


def _http_get(plan: Plan, name: str) -> Field:
    return Field("httpGet", (Field("path", plan.path(name)), Field("port", plan.port)))


def _timeout(plan: Plan) -> Field:
    return Field("timeoutSeconds", plan.timeout, f"Above DEADLINE, which is {plan.deadline:g} s.")


def _prestop(plan: Plan) -> Field:
    if plan.drain_file is None:
        return Field(
            "preStop",
            (Field("sleep", (Field("seconds", DRAIN_SECONDS),)),),
            "The server accepts requests until load balancers have noticed the shutdown. sleep needs Kubernetes 1.30. "
            f'For an older one: exec: {{command: [sleep, "{DRAIN_SECONDS}"]}}.',
        )
    script = f"touch {shlex.quote(plan.drain_file)}; sleep {DRAIN_SECONDS}"
    return Field(
        "preStop",
        (Field("exec", (Field("command", ["sh", "-c", script]),)),),
        "DRAIN_FILE makes the readiness probe fail. The server accepts requests until load balancers have noticed it.",
    )


def _check_probe(part: Part, plan: Plan) -> Field:
    period = max(20, plan.check_timeout)
    return Field(
        "startupProbe",
        (
            Field("exec", (Field("command", plan.check_command),)),
            Field(
                "timeoutSeconds",
                plan.check_timeout,
                f"{DJANGO_SECONDS} s for the start of Django, and the slowest service ({plan.longest_timeout:g} s).",
            ),
            Field("periodSeconds", period, "Each attempt starts Django once, and uses CPU time of the container."),
            Field("failureThreshold", max(3, plan.attempts(period))),
        ),
        f"Runs the checks in the environment of the {part} until they succeed once: a wrong configuration stops the "
        "rollout. After that it costs nothing. To let no task run before, run the same command in an init container.",
    )
