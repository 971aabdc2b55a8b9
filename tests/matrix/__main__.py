"""``make matrix``: run every stage on every root cause, and write docs/what-catches-what.md."""

from __future__ import annotations

import sys

from example_project.postgres import postgres
from tests.matrix.causes import CAUSES
from tests.matrix.deployment import SOUND, deployed
from tests.matrix.page import PAGE, render
from tests.matrix.stages import blind_stages


def main() -> int:
    """Write the page, and return 1 if a stage has missed a cause or complains about the healthy project."""
    with postgres() as server, deployed(server) as deployment:
        complaints = {title: codes for title, codes in deployment.found(SOUND).items() if codes}
        rows = {cause: deployment.caught(cause) for cause in CAUSES}
    PAGE.write_text(render(rows))
    missed = [
        f"{title}: {cause.title}"
        for cause, row in rows.items()
        for title, codes in row.items()
        if not codes and title not in [stage.title for stage in blind_stages(cause)]
    ]
    for line in [*missed, *map(str, complaints.items())]:
        print(line)
    return 1 if missed or complaints else 0


if __name__ == "__main__":
    sys.exit(main())
