"""Measure what healthguard costs, beside what it is compared with."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

import django
from django.core.management import call_command

from tests.benchmarks import page
from tests.benchmarks.database import database
from tests.benchmarks.load import is_wrk_here
from tests.benchmarks.turns import Effort

SECTIONS = ("servers", "cold", "schema", "migrations", "others", "imports", "services")


def main() -> int:
    """Measure, print, and write where asked to."""
    options = _options()
    if "servers" in options.sections and not is_wrk_here():
        print("wrk makes the load and is not here: apt-get install wrk, or brew install wrk.", file=sys.stderr)
        return 2
    effort = Effort(options.seconds, options.rounds)
    with database():
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        _tell("machine", importlib.import_module("tests.benchmarks.machine").facts(), options.write)
        for name in options.sections:
            # What it imports needs the settings.
            section = importlib.import_module(f"tests.benchmarks.{name}")
            _tell(name, section.measure(effort), options.write)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; all by default")
    parser.add_argument("--seconds", type=int, default=3, help="how long a server is under load at a time")
    parser.add_argument("--rounds", type=int, default=5, help="how often each has its turn")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    options.sections = options.sections or list(SECTIONS)
    return options


def _tell(section: str, text: str, target: Path | None) -> None:
    print(f"\n{section}\n\n{text}", flush=True)
    if target is not None:
        page.write(target, section, text)


if __name__ == "__main__":
    sys.exit(main())
