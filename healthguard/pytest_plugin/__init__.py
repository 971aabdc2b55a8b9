"""The pytest plugin: one test item per declared check with ``--healthguard``, and the fixture ``healthguard``.

pytest imports this module when it starts, in every project. Therefore it imports only pytest and the standard library.
The modules that import Django are imported when they are used.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from healthguard.pytest_plugin.fixture import HealthGuard

__all__ = ["DegradedWarning", "HealthGuard"]

_OPTION = "healthguard"
_DEPLOYMENT = "deployment"
_PYTEST_DJANGO = ("django", "pytest_django.plugin")
"""The names under which pytest-django may be registered: that of its entry point, and that of its module."""


class DegradedWarning(pytest.PytestWarning):
    """A check is degraded. Its item passes, unless pytest turns this warning into an error."""


class _SetMode(argparse.Action):
    """An option without a value. The option string itself is the mode.

    With an optional value, ``pytest --healthguard tests/`` would take ``tests/`` as the value.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        mode = (option_string or "").partition("=")[2]
        setattr(namespace, self.dest, mode or "tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("healthguard").addoption(
        "--healthguard",
        # argparse searches for the whole argument among the option strings before it splits it at "=".
        f"--healthguard={_DEPLOYMENT}",
        action=_SetMode,
        nargs=0,
        dest=_OPTION,
        default=None,
        help="Add a test for each check that the HEALTHGUARD setting declares. With --healthguard=deployment, also run "
        "the checks of the environment: secrets, variables, the name of the database and AI keys.",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Check that the option can be used.

    Raises:
        UsageError: pytest-django or the settings are missing.
    """
    if session.config.getoption(_OPTION) is None:
        return
    if not any(map(session.config.pluginmanager.hasplugin, _PYTEST_DJANGO)):
        raise pytest.UsageError(
            "--healthguard needs pytest-django, which is not installed or is disabled. Install it with 'pip install "
            "pytest-django', and do not disable it with '-p no:django'."
        )
    if not _is_configured():
        raise pytest.UsageError(f"--healthguard needs the settings of a Django project. {_HOW_TO_CONFIGURE}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """Add the items before other plugins sort and select what was collected.

    They come first. A table that is missing also makes other tests fail, and a test may define models without tables.
    """
    if (mode := config.getoption(_OPTION)) is not None:
        from healthguard.pytest_plugin.collectors import DeclaredChecks

        _do_not_skip_files(config)
        items[:0] = session.genitems(DeclaredChecks.from_session(session, is_deployment=mode == _DEPLOYMENT))
    return (yield)


@pytest.fixture
def healthguard_data() -> None:
    """Create nothing. Override it in the conftest.py of the root folder to create rows that the checks need.

    Each item of ``--healthguard`` that uses a database requests this fixture, after the fixture of the database.
    """


@pytest.fixture
def healthguard() -> HealthGuard:
    """Return the health of the project under test: a report of its services, and simulated failures."""
    if not _is_configured():
        pytest.fail(f"The fixture 'healthguard' needs the settings of a Django project. {_HOW_TO_CONFIGURE}", False)
    return HealthGuard()


def _do_not_skip_files(config: pytest.Config) -> None:
    """Let the items be collected with ``--lf``. All other files have been collected at this point.

    pytest would skip the file of the settings, which has no failed tests: those of the items have ids of their own.
    """
    skipping = config.pluginmanager.get_plugin("lfplugin-collskip")
    if skipping is not None:
        config.pluginmanager.unregister(skipping)


def _is_configured() -> bool:
    from django.conf import settings

    return bool(settings.configured)


_HOW_TO_CONFIGURE = (
    "Name them in DJANGO_SETTINGS_MODULE, in pytest's configuration or in the environment, or with pytest-django's "
    "option --ds."
)
