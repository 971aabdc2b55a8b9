"""A folder that cannot be rendered is explained in words, at the file and line of the cause."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from healthguard.kubernetes.reading.errors import InputError, UnreadableInputError
from healthguard.kubernetes.reading.kustomization.program import Program
from tests.kubernetes.reading.kustomization.folders import render, write

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: x-\n"
SECRET = "hunter2"
FAULTS: dict[str, tuple[dict[str, str], str, int | None, str]] = {
    "missing resource": ({"kustomization.yaml": "resources:\n- a.yaml\n- b.yaml\n"}, "", 3, '"b.yaml" does not exist.'),
    "missing patch": (
        {"kustomization.yaml": "resources: [a.yaml]\npatches:\n- path: none.yaml\n"},
        "",
        3,
        '"none.yaml" does not exist.',
    ),
    "unknown field": (
        {"kustomization.yaml": "resources: [a.yaml]\nressources: []\n"},
        "",
        2,
        "kustomize does not have a field ressources.",
    ),
    "file outside": (
        {"kustomization.yaml": "resources:\n- ../outside.yaml\n", "../outside.yaml": POD},
        "",
        2,
        'The file "../outside.yaml" is outside of the folder of the kustomization, so that kustomize refuses it.',
    ),
    "remote": (
        {"kustomization.yaml": "resources: ['https://git.invalid/a/b?ref=main']\n"},
        "",
        1,
        "A remote base could not be fetched.",
    ),
    "helm": (
        {"kustomization.yaml": "namePrefix: x-\nhelmCharts:\n- {name: x, repo: 'https://charts.invalid'}\n"},
        "",
        2,
        "The kustomization renders a Helm chart, which is off by default.",
    ),
    "plugin": (
        {
            "kustomization.yaml": "generators: [plugin.yaml]\n",
            "plugin.yaml": "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {name: g}\nfiles: [secret.yaml]\n",
        },
        "",
        1,
        "The kustomization needs a plugin, which is off by default.",
    ),
    "component as resource": (
        {
            "kustomization.yaml": "resources: [part]\n",
            "part/kustomization.yaml": COMPONENT,
        },
        "/part",
        None,
        "A component is listed as a resource.",
    ),
    "cycle": (
        {"kustomization.yaml": "resources: [part]\n", "part/kustomization.yaml": "resources: [..]\n"},
        "/part",
        1,
        "The kustomization is one of its own resources.",
    ),
    "two files": (
        {"kustomization.yaml": "resources: [a.yaml]\n", "kustomization.yml": "resources: [a.yaml]\n"},
        "",
        None,
        "The folder has more than one kustomization file.",
    ),
    "folder without kustomization": (
        {"kustomization.yaml": "resources: [part]\n", "part/a.yaml": POD},
        "",
        1,
        "A folder is listed that has no kustomization file.",
    ),
    "same object twice": (
        {"kustomization.yaml": "resources: [a.yaml, b.yaml]\n", "b.yaml": POD},
        "",
        1,
        "Two resources have the same kind, name and namespace.",
    ),
    "patch without target": (
        {
            "kustomization.yaml": "resources: [a.yaml]\npatches: [{path: b.yaml}]\n",
            "b.yaml": POD.replace("name: p", "name: q"),
        },
        "",
        2,
        "A patch names an object that is not among the resources.",
    ),
    "patch with a value": (
        {"kustomization.yaml": f"resources: [a.yaml]\npatches: [{{patch: 'password: {SECRET}'}}]\n"},
        "",
        2,
        "A patch is neither an object nor a list of JSON patch operations.",
    ),
    "literal with a value": (
        {"kustomization.yaml": f"secretGenerator:\n- name: x\n  literals: [{SECRET}]\n"},
        "",
        1,
        "A literal of a generator is not of the form NAME=value.",
    ),
    "merge without base": (
        {"kustomization.yaml": f"secretGenerator: [{{name: x, behavior: merge, literals: [A={SECRET}]}}]\n"},
        "",
        1,
        "A generator with the behavior merge or replace has no generator of this name to change.",
    ),
    "not an object": (
        {"kustomization.yaml": "resources: [b.yaml]\n", "b.yaml": f"password: {SECRET}\n"},
        "",
        1,
        "A file is listed that is not an object of Kubernetes.",
    ),
    "empty": ({"kustomization.yaml": ""}, "", None, "The kustomization file is empty."),
}


def fault_of(folder: Path) -> InputError:
    with pytest.raises(UnreadableInputError) as caught:
        render(folder)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.error)
    assert str(folder) not in str(caught.value)
    return caught.value.error


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(("files", "folder", "line", "message"), FAULTS.values(), ids=FAULTS)
def test_fault_is_explained_at_its_place(
    tmp_path: Path, files: dict[str, str], folder: str, line: int | None, message: str
) -> None:
    write(tmp_path / "app", {"a.yaml": POD, **files})
    fault = fault_of(tmp_path / "app")
    assert (fault.file, fault.line, fault.message) == (f"app{folder}/kustomization.yaml", line, message)


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n  A: {SECRET}\n  A: {SECRET}\n", 6),
        (f"apiVersion: v1\nkind: Secret\nstringData:\n  A: *{SECRET}\n", 4),
        (f"apiVersion: v1\nkind: Secret\nstringData:\n  A: b\n   {SECRET}: c\n", 5),
    ],
    ids=["key twice", "alias", "indentation"],
)
def test_file_that_is_not_valid_is_named_with_the_line(tmp_path: Path, text: str, line: int) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [b.yaml]\n", "b.yaml": text})
    fault = fault_of(tmp_path)
    assert (fault.file, fault.line) == ("app/b.yaml", line)


@pytest.mark.usefixtures("program")
def test_fault_is_reported_at_the_file_of_the_user_if_another_file_is_missing(tmp_path: Path) -> None:
    generator = "secretGenerator: [{name: x, envs: [none.env]}]\nresources:\n- none.yaml\n"
    write(tmp_path, {"kustomization.yaml": generator})
    fault = fault_of(tmp_path)
    assert (fault.file, fault.line, fault.message) == ("app/kustomization.yaml", 3, '"none.yaml" does not exist.')


def test_unknown_error_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "kustomize"
    write(tmp_path, {"bin/kustomize": f"#!/bin/sh\necho 'Error: bad {SECRET}' >&2; exit 1\n"})
    program.chmod(0o755)
    write(tmp_path / "app", {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": POD})
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    fault = fault_of(tmp_path / "app")
    assert fault.message == "kustomize could not render the folder."
    assert "kustomize build app " in fault.remedy


def test_command_in_the_remedy_can_be_pasted(tmp_path: Path, program: Program) -> None:
    write(tmp_path, {"kustomization.yaml": "helmCharts: [{name: x, repo: 'https://charts.invalid'}]\n"})
    with pytest.raises(UnreadableInputError) as caught:
        render(tmp_path, "my app; ls")
    assert f"{program.name} {program.command} 'my app; ls' --enable-helm | " in caught.value.error.remedy


def test_missing_program_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": POD})
    monkeypatch.setenv("PATH", "")
    fault = fault_of(tmp_path)
    assert fault.file == "app"
    assert "neither kustomize nor kubectl is on PATH" in fault.message
    assert "kubectl kustomize app | python -m healthguard.kubernetes -" in fault.remedy


def test_folder_without_kustomization_is_reported(tmp_path: Path) -> None:
    assert fault_of(tmp_path).message == "The folder does not have a kustomization."


def test_named_pipe_as_a_kustomization_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kustomization.yaml")
    assert fault_of(tmp_path).message == "The folder does not have a kustomization."
