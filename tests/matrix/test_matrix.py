"""Every root cause of the outage is caught at every stage, and no stage complains about the healthy project."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from example_project.postgres import Postgres
from tests.matrix.causes import CAUSES, Cause
from tests.matrix.deployment import SOUND, Deployment, deployed
from tests.matrix.page import PAGE, row
from tests.matrix.stages import blind_stages


@pytest.fixture(scope="module")
def deployment(postgres: Postgres) -> Iterator[Deployment]:
    with deployed(postgres) as deployment:
        yield deployment


def test_no_stage_complains_about_the_healthy_project(deployment: Deployment) -> None:
    assert {title: codes for title, codes in deployment.found(SOUND).items() if codes} == {}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.title)
def test_every_stage_catches_the_root_cause_as_the_page_says(deployment: Deployment, cause: Cause) -> None:
    """The page is written by ``make matrix``."""
    caught = deployment.caught(cause)
    assert [title for title, codes in caught.items() if not codes] == [stage.title for stage in blind_stages(cause)]
    assert row(cause, caught) in PAGE.read_text().splitlines()
