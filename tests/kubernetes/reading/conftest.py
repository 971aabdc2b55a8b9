"""The program that renders kustomizations."""

from __future__ import annotations

import os
import sys

import pytest

from healthguard.kubernetes.reading.kustomization import program as rendering
from healthguard.kubernetes.reading.kustomization.program import Program


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return the program of this machine. Skip the test if there is none."""
    # A wheel installs kubectl next to Python, which is not on PATH unless the environment is activated.
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], os.path.dirname(sys.executable)]))
    # A busy machine takes longer than a user would wait.
    monkeypatch.setattr(rendering, "MAX_SECONDS", 250.0)
    found = Program.find()
    if found is None:
        pytest.skip("Neither kustomize nor kubectl is installed.")
    return found
