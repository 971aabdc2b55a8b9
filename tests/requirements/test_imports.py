"""The requirements are read and judged without Django."""

from __future__ import annotations

import subprocess
import sys

from tests.support.sites import REPOSITORY

PROGRAM = """
import sys
from healthguard.requirements import *
from healthguard.requirements.document import from_json, to_json
requirement = VariableRequirement(("STRIPE_KEY",), pattern="^sk_")
assert from_json(to_json(Requirements((requirement,)))).variables == (requirement,)
assert requirement.problem("STRIPE_KEY", "pk_live_51HxT3kq").code == "variable_mismatch"
print(sorted({name.partition(".")[0] for name in sys.modules} & {"django", "health_check", "httpx", "asgiref"}))
"""


def test_requirements_are_judged_without_django() -> None:
    """No module of Django, django-health-check or an HTTP client is imported."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
