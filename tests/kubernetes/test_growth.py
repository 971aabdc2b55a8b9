"""The work for many objects, which grows with their number and not with its square.

It is measured in calls of functions, which do not depend on the speed of the machine. If the numbers of calls for STEP,
2 * STEP and 3 * STEP objects are on a line, then twice the second number is the sum of the others. One call for each
pair of objects would change that by the square of STEP or more.
"""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from healthguard.kubernetes.examination import examine
from healthguard.kubernetes.reading.inputs import read
from healthguard.requirements import DatabaseRequirement, Requirements, SecretKeyRequirement
from tests.kubernetes.manifests import objects
from tests.support.calls import count_calls

REQUIREMENTS = Requirements(
    (
        SecretKeyRequirement(("SECRET_KEY",), "test", min_bytes=64),
        DatabaseRequirement(("DATABASE_URL",), "test", database="shop"),
    ),
    ("api/health",),
)
STEP = 10
Files: TypeAlias = Mapping[str, str]
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


FROM_CONFIG_MAP = FROM_SECRET.replace("secretKey", "configMapKey")


def in_folders(count: int, make: Callable[[int], Mapping[str, str]]) -> Files:
    return {f"{name}-{number}/k8s.yaml": text for number in range(count) for name, text in make(number).items()}


IN_FOLDERS: dict[str, Callable[[int], Files]] = {
    "Secrets of one name beside their workloads": lambda count: in_folders(
        count, lambda i: {"app": workload(f"w{i}", FROM_SECRET.format("keys")) + secret("keys")}
    ),
    "Secrets of one name in other folders": lambda count: in_folders(
        count, lambda i: {"app": workload(f"w{i}", FROM_SECRET.format("keys")), "keys": secret("keys")}
    ),
    "missing keys of Secrets of one name": lambda count: in_folders(
        count,
        lambda i: {"app": workload(f"w{i}", FROM_SECRET.format("keys")), "keys": secret("keys", "{other: v}")},
    ),
    "ConfigMaps instead of Secrets": lambda count: in_folders(
        count,
        lambda i: {
            "app": workload(f"w{i}", FROM_SECRET.format("keys"), FROM_CONFIG_MAP.format("keys")),
            "keys": secret("keys").replace("Secret", "ConfigMap").replace("stringData", "data"),
        },
    ),
    "Jobs beside servers": lambda count: in_folders(
        count,
        lambda i: {"app": workload(f"w{i}", LITERAL.format()) + workload(f"j{i}", LITERAL.format(), kind="Job")},
    ),
    "Jobs and servers in other folders": lambda count: in_folders(
        count,
        lambda i: {
            "app": workload(f"w{i}", LITERAL.format()),
            "jobs": workload(f"j{i}", LITERAL.format(), kind="Job"),
        },
    ),
}


def calls_for(files: Files) -> int:
    """Return the number of calls of functions in an examination."""
    found = [obj for file, text in files.items() for obj in objects(text, file)]

    def run() -> None:
        examination = examine(found, REQUIREMENTS, strict_unknown=True, advice=True)
        assert not examination.failures
        assert examination.containers

    return count_calls(run)


def curvature(calls: Callable[[int], int]) -> int:
    """Return by how much the work for three times as many objects is above a line."""
    # The first call of all fills the caches of words.
    calls(3 * STEP)
    few, more, most = (calls(factor * STEP) for factor in (1, 2, 3))
    return most - 2 * more + few


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_work_grows_with_the_number_of_objects(shape: Callable[[int], str]) -> None:
    """Not one call is made for each pair of objects in a file."""
    assert curvature(lambda count: calls_for({"k8s.yaml": shape(count)})) < STEP**2


@pytest.mark.parametrize("shape", IN_FOLDERS.values(), ids=list(IN_FOLDERS))
def test_work_grows_with_the_number_of_folders(shape: Callable[[int], Files]) -> None:
    """Not one call is made for each pair of objects in different folders."""
    assert curvature(lambda count: calls_for(shape(count))) < STEP**2


def test_work_grows_with_the_number_of_kustomizations(tmp_path: Path) -> None:
    """Not one call is made for each pair of a kustomization and a file."""
    kustomization = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"

    def calls(count: int) -> int:
        root = tmp_path / str(count)
        for number in range(count):
            folder = root / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "kustomization.yaml").write_text(kustomization)
            (folder / "stray.yaml").write_text(secret("keys"))
        return count_calls(lambda: read([str(root)], io.BytesIO()))

    assert curvature(calls) < STEP**2


class Garbage:
    """An object that only the garbage collector can remove, and whose finalizer is a call."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        """Do nothing."""


def test_garbage_of_earlier_tests_does_not_count() -> None:
    def allocate() -> None:
        kept: list[list[object]] = []
        for _ in range(3000):
            kept += [[]]

    few = count_calls(allocate)
    gc.disable()
    for _ in range(300):
        Garbage()
    gc.enable()
    assert count_calls(allocate) == few
