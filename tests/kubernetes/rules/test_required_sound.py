"""Manifests on whose required variables, references and values no rule may report anything."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.findings import Severity
from tests.kubernetes.rules.checked import (
    API_KEY,
    DATABASE,
    SECRET_KEY,
    check,
    check_all,
    deployment,
    entries,
    from_secret,
    job,
    places,
    secret,
)

STORED = "k-12345678"

UNKNOWABLE = {
    "a Secret that stands in no input": deployment(entries(from_secret("API_KEY", "k"), DATABASE, SECRET_KEY)),
    "a source that stands in no input": deployment(
        entries(DATABASE, SECRET_KEY), more="envFrom:\n- secretRef: {name: s}"
    ),
    "a command that exports variables": deployment(
        entries(DATABASE, SECRET_KEY), more='command: [sh, -c, ". /vault/secrets/env; exec gunicorn"]'
    ),
}


@pytest.mark.parametrize("text", UNKNOWABLE.values(), ids=list(UNKNOWABLE))
def test_unknowable_variable_is_reported_as_unknown(text: str) -> None:
    """A variable that may be set is neither an error nor a warning, but it is listed on request."""
    findings = check_all(text)
    assert {each.severity for each in findings} == {Severity.UNKNOWN}
    assert "variable-unknown" in {each.rule for each in findings}


WAIT = "[sh, -c, until pg_isready; do sleep 1; done]"
SOUND = {
    "the alternative of a variable": (
        deployment(entries("{name: API_TOKEN, value: k-abcdefgh}", DATABASE, SECRET_KEY)),
    ),
    "a Job needs no AI key": (job(entries(DATABASE, SECRET_KEY)),),
    "a Job of another image needs no secret key": (
        deployment(entries(API_KEY, DATABASE, SECRET_KEY)),
        job(entries(DATABASE), command="[pg_dump]", image="postgres:16"),
    ),
    "an init container that waits needs no secret key": (
        deployment(
            entries(API_KEY, DATABASE, SECRET_KEY),
            pod=f"initContainers:\n- {{name: wait, image: shop, command: {WAIT}, env: [{DATABASE}]}}",
        ),
    ),
    "a missing optional key of another variable": (
        deployment(entries(API_KEY, DATABASE, SECRET_KEY, from_secret("OTHER", "j", more=", optional: true"))),
        secret("stringData: {token: a}"),
    ),
    "a Secret beside a ConfigMap of the same name that is also used": (
        deployment(
            entries(DATABASE, SECRET_KEY), more="envFrom:\n- configMapRef: {name: shop}\n- secretRef: {name: shop}"
        ),
        secret(f"data: {{API_KEY: {STORED}}}", kind="ConfigMap", name="shop"),
    ),
    "a ConfigMap of the same name that is mounted as files": (
        deployment(
            entries(DATABASE, SECRET_KEY),
            more="envFrom:\n- secretRef: {name: shop}",
            pod="volumes:\n- {name: config, configMap: {name: shop}}",
        ),
        secret("data: {app.conf: a}", kind="ConfigMap", name="shop"),
    ),
    "a Secret with a similar name that is mounted as files": (
        deployment(
            entries(DATABASE, SECRET_KEY),
            more="envFrom:\n- secretRef: {name: shop-keys}",
            pod="volumes:\n- {name: keys, projected: {sources: [{secret: {name: shop-key}}]}}",
        ),
        secret("stringData: {tls.key: a}", name="shop-key"),
    ),
    "two Secrets with similar names that are both used": (
        deployment(
            entries(DATABASE, SECRET_KEY),
            more="envFrom:\n- secretRef: {name: shop-keys}\n- secretRef: {name: shop-key}",
        ),
        secret(f"stringData: {{API_KEY: {STORED}}}", name="shop-key"),
    ),
    "a placeholder that an unknown Secret replaces": (
        deployment("", more="envFrom:\n- configMapRef: {name: c}\n- secretRef: {name: s}"),
        secret("data: {API_KEY: changeme, SECRET_KEY: changeme, DATABASE_URL: x}", kind="ConfigMap", name="c"),
    ),
    "an init container that collects static files with a dummy key": (
        deployment(
            entries(API_KEY, DATABASE, SECRET_KEY),
            pod="""\
initContainers:
- name: static
  image: shop:1
  command: [python, manage.py, collectstatic, --noinput]
  env: [{name: SECRET_KEY, value: short}, {name: DATABASE_URL, value: none}]""",
        ),
    ),
    "a Vault reference": (deployment(entries("{name: API_KEY, value: 'vault:a#b'}", DATABASE, SECRET_KEY)),),
    "a binary key that is a file": (
        deployment(entries(API_KEY, DATABASE, SECRET_KEY, from_secret("OTHER", "k"))),
        secret("data: {k: YWJj, keystore.jks: //79/A==}"),
    ),
    "a random key in base64": (
        deployment(entries(API_KEY, DATABASE, "{name: SECRET_KEY, value: q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ}")),
    ),
}


@pytest.mark.parametrize("texts", SOUND.values(), ids=list(SOUND))
def test_sound_manifest_has_no_finding(texts: tuple[str, ...]) -> None:
    """A manifest that gives the application what it needs has no finding."""
    assert places(check(*texts)) == set()
