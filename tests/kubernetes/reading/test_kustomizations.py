"""The kustomizations of a folder: which are rendered, and which files belong to them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from healthguard.kubernetes.reading.inputs import Inputs, read
from healthguard.kubernetes.reading.kustomizations import load_kustomization, select_roots
from tests.kubernetes.reading.kubectl import find_kubectl

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def roots(folder: Path) -> list[str]:
    """Return the folders of the kustomizations that are rendered."""
    loaded = [load_kustomization(str(path)) for path in sorted(folder.rglob("[kK]ustomization*"))]
    selected = select_roots([each for each in loaded if each is not None])
    return [Path(each.folder).relative_to(folder).as_posix() for each in selected]


def read_folder(folder: Path) -> Inputs:
    pytest.importorskip("healthguard.kubernetes.reading.kustomize")
    find_kubectl()
    return read([str(folder)], io.BytesIO())


def test_only_overlays_are_rendered(tmp_path: Path) -> None:
    """A base is rendered as a part of each overlay."""
    write(
        tmp_path,
        {
            "base/kustomization.yaml": "resources: [web.yaml]\n",
            "overlays/production/kustomization.yml": "resources:\n- ../../base\ncomponents: [../../debug]\n",
            "overlays/staging/Kustomization": "bases: [../../base/]\n",
            "debug/kustomization.yaml": "kind: Component\n",
            "unused/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
            "alone/kustomization.yaml": "resources: [x.yaml]\n",
        },
    )
    assert roots(tmp_path) == ["alone", "overlays/production", "overlays/staging"]


def test_name_of_a_folder_in_another_field_is_not_a_reference(tmp_path: Path) -> None:
    write(tmp_path, {"kustomization.yaml": "namespace: base\n", "base/kustomization.yaml": "resources: []\n"})
    assert roots(tmp_path) == [".", "base"]


def test_one_of_a_circle_is_rendered(tmp_path: Path) -> None:
    """Rendering it reports the circle."""
    write(
        tmp_path,
        {
            "a/kustomization.yaml": "resources: [../b]\n",
            "b/kustomization.yaml": "resources: [../a]\n",
            "c/kustomization.yaml": "resources: [.]\n",
        },
    )
    assert roots(tmp_path) == ["a", "c"]


@pytest.mark.parametrize("text", ["", "a: [\n", "- a\n", "\0", "{{ x }}"])
def test_invalid_kustomization_is_rendered(text: str, tmp_path: Path) -> None:
    """Rendering it reports the error."""
    write(tmp_path, {"x/kustomization.yaml": text})
    assert roots(tmp_path) == ["x"]


def test_object_of_flux_is_not_a_kustomization(tmp_path: Path) -> None:
    flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: x}\n---\n"
    write(tmp_path, {"kustomization.yaml": flux + CONFIG_MAP.format(name="other")})
    inputs = read([str(tmp_path)], io.BytesIO())
    assert ([each.name for each in inputs.objects], inputs.errors, inputs.rendered_count) == (["x", "other"], (), 0)


def test_files_of_generators_and_patches_belong_to_the_kustomization(tmp_path: Path) -> None:
    text = (
        "resources: [a.yaml, https://example.com/x.yaml]\npatches:\n- path: b.yaml\n- patch: |\n    c.yaml\n"
        "secretGenerator:\n- name: x\n  files: [key=d.yaml, e.yaml]\n  envs: [none.env]\n"
    )
    write(
        tmp_path, {"kustomization.yaml": text, **dict.fromkeys(("a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"), "x")}
    )
    kustomization = load_kustomization(str(tmp_path / "kustomization.yaml"))
    assert kustomization is not None
    assert {Path(path).name for path in kustomization.files} == {"a.yaml", "b.yaml", "d.yaml", "e.yaml"}


def test_resources_and_patches_are_not_read_a_second_time(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "base/kustomization.yaml": "resources: [x.yaml]\n",
            "base/x.yaml": CONFIG_MAP.format(name="x"),
            "overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: my-\npatches: [{path: p.yaml}]\n",
            "overlay/p.yaml": f"{CONFIG_MAP.format(name='x')}data: {{a: b}}\n",
            "plain/y.yaml": CONFIG_MAP.format(name="other"),
        },
    )
    inputs = read_folder(tmp_path)
    assert sorted(each.name for each in inputs.objects) == ["my-x", "other"]
    assert (inputs.errors, inputs.unread, inputs.summary) == ((), (), "2 objects in 1 file and 1 kustomization")


def test_manifest_that_no_kustomization_names_is_noted(tmp_path: Path) -> None:
    """It may be a patch that is not used at the moment, so it is not checked."""
    write(
        tmp_path,
        {
            "kustomization.yaml": "resources: [x.yaml]\n",
            "x.yaml": CONFIG_MAP.format(name="x"),
            "sub/y.yaml": CONFIG_MAP.format(name="other"),
            "values.yaml": "a: 1\n",
        },
    )
    inputs = read_folder(tmp_path)
    assert ([each.name for each in inputs.objects], inputs.errors) == (["x"], ())
    assert [note.file for note in inputs.unread] == [str(tmp_path / "sub/y.yaml")]


def test_file_that_is_named_is_read_alone(tmp_path: Path) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [x.yaml]\n", "x.yaml": CONFIG_MAP.format(name="x")})
    inputs = read([str(tmp_path / "x.yaml")], io.BytesIO())
    assert ([each.name for each in inputs.objects], inputs.rendered_count) == (["x"], 0)
