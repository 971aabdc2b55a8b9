"""The gunicorn configuration: ``gunicorn --config python:example_project.gunicorn_conf``."""

from typing import Any


def post_worker_init(worker: Any) -> None:
    """Run all checks once before the worker accepts requests, so that no probe gets ``unknown`` from it."""
    from healthguard.probes import warm_up

    warm_up()
