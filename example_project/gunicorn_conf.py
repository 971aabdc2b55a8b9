"""gunicorn's configuration: ``gunicorn --config python:example_project.gunicorn_conf``."""

from typing import Any


def post_worker_init(worker: Any) -> None:
    """Check everything once before the worker takes requests, so that no probe meets one that knows nothing yet."""
    from healthguard.probes import warm_up

    warm_up()
