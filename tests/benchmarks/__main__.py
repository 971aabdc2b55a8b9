"""The command line."""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks import servers
from tests.benchmarks.turns import Effort

SECTIONS = {"servers": servers.measure}


def main() -> int:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--seconds", type=int, default=3, help="how long a server is under load at a time")
    parser.add_argument("--rounds", type=int, default=5, help="how often each has its turn")
    options = parser.parse_args()
    for name in options.sections or SECTIONS:
        print(f"\n## {name}\n\n{SECTIONS[name](Effort(options.seconds, options.rounds))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
