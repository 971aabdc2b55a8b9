"""The search for other installed distributions that provide the package ``healthguard``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions

DISTRIBUTION = "django-healthguard"
PACKAGE = "healthguard"


def other_distributions() -> list[str]:
    """Return the names of the other installed distributions that provide this package.

    Two distributions with the same package overwrite each other's files, and uninstalling one of them deletes files of
    the other. A project named ``healthguard`` that is not this one exists on the package index.

    File lists are searched as text: ``importlib.metadata.packages_distributions()`` parses all of them, which takes
    about eight times as long.
    """
    names = {name for distribution in _installed() if (name := _name_of_provider(distribution))}
    return sorted(names - {DISTRIBUTION})


def _installed() -> Iterator[Distribution]:
    try:
        yield from distributions()
    except Exception:
        # A third-party finder on sys.meta_path may raise. Then the remaining distributions cannot be listed.
        return


def _name_of_provider(distribution: Distribution) -> str | None:
    """Return the normalized name of a distribution that provides this package, or None."""
    try:
        return _normalize(distribution.name) if _provides_package(distribution) else None
    except Exception:
        # The metadata is damaged, incomplete or unreadable. pip could not uninstall this distribution by name.
        return None


def _provides_package(distribution: Distribution) -> bool:
    declared = distribution.read_text("top_level.txt") or ""  # written by setuptools, also in editable installs
    if PACKAGE in declared.split():
        return True
    files = distribution.read_text("RECORD") or ""
    return f"\n{PACKAGE}/" in f"\n{files}"


def _normalize(name: str) -> str:
    """Return the name as the package index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
