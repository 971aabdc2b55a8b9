"""The blocks of docs/testing.md work as they stand."""

from __future__ import annotations

import re

from tests.pytest_plugin.conftest import Suite
from tests.support.sites import REPOSITORY

PAGE = (REPOSITORY / "docs" / "testing.md").read_text()
BLOCKS = dict(re.findall(r"^```python\n# (\S+)\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL))
SERVICES = """{
    "database": ModelSchema(),
    "cache": Passes(),
    "license": "checks.LicenseServer",
    "user": Service(NeedsCustomer(), critical=False),
}"""
CHECKS = """
from health_check.base import HealthCheck
import dataclasses

@dataclasses.dataclass
class NeedsCustomer(HealthCheck):
    def run(self):
        from django.contrib.auth.models import User
        User.objects.get(username="customer")
"""


def test_blocks_work_as_they_stand(suite: Suite) -> None:
    assert set(BLOCKS) == {"checks.py", "conftest.py", "test_outage.py"}
    suite.declare(SERVICES, checks=CHECKS)
    for name, code in BLOCKS.items():
        suite.write(name, code)
    finished = suite.run("--healthguard", "-v", "-k", "not sabotage and not own")
    assert finished.outcomes == {
        "healthguard::database::ModelSchema": "passed",
        "healthguard::cache::Passes": "passed",
        "healthguard::license::LicenseServer": "skipped",
        "healthguard::user::NeedsCustomer": "passed",
        "test_outage.py::test_pod_without_tables_gets_no_traffic": "passed",
        "test_outage.py::test_slow_cache_is_only_reported": "passed",
    }
