"""The kubectl of the test environment, as an oracle of how Kubernetes reads manifests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_INSTALLED = Path(sys.executable).with_name("kubectl")


def find_kubectl() -> str:
    """Return the path of kubectl. Skip the test if there is none."""
    program = str(_INSTALLED) if _INSTALLED.exists() else shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed.")
    return program


def read_with_kubectl(text: str, folder: Path) -> dict[str, Any]:
    """Return an object as kubectl reads it and prints it as JSON."""
    file = folder / "object.yaml"
    file.write_text(text)
    command = [find_kubectl(), "label", "--local", "-f", str(file), "checked=yes", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    read: dict[str, Any] = json.loads(done.stdout)
    return read
