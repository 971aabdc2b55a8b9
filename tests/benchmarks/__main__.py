"""Measure the cost of healthguard, and of the tools that it is compared with."""

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

SECTIONS = ("servers", "cold", "schema", "migrations", "others", "imports", "probe", "services", "workers")


def main() -> int:
    """Run the benchmarks, print their tables, and write them to the page if there is one."""
    options = _options()
    if "servers" in options.sections and not is_wrk_here():
        print(
            "wrk, which generates the load, is not installed. Run: apt-get install wrk, or: brew install wrk",
            file=sys.stderr,
        )
        return 2
    effort = Effort(options.seconds, options.rounds)
    with database():
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        _publish("machine", importlib.import_module("tests.benchmarks.machine").facts(), options.write)
        for name in options.sections:
            # Imported here because its imports need the settings.
            section = importlib.import_module(f"tests.benchmarks.{name}")
            _publish(name, section.measure(effort), options.write)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", metavar="section", help=f"the sections to measure: {', '.join(SECTIONS)}; all by default"
    )
    parser.add_argument(
        "--seconds", type=int, default=3, help="the duration of each load on a server (seconds, default: 3)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="the number of rounds (default: 5)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the tables to this page")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"unknown section: {', '.join(sorted(unknown))}")
    options.sections = options.sections or list(SECTIONS)
    return options


def _publish(section: str, text: str, target: Path | None) -> None:
    print(f"\n{section}\n\n{text}", flush=True)
    if target is not None:
        page.write(target, section, text)


if __name__ == "__main__":
    sys.exit(main())
