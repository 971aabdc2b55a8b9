"""The commands of docs/kubernetes.md work as they stand in the example project, with the output that the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sites import REPOSITORY

PAGE = REPOSITORY / "docs" / "kubernetes.md"
README = REPOSITORY / "README.md"
PROJECT = REPOSITORY / "example_project"
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_END = "\x1e"
"""A character that separates the outputs of two commands, and occurs in none."""

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def commands(page: Path, marker: str = "") -> list[tuple[str, str]]:
    """Return the commands of the blocks that contain a text, each with the output that the page shows."""
    blocks = [block for block in _BLOCK.findall(page.read_text()) if marker in block]
    return [command for block in blocks for command in _COMMAND.findall(block)]


def outputs(lines: list[str], folder: Path) -> list[str]:
    """Run commands in one shell, in a copy of the example project, and return their outputs."""
    project = shutil.copytree(PROJECT, folder / "example_project", ignore=shutil.ignore_patterns("__pycache__"))
    program = folder / "bin" / "python"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    script = "".join(f"{line} 2>&1\nprintf '{_END}'\n" for line in lines)
    environment = {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(REPOSITORY),
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.split(_END)[:-1]


@needs_kubectl
@pytest.mark.parametrize(("page", "marker"), [(PAGE, ""), (README, "healthguard.kubernetes")], ids=["page", "readme"])
def test_commands_print_what_the_page_shows(page: Path, marker: str, tmp_path: Path) -> None:
    shown = commands(page, marker)
    assert shown != []
    assert outputs([command for command, _ in shown], tmp_path) == [output for _, output in shown]


def test_workflow_of_the_page_is_that_of_the_example_project() -> None:
    workflow = (PROJECT / ".github" / "workflows" / "manifests.yml").read_text()
    assert f"```yaml\n# .github/workflows/manifests.yml\n{workflow}```" in PAGE.read_text()


def test_annotation_of_the_page_names_a_rule() -> None:
    from healthguard.kubernetes.catalog import load_rules, summaries

    load_rules()
    (rule,) = re.findall(r'healthguard\.io/ignore: "([a-z-]+): ', PAGE.read_text())
    assert rule in {summary.id for summary in summaries()}
