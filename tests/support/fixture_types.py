"""The types of the fixtures that are functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from healthguard.status import CheckResult, Problem

RunCheck = Callable[[Any], CheckResult]
"""``result(check)`` runs one check and returns its result."""

FindProblem = Callable[[Any], Problem]
"""``problem(check)`` runs one check, which must fail, and returns its problem."""

RunAsService = Callable[..., list[CheckResult]]
"""``run_as_a_service(*checks)`` runs the checks as one service and returns their results."""

Declare = Callable[..., None]
"""``healthguard_settings({"name": check}, DEADLINE=1)`` declares services until the test ends."""

Connect = Callable[..., str]
"""``connect(url, alias="other", **settings)`` makes a database an alias and returns the alias."""
