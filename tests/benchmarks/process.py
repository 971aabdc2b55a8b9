"""Calls of functions in new processes, in which nothing is cached."""

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
    """Return the result of ``function`` in a new process in which Django is set up.

    The arguments and the result are transferred as JSON.

    Args:
        function: a module-level function.
        arguments: its arguments.
        environment: environment variables of the process, in addition to those of this one.

    Raises:
        SystemExit: the process failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, function.__module__, function.__name__, json.dumps(arguments)],
        env={**os.environ, **(environment or {})},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{function.__name__} failed in a new process:\n{done.stderr}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    django.setup()
    _module, _name, _arguments = sys.argv[1:]
    print(json.dumps(getattr(importlib.import_module(_module), _name)(*json.loads(_arguments))))
