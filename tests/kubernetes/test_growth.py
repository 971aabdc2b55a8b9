"""The work for many objects, which grows with their number and not with its square.

It is measured in calls of functions, which do not depend on the speed of the machine.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from healthguard.kubernetes.examination import examine
from healthguard.requirements import DatabaseRequirement, Requirements, SecretKeyRequirement
from tests.kubernetes.manifests import objects

REQUIREMENTS = Requirements(
    (
        SecretKeyRequirement(("SECRET_KEY",), "test", min_bytes=64),
        DatabaseRequirement(("DATABASE_URL",), "test", database="shop"),
    ),
    ("api/health",),
)
FEW, FACTOR = 60, 4
LITERAL = "{{name: DATABASE_URL, value: 'postgres://u:p@db/shop'}}"
FROM_SECRET = "{{name: SECRET_KEY, valueFrom: {{secretKeyRef: {{name: {0}, key: k}}}}}}"


def workload(name: str, *env: str, kind: str = "Deployment", annotation: str = "", rest: str = "") -> str:
    return f"""\
apiVersion: {"batch/v1" if kind == "Job" else "apps/v1"}
kind: {kind}
metadata: {{name: {name}, annotations: {{{annotation}}}}}
spec:
  template:
    metadata: {{labels: {{part-of: shop, app: {name}}}}}
    spec:
      containers:
        - name: web
          image: shop
          ports: [{{name: http, containerPort: 8000}}]
          env: [{", ".join(env)}]
{rest}---
"""


def secret(name: str, data: str = "{k: v}") -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {data}\n---\n"


def service(name: str) -> str:
    ports = "[{port: 80, targetPort: http}]"
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n"
        f"spec: {{selector: {{part-of: shop, app: {name}}}, ports: {ports}}}\n---\n"
    )


def provider_class(name: str) -> str:
    return (
        f"apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {{name: c-{name}}}\n"
        f"spec: {{secretObjects: [{{secretName: {name}, data: [{{key: k, objectName: k}}]}}]}}\n---\n"
    )


def repeated(count: int, make: Callable[[int], str]) -> str:
    return "".join(map(make, range(count)))


def one_pod(count: int, entry: str) -> str:
    return workload("web", LITERAL.format(), *(entry.replace("#", str(number)) for number in range(count)))


SHAPES: dict[str, Callable[[int], str]] = {
    "Jobs beside servers": lambda count: repeated(
        count, lambda i: workload(f"w{i}", LITERAL.format()) + workload(f"j{i}", LITERAL.format(), kind="Job")
    ),
    "Services": lambda count: repeated(count, lambda i: workload(f"w{i}", LITERAL.format()) + service(f"w{i}")),
    "misspelt Secrets": lambda count: repeated(
        count, lambda i: workload(f"w{i}", FROM_SECRET.format(f"shop-keys-{i}")) + secret(f"shop-keyz-{i}")
    ),
    "Secrets of one name": lambda count: repeated(
        count, lambda i: workload(f"w{i}", FROM_SECRET.format("keys")) + secret("keys")
    ),
    "provider classes": lambda count: repeated(
        count, lambda i: workload(f"w{i}", FROM_SECRET.format(f"s{i}")) + provider_class(f"s{i}")
    ),
    "silenced findings": lambda count: repeated(
        count,
        lambda i: workload(f"w{i}", LITERAL.format(), annotation="healthguard.io/ignore: 'variable-missing: a reason'"),
    ),
    "references in one pod": lambda count: one_pod(
        count, "{name: V#, valueFrom: {secretKeyRef: {name: missing-#, key: k}}}"
    ),
    "unresolved references": lambda count: one_pod(count, "{name: V#, value: $(W#)}"),
    "references in the wrong order": lambda count: one_pod(count, "{name: V#, value: $(V9#)}, {name: V9#, value: x}"),
    "unknown sources": lambda count: workload(
        "web",
        *(f"{{name: V{i}, value: x}}" for i in range(count)),
        rest=f"          envFrom: [{', '.join(f'{{secretRef: {{name: s{i}}}}}' for i in range(count))}]\n",
    ),
    "invalid keys of one Secret": lambda count: (
        workload("web", FROM_SECRET.format("keys"))
        + secret("keys", f"{{{', '.join(f'k{i}: 1' for i in range(count))}}}")
    ),
    "repeated keys": lambda count: workload("web", LITERAL.format(), rest="          unknown: 1\n" * count),
    "keys of an ExternalSecret": lambda count: (
        workload("web", LITERAL.format(), *(FROM_SECRET.format("keys").replace("k}", f"k{i}}}") for i in range(count)))
        + "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: keys}\n"
        + "spec:\n  target: {template: {data: {x: y}}}\n"
        + f"  data: [{', '.join(f'{{secretKey: k{i}, remoteRef: {{key: x}}}}' for i in range(count))}]\n---\n"
    ),
    "parts of a value": lambda count: one_pod(1, f"{{name: V, value: 'postgres://{'$(DATABASE_URL)' * count}@db/x'}}"),
    "servers of one pod": lambda count: workload(
        "web",
        LITERAL.format(),
        rest=repeated(
            count,
            lambda i: (
                f"""\
        - name: c{i}
          image: shop
          env: [{LITERAL.format()}]
          ports: [{{name: p{i}, containerPort: {1000 + i}}}]
          livenessProbe: {{httpGet: {{path: /api/health/live, port: p{i}}}}}
"""
            ),
        ),
    ),
    "containers of one pod": lambda count: workload(
        "web",
        LITERAL.format(),
        rest=repeated(count, lambda i: f"        - {{name: c{i}, image: shop, env: [{LITERAL.format()}]}}\n"),
    ),
}


def calls_for(text: str) -> int:
    """Return the number of calls of functions in an examination."""
    found, count = objects(text), 0

    def profile(frame: types.FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        examination = examine(found, REQUIREMENTS, strict_unknown=True, advice=True)
    finally:
        sys.setprofile(None)
    assert not examination.failures
    assert examination.containers
    return count


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_work_grows_with_the_number_of_objects(shape: Callable[[int], str]) -> None:
    """Four times as many objects take about four times as many calls."""
    calls_for(shape(2))

    few, many = calls_for(shape(FEW)), calls_for(shape(FACTOR * FEW))

    assert many < 1.3 * FACTOR * few
