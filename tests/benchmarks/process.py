"""Functions called in processes of their own, with nothing known before."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import django


def call(function: Callable[..., Any], *arguments: Any, environment: Mapping[str, str] | None = None) -> Any:
    """What ``function`` gives in a fresh process where Django is set up; it travels as JSON, as ``arguments`` do.

    Args:
        function: a function of a module.
        arguments: what it is called with.
        environment: what the process has in its environment, besides what this one has.

    Raises:
        SystemExit: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, function.__module__, function.__name__, json.dumps(arguments)],
        env={**os.environ, **(environment or {})},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{function.__name__} failed in a process of its own:\n{done.stderr}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    django.setup()
    _module, _name, _arguments = sys.argv[1:]
    print(json.dumps(getattr(importlib.import_module(_module), _name)(*json.loads(_arguments))))
