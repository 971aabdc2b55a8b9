"""Secrets that are written in a manifest where a name is expected."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.examination import Examination, examine
from healthguard.kubernetes.formats import github, json, sarif, text
from healthguard.kubernetes.redaction import redact
from healthguard.requirements.requirement import Requirements
from healthguard.requirements.variable import VariableRequirement
from tests.kubernetes.manifests import objects

SECRET = "Zq7Wx9Kv3Jt5Hn8"
WEAK = "hunter2hunter"
REQUIREMENTS = Requirements((VariableRequirement(("SECRET_KEY",), "test"),))
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: web
          image: shop
          %s
"""
KEYS = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys}\n"
FROM_KEYS = "envFrom: [{secretRef: {name: keys}}]"
REFERENCE = "{name: SECRET_KEY, valueFrom: {secretKeyRef: {name: %s, key: %s}}}"


def examined(container: str, more: str = "") -> Examination:
    found = objects(DEPLOYMENT % container + more)
    return examine(found, REQUIREMENTS, containers=["web"], strict_unknown=True, advice=True)


def output(examination: Examination) -> str:
    annotations = github.render(examination, text.render(examination))
    others = github.render_summary(examination), json.render(examination), sarif.render(examination)
    return "".join((annotations, *others))


@pytest.mark.parametrize(
    ("container", "more"),
    [
        (f'env: [{{name: "SECRET_KEY={SECRET}"}}]', ""),
        (f'env: [{{name: "SECRET_KEY={SECRET}"}}, {{name: "SECRET_KEY={SECRET}"}}]', ""),
        (f"env: [{{name: {SECRET}, value: 1}}]", ""),
        (f"env: [{{name: SECRET_KEY, {SECRET}: x}}]", ""),
        (f"env: [{REFERENCE % ('keys', SECRET)}]", KEYS + "stringData: {a: b}"),
        (f"env: [{REFERENCE % (SECRET, 'a')}]", ""),
        (FROM_KEYS, KEYS + f"stringData: {{{SECRET}: 1}}"),
        (FROM_KEYS, KEYS + f"data: {{{SECRET}: '!'}}"),
        (FROM_KEYS, KEYS + f"stringData:\n  {SECRET}: x\n  {SECRET}: x\n"),
        (FROM_KEYS, KEYS.replace("keys}", f"keys, annotations: {{healthguard.io/ignore: '{SECRET}: x'}}}}")),
    ],
)
def test_secret_in_the_place_of_a_name_is_not_shown(container: str, more: str) -> None:
    """No format shows a name that consists of random letters and digits."""
    examination = examined(container, more)

    assert examination.findings
    assert SECRET not in output(examination)


def test_value_after_the_name_of_a_variable_is_not_shown() -> None:
    """A value like a word is cut off, too."""
    name = f"SECRET_KEY={WEAK}"

    shown = output(examined(f'env: [{{name: "{name}"}}, {{name: "{name}", value: "$(MISSING)"}}]'))

    assert "SECRET_KEY is set 2 times in env" in shown
    assert WEAK not in shown


@pytest.mark.parametrize(
    "name",
    [
        "AZURE_OPENAI_API_KEY",
        "shop-config-7kcmk5tgh4",
        "web-5d4f8c7b9d-x2x4z",
        "tls.crt",
        "target.template.data",
        "$(A)",
    ],
)
def test_plain_names_are_shown(name: str) -> None:
    """Names of variables, of generated objects and of fields remain."""
    sentence = f'Secret "{name}" does not exist, but {name} does.'

    assert redact(sentence) == sentence
