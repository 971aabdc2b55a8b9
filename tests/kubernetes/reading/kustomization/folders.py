"""Folders with kustomizations, written for a test, and what is read from them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from healthguard.kubernetes.reading.kustomize import objects_of
from healthguard.kubernetes.reading.nodes import Key, LineInFile, Node
from healthguard.kubernetes.reading.objects import KubernetesObject

DEPLOYMENT = """\
# The web application.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: web
        image: web:1
        envFrom:
        - secretRef: {name: keys}
        env:
        - name: FIRST
          value: "1"
        - name: SECOND
          value: "2"
"""
CONTAINER = ("spec", "template", "spec", "containers", 0)


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder. The common indentation of a text is removed."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def render(folder: Path, shown: str = "app") -> dict[str, KubernetesObject]:
    """Return the objects of a folder by kind."""
    return {each.kind: each for each in objects_of(folder, shown)}


def place(obj: KubernetesObject, *path: Key) -> tuple[str, int]:
    """Return the file and the line of a value."""
    return place_of(obj, obj.node.at(*path))


def place_of(obj: KubernetesObject, node: Node | None) -> tuple[str, int]:
    """Return the file and the line of a node."""
    assert node is not None
    return node.line.file if isinstance(node.line, LineInFile) else obj.file, int(node.line)


def entry(obj: KubernetesObject, name: str) -> Node:
    """Return the entry of ``env`` with a name, in the first container."""
    return next(each for each in obj.node.maps_at(*CONTAINER, "env") if each.text_at("name") == name)
