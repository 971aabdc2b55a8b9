"""The objects of a kustomization have the files and lines in which the user has written them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from healthguard.kubernetes.reading.errors import UnreadableInputError
from healthguard.kubernetes.reading.kustomization.files import parse
from healthguard.kubernetes.reading.kustomization.patches import Patch, Subject
from healthguard.kubernetes.reading.kustomize import objects_of
from healthguard.kubernetes.reading.nodes import MapNode
from tests.kubernetes.reading.kustomization.folders import CONTAINER, DEPLOYMENT, entry, place, place_of, render, write

pytestmark = pytest.mark.usefixtures("program")

BASE = {"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": DEPLOYMENT}


def test_object_of_a_base_is_in_the_file_of_the_base(tmp_path: Path) -> None:
    write(tmp_path, {**BASE, "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\n"})
    deployment = render(tmp_path / "prod", f"{tmp_path}/prod")["Deployment"]
    assert (deployment.name, deployment.file) == ("prod-web", f"{os.path.realpath(tmp_path)}/base/web.yaml")
    assert place(deployment, *CONTAINER, "image")[1] == 11


@pytest.mark.parametrize(
    ("directory", "shown", "expected"),
    [
        (".", "prod", "base/web.yaml"),
        ("prod", ".", "../base/web.yaml"),
        ("prod", "../prod/", "../base/web.yaml"),
        ("base", "../prod", "web.yaml"),
    ],
)
def test_file_is_written_as_the_user_would_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory: str, shown: str, expected: str
) -> None:
    write(tmp_path, {**BASE, "prod/kustomization.yaml": "resources: [../base]\n"})
    monkeypatch.chdir(tmp_path / directory)
    assert render(Path(shown), shown)["Deployment"].file == expected


def test_file_in_the_folder_is_written_below_the_folder_as_given(tmp_path: Path) -> None:
    """The folder may be a symbolic link."""
    write(tmp_path, BASE)
    (tmp_path / "link").symlink_to("base")
    assert render(tmp_path / "link", "some/link")["Deployment"].file == "some/link/web.yaml"


def test_base_behind_a_symbolic_link_is_found(tmp_path: Path) -> None:
    write(tmp_path, {**BASE, "prod/kustomization.yaml": "resources: [link]\n"})
    (tmp_path / "prod" / "link").symlink_to("../base")
    deployment = render(tmp_path / "prod", f"{tmp_path}/prod")["Deployment"]
    assert place(deployment, *CONTAINER, "image") == (f"{os.path.realpath(tmp_path)}/base/web.yaml", 11)


def test_annotation_of_the_renderer_is_removed(tmp_path: Path) -> None:
    write(tmp_path, BASE)
    metadata = render(tmp_path / "base")["Deployment"].node.map_at("metadata")
    assert metadata is not None
    assert list(metadata.items) == ["name"]
    assert list(metadata.key_lines) == ["name"]


def test_annotations_of_the_user_are_kept(tmp_path: Path) -> None:
    write(tmp_path, {**BASE, "base/kustomization.yaml": "resources: [web.yaml]\ncommonAnnotations: {team: blue}\n"})
    annotations = render(tmp_path / "base")["Deployment"].node.map_at("metadata", "annotations")
    assert annotations is not None
    assert list(annotations.items) == ["team"]


def test_nothing_of_the_user_is_changed(tmp_path: Path) -> None:
    generator = "resources: [../base]\nsecretGenerator: [{name: keys, envs: [none.env]}]\n"
    write(tmp_path, {**BASE, "prod/kustomization.yaml": generator})
    before = snapshot(tmp_path)
    render(tmp_path / "prod")
    assert snapshot(tmp_path) == before


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return the time of the last change of each file and folder, and the content of each file."""
    paths = [root, *root.rglob("*")]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in paths}


def test_object_of_a_list_has_its_own_lines(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n"
    write(tmp_path, {"kustomization.yaml": "resources: [list.yaml]\n", "list.yaml": pod})
    assert place(render(tmp_path)["Pod"], "kind") == ("app/list.yaml", 5)


def test_object_is_found_among_others_of_its_kind(tmp_path: Path) -> None:
    """The name of one is a part of the name of the other."""
    pods = "".join(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n---\n" for name in ("web", "web-worker"))
    write(tmp_path, {"kustomization.yaml": "resources: [pods.yaml]\nnamePrefix: x-\n", "pods.yaml": pods})
    found = {each.name: each.node.line for each in objects_of(tmp_path, "app")}
    assert found == {"x-web": 1, "x-web-worker": 5}


STRATEGIC = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: web
        env:
        - name: THIRD
          value: "3"
        - name: FIRST
          value: changed
"""
JSON_PATCH = """\
- op: add
  path: /spec/template/spec/containers/0/env/-
  value:
    name: THIRD
    value: "3"
- op: replace
  path: /spec/template/spec/containers/0/env/0/value
  value: changed
"""


def inline(text: str, indentation: str = "    ") -> str:
    return "".join(f"{indentation}{line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("patches", "text", "file", "lines"),
    [
        ("patches:\n- path: patch.yaml\n", STRATEGIC, "app/patch.yaml", (11, 14)),
        ("patchesStrategicMerge:\n- patch.yaml\n", STRATEGIC, "app/patch.yaml", (11, 14)),
        ("patches:\n- patch: |\n" + inline(STRATEGIC), "", "app/kustomization.yaml", (14, 17)),
        (
            "patches:\n- target: {kind: Deployment, name: web}\n  path: patch.yaml\n",
            JSON_PATCH,
            "app/patch.yaml",
            (4, 8),
        ),
        (
            "patches:\n- target: {kind: Deploy.*}\n  patch: |-\n" + inline(JSON_PATCH),
            "",
            "app/kustomization.yaml",
            (8, 12),
        ),
    ],
    ids=["path", "patchesStrategicMerge", "inline", "JSON patch", "inline JSON patch"],
)
def test_value_of_a_patch_is_in_the_patch(
    tmp_path: Path, patches: str, text: str, file: str, lines: tuple[int, int]
) -> None:
    kustomization = "resources: [../base]\n" + patches
    write(tmp_path, {**BASE, "prod/kustomization.yaml": kustomization, "prod/patch.yaml": text})
    deployment = render(tmp_path / "prod")["Deployment"]
    third, first = entry(deployment, "THIRD"), entry(deployment, "FIRST")
    assert place_of(deployment, third) == (file, lines[0])
    assert place_of(deployment, first.at("value")) == (file, lines[1])
    assert place_of(deployment, first.at("name"))[0] == deployment.file


def test_patch_of_another_object_does_not_count(tmp_path: Path) -> None:
    """Both bases have an object of this name, but only one of them is patched."""
    files = {
        "one/kustomization.yaml": "resources: [../base]\nnamePrefix: one-\npatches: [{path: patch.yaml}]\n",
        "one/patch.yaml": STRATEGIC.replace("THIRD", "SECOND"),
        "two/kustomization.yaml": "resources: [web.yaml]\nnamePrefix: two-\n",
        "two/web.yaml": DEPLOYMENT,
        "all/kustomization.yaml": "resources: [../one, ../two]\n",
    }
    write(tmp_path, {**BASE, **files})
    two = next(each for each in objects_of(tmp_path / "all", "app") if each.name == "two-web")
    assert place_of(two, entry(two, "SECOND").at("value"))[0] == two.file


def test_patch_of_a_component_is_in_the_component(tmp_path: Path) -> None:
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: patch.yaml}]\n"
    files = {
        "extra/kustomization.yaml": component,
        "extra/patch.yaml": STRATEGIC,
        "prod/kustomization.yaml": "resources: [../base]\ncomponents: [../extra]\n",
    }
    write(tmp_path, {**BASE, **files})
    deployment = render(tmp_path / "prod", f"{tmp_path}/prod")["Deployment"]
    assert place_of(deployment, entry(deployment, "THIRD")) == (f"{os.path.realpath(tmp_path)}/extra/patch.yaml", 11)


GENERATOR = """\
secretGenerator:
- name: keys
  envs: [keys.env]
  files: [tls.crt, ca=certs/ca.pem]
  literals:
  - MODE=fast
"""
GENERATED = {
    "kustomization.yaml": GENERATOR,
    "keys.env": "# Keys\n\nFIRST=1\n  SECOND=2\nBARE\n",
    "tls.crt": "x",
    "certs/ca.pem": "x",
}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("MODE", ("app/kustomization.yaml", 6)),
        ("FIRST", ("app/keys.env", 3)),
        ("SECOND", ("app/keys.env", 4)),
        ("BARE", ("app/keys.env", 5)),
        ("tls.crt", ("app/tls.crt", 1)),
        ("ca", ("app/certs/ca.pem", 1)),
    ],
)
def test_generated_key_is_where_it_is_written(tmp_path: Path, key: str, expected: tuple[str, int]) -> None:
    write(tmp_path, GENERATED)
    assert place(render(tmp_path)["Secret"], "data", key) == expected


def test_generated_object_is_in_the_kustomization_file(tmp_path: Path) -> None:
    write(tmp_path, GENERATED)
    secret = render(tmp_path)["Secret"]
    assert (secret.file, secret.node.line, secret.is_partial) == ("app/kustomization.yaml", 2, False)


def test_key_that_an_overlay_merges_is_in_the_overlay(tmp_path: Path) -> None:
    generator = "configMapGenerator:\n- name: settings\n  {}literals:\n  - A=1\n  - {}=2\n"
    files = {
        "base/kustomization.yaml": generator.format("", "B"),
        "prod/kustomization.yaml": "resources: [../base]\n" + generator.format("behavior: merge\n  ", "C"),
    }
    write(tmp_path, files)
    settings = render(tmp_path / "prod", f"{tmp_path}/prod")["ConfigMap"]
    places = {key: place(settings, "data", key) for key in "ABC"}
    prod, base = f"{tmp_path}/prod/kustomization.yaml", f"{os.path.realpath(tmp_path)}/base/kustomization.yaml"
    assert places == {"A": (prod, 6), "B": (base, 5), "C": (prod, 7)}


@pytest.mark.parametrize("missing", ["keys.env", "tls.crt", "certs/ca.pem"])
def test_keys_of_a_missing_file_are_not_known(tmp_path: Path, missing: str) -> None:
    """A value that is not known must not be taken for an empty one."""
    write(tmp_path, GENERATED)
    (tmp_path / missing).unlink()
    secret = render(tmp_path)["Secret"]
    data = secret.node.map_at("data")
    assert data is not None
    expected = {"keys.env": {"tls.crt", "ca"}, "tls.crt": {"ca"}, "certs/ca.pem": {"tls.crt"}}[missing]
    assert expected | {"MODE"} <= data.items.keys()
    assert {"tls.crt", "ca"} - expected == {"tls.crt", "ca"} - data.items.keys()
    assert secret.is_partial


def test_file_that_is_missing_in_a_base_does_not_move_the_lines_of_other_objects(tmp_path: Path) -> None:
    base = "resources: [web.yaml]\nsecretGenerator: [{name: keys, envs: [keys.env]}]\n"
    prod = {
        "prod/kustomization.yaml": "resources: [../base]\npatches: [{path: patch.yaml}]\n",
        "prod/patch.yaml": STRATEGIC,
    }
    write(tmp_path, {**BASE, "base/kustomization.yaml": base, **prod})
    objects = render(tmp_path / "prod", f"{tmp_path}/prod")
    deployment, real = objects["Deployment"], os.path.realpath(tmp_path)
    assert (deployment.file, deployment.is_partial) == (f"{real}/base/web.yaml", False)
    assert place_of(deployment, entry(deployment, "THIRD")) == (f"{tmp_path}/prod/patch.yaml", 11)
    assert (objects["Secret"].file, objects["Secret"].is_partial) == (f"{real}/base/kustomization.yaml", True)


def test_base_behind_a_symbolic_link_is_copied_if_a_file_is_missing(tmp_path: Path) -> None:
    generator = "resources: [link]\nsecretGenerator: [{name: keys, envs: [none.env]}]\n"
    write(tmp_path, {**BASE, "prod/kustomization.yaml": generator})
    (tmp_path / "prod" / "link").symlink_to("../base")
    deployment = render(tmp_path / "prod", f"{tmp_path}/prod")["Deployment"]
    assert place(deployment, *CONTAINER, "image") == (f"{os.path.realpath(tmp_path)}/base/web.yaml", 11)


def test_generator_with_all_files_is_complete_beside_one_with_a_missing_file(tmp_path: Path) -> None:
    """The name of one generator is a part of the name of the other."""
    generators = "secretGenerator:\n- {name: keys, envs: [none.env]}\n- {name: web-keys, literals: [A=1]}\n"
    write(tmp_path, {"kustomization.yaml": generators})
    assert {each.name[:8]: each.is_partial for each in objects_of(tmp_path, "app")} == {
        "keys-46f": True,
        "web-keys": False,
    }


def test_object_of_a_remote_base_is_on_the_line_that_names_the_base(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write(repository, BASE)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=repository, check=True, timeout=60)
    resources = f"resources:\n- other.yaml\n- file://{repository}//base?ref=main\n"
    other = "apiVersion: v1\nkind: Pod\nmetadata: {name: other}\n"
    write(tmp_path, {"prod/kustomization.yaml": resources, "prod/other.yaml": other})
    deployment = render(tmp_path / "prod")["Deployment"]
    assert place(deployment, *CONTAINER, "image") == ("app/kustomization.yaml", 3)


def test_rendered_output_beyond_a_limit_is_reported(tmp_path: Path) -> None:
    nested = "a: " + "[" * 300 + "]" * 300
    text = f"apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: x}}\n{nested}\n"
    write(tmp_path, {"kustomization.yaml": "resources: [deep.yaml]\n", "deep.yaml": text})
    with pytest.raises(UnreadableInputError, match="The rendered folder is not valid: Lists and mappings are nested"):
        render(tmp_path)


def test_selector_with_a_slow_pattern_selects_nothing() -> None:
    """Python's own engine would compare it for hours. That of kustomize needs no more than a moment."""
    (target,) = parse("name: (a+)+b")
    assert isinstance(target, MapNode)
    assert not Patch(target, target).is_applied_to(Subject("Deployment", ("a" * 40,), ""))
    assert Patch(target, target).is_applied_to(Subject("Deployment", ("a" * 40 + "b",), ""))
