"""The containers of the application are found, and an empty selection is explained."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.selection import choose
from healthguard.requirements.requirement import Requirements
from tests.kubernetes.environment.manifests import cluster_of
from tests.kubernetes.rules.requirement_doubles import Need

REQUIREMENTS = Requirements((Need(("API_KEY", "API_TOKEN")), Need(("DATABASE_URL",), is_for_jobs=True)))


def workload(kind: str, *containers: str, init: str = "", name: str = "shop") -> str:
    listed = ", ".join(containers)
    spec = f"{{initContainers: [{init}], containers: [{listed}]}}"
    template = f"{{template: {{spec: {spec}}}}}"
    job = f"{{jobTemplate: {{spec: {template}}}}}"
    return (
        f"apiVersion: x/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {job if kind == 'CronJob' else template}\n"
    )


def container(name: str, *variables: str, image: str = "shop:1", more: str = "") -> str:
    env = ", ".join(f"{{name: {variable}, value: a}}" for variable in variables)
    return f"{{name: {name}, image: '{image}', env: [{env}]{more}}}"


def chosen(*texts: str, names: tuple[str, ...] = ()) -> list[str]:
    return [each.name for each in choose(cluster_of(*texts), REQUIREMENTS, names).containers]


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {API_KEY: a, KEY: b}\n"
MIGRATE = ", command: [python, manage.py, migrate]"

CASES = {
    "a required name": ([workload("Deployment", container("web", "API_KEY"))], ["web"]),
    "an alternative name": ([workload("Deployment", container("web", "API_TOKEN"))], ["web"]),
    "another name": ([workload("Deployment", container("web", "API_KEYS"))], []),
    "a key of envFrom": (
        [workload("Deployment", "{name: web, envFrom: [{secretRef: {name: s}}]}"), SECRET],
        ["web"],
    ),
    "a key of envFrom with its prefix": (
        [workload("Deployment", "{name: web, envFrom: [{prefix: API_, secretRef: {name: s}}]}"), SECRET],
        ["web"],
    ),
    "a source that stands in no input": (
        [workload("Deployment", "{name: web, envFrom: [{secretRef: {name: s}}]}", container("other"))],
        ["web"],
    ),
    "a source that stands in no input, beside a required name": (
        [workload("Deployment", "{name: a, envFrom: [{secretRef: {name: s}}]}", container("web", "API_KEY"))],
        ["web"],
    ),
    "a name in a mapping": ([workload("Deployment", "{name: web, env: {API_KEY: a}}")], ["web"]),
    "a name in a text": ([workload("Deployment", "{name: web, env: [API_KEY=a]}")], ["web"]),
    "a misspelled reference": (
        [workload("Deployment", "{name: web, envFrom: [{secretKeyRef: {name: s}}]}"), SECRET],
        ["web"],
    ),
    "a CronJob": ([workload("CronJob", container("nightly", "DATABASE_URL"))], ["nightly"]),
    "a custom resource": ([workload("Website", container("web", "API_KEY"))], []),
    "a helper in the same pod": (
        [
            workload(
                "Deployment",
                container("web", "API_KEY", "DATABASE_URL"),
                container("pool", "DATABASE_URL", image="pgbouncer"),
            )
        ],
        ["web"],
    ),
    "a second program of the same image": (
        [workload("Deployment", container("web", "API_KEY", "DATABASE_URL"), container("beat", "API_KEY"))],
        ["web", "beat"],
    ),
    "a program in another pod": (
        [
            workload("Deployment", container("web", "API_KEY", "DATABASE_URL")),
            workload("Deployment", container("worker", "DATABASE_URL", image="worker:1")),
        ],
        ["web", "worker"],
    ),
    "an init container that migrates": (
        [workload("Deployment", container("web", "API_KEY"), init=container("migrate", more=MIGRATE))],
        ["migrate", "web"],
    ),
    "an init container that copies files": (
        [workload("Deployment", container("web", "API_KEY"), init=container("copy", more=", command: [cp, a, b]"))],
        ["web"],
    ),
    "an init container that collects files": (
        [
            workload(
                "Deployment",
                container("web", "API_KEY"),
                init=container("static", more=", command: [python, manage.py, collectstatic]"),
            )
        ],
        ["web"],
    ),
    "a Job of the same image": (
        [
            workload("Deployment", container("web", "API_KEY", image="r.example:5000/shop:1")),
            workload("Job", container("migrate", image="r.example:5000/shop@sha256:aa", more=MIGRATE)),
        ],
        ["web", "migrate"],
    ),
    "a Job of another image": (
        [
            workload("Deployment", container("web", "API_KEY")),
            workload("Job", container("migrate", image="other", more=MIGRATE)),
        ],
        ["web"],
    ),
}


@pytest.mark.parametrize(("texts", "expected"), CASES.values(), ids=list(CASES))
def test_containers_of_the_application_are_chosen(texts: list[str], expected: list[str]) -> None:
    """The containers that bring a required name are chosen, and the management commands of their image."""
    assert chosen(*texts) == expected


def test_named_containers_are_chosen_in_any_kind() -> None:
    """The option names containers, also those of custom resources."""
    texts = [workload("Website", container("web")), workload("Deployment", container("other", "API_KEY"))]
    assert chosen(*texts, names=("web",)) == ["web"]


def explanation(*texts: str, names: tuple[str, ...] = ()) -> str:
    return choose(cluster_of(*texts), REQUIREMENTS, names).explanation


def test_empty_selection_names_the_kinds_that_were_read() -> None:
    """Without a workload, the explanation names the kinds of the inputs."""
    assert explanation(SECRET).startswith("The inputs contain only Secret, so no container was checked.")


def test_empty_selection_names_similar_variables() -> None:
    """A misspelled variable is named as the probable reason."""
    text = explanation(workload("Deployment", container("web", "API_KEYS")))
    assert "Similar names: API_KEYS (required: API_KEY)." in text


def test_unknown_container_is_explained() -> None:
    """A name that no container has is an empty selection, even beside one that exists."""
    text = explanation(workload("Deployment", container("web", "API_KEY")), names=("web", "wbe"))
    assert text.startswith("No container is named wbe. The containers are web.")


def test_selection_without_requirements_is_explained() -> None:
    """Without a required variable and without a named container, nothing can be chosen."""
    selection = choose(cluster_of(workload("Deployment", container("web", "API_KEY"))), Requirements(()), ())
    assert (selection.containers, selection.explanation[:26]) == ((), "No variables are required.")
