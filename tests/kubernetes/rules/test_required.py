"""Rules on required variables, on references and on values."""

from __future__ import annotations

import base64

import pytest

from healthguard.kubernetes.findings import Severity
from tests.kubernetes.rules.checked import (
    API_KEY,
    DATABASE,
    SECRET_KEY,
    Fault,
    assert_found,
    assert_sound_twin,
    check_all,
    deployment,
    entries,
    from_secret,
    job,
    secret,
)

ERROR, WARNING = Severity.ERROR, Severity.WARNING
STORED = "k-12345678"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


KEY_OF_S = deployment(entries(from_secret("API_KEY", "k"), DATABASE, SECRET_KEY))
ALL_OF_S = deployment(entries(DATABASE, SECRET_KEY), more="envFrom:\n- secretRef: {name: s}")

FAULTS = {
    "a variable that nobody sets": Fault(
        "variable-missing",
        ERROR,
        (deployment(entries(DATABASE, SECRET_KEY) + "§").replace("env:", "env: #!"),),
        "",
        f"\n        - {API_KEY}",
    ),
    "a misspelled variable": Fault(
        "variable-missing",
        ERROR,
        (deployment(entries("{name: §", DATABASE, SECRET_KEY)),),
        "API_KYE, value: k-abcdefgh} #!",
        "API_KEY, value: k-abcdefgh}",
    ),
    "a variable in lower case": Fault(
        "variable-missing",
        ERROR,
        (deployment(entries("{name: §", DATABASE, SECRET_KEY)),),
        "api_key, value: k-abcdefgh} #!",
        "API_KEY, value: k-abcdefgh}",
    ),
    "a misspelled key in envFrom": Fault(
        "variable-missing",
        ERROR,
        (ALL_OF_S, secret("stringData:\n  §")),
        f"API-KEY: {STORED} #!",
        f"API_KEY: {STORED}",
    ),
    "a wrong prefix": Fault(
        "variable-missing",
        ERROR,
        (
            deployment(entries(DATABASE, SECRET_KEY), more="envFrom:\n- {prefix: § secretRef: {name: s}}").replace(
                "env:", "env: #!"
            ),
            secret(f"stringData: {{KEY: {STORED}}}"),
        ),
        "APP_,",
        "API_,",
    ),
    "a misspelled Secret": Fault(
        "reference-missing",
        ERROR,
        (
            deployment(entries(from_secret("API_KEY", "k", name="§"), DATABASE, SECRET_KEY)),
            secret(f"stringData: {{k: {STORED}}}", name="shop-keys"),
        ),
        "\n            shop-kyes #!\n            ",
        "shop-keys",
    ),
    "a misspelled Secret in envFrom": Fault(
        "reference-missing",
        ERROR,
        (
            deployment(entries(DATABASE, SECRET_KEY), more="envFrom:\n- secretRef:\n    name: §"),
            secret(f"stringData: {{API_KEY: {STORED}}}", name="shop-keys"),
        ),
        "shop_keys #!",
        "shop-keys",
    ),
    "a misspelled Secret beside the right one": Fault(
        "reference-missing",
        ERROR,
        (
            deployment(entries(from_secret("API_KEY", "k", name="§"), from_secret("OTHER", "k", name="keys"), DATABASE))
            + f"        - {SECRET_KEY}\n",
            secret(f"stringData: {{k: {STORED}}}", name="keys"),
        ),
        "\n            key #!\n            ",
        "keys",
    ),
    "a misspelled optional Secret of a required variable": Fault(
        "reference-missing",
        ERROR,
        (
            deployment(entries(from_secret("API_KEY", "k", name="§"), DATABASE, SECRET_KEY)),
            secret(f"stringData: {{k: {STORED}}}", name="keys"),
        ),
        "key, optional: true #!\n           ",
        "keys",
    ),
    "the name of an ExternalSecret instead of its target": Fault(
        "reference-missing",
        ERROR,
        (
            deployment(entries(DATABASE, SECRET_KEY), more="envFrom:\n- secretRef:\n    name: §"),
            (
                "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: shop}\n"
                "spec: {target: {name: env}, data: [{secretKey: API_KEY}]}\n"
            ),
        ),
        "shop #!",
        "env",
    ),
    "a Secret in another namespace": Fault(
        "reference-missing",
        ERROR,
        (
            deployment(
                entries(from_secret("API_KEY", "k, #!\n         "), DATABASE, SECRET_KEY), name="shop, namespace: a"
            ),
            secret(f"stringData: {{k: {STORED}}}", namespace="§"),
        ),
        "b",
        "a",
    ),
    "a ConfigMap of the same name": Fault(
        "reference-missing",
        ERROR,
        (
            deployment(entries(from_secret("API_KEY", "k, #!\n         "), DATABASE, SECRET_KEY)),
            secret(f"data: {{k: {STORED}}}", kind="ConfigMap"),
            "§",
        ),
        "",
        secret(f"stringData: {{k: {STORED}}}"),
    ),
    "an object with the hash of kustomize": Fault(
        "reference-missing",
        ERROR,
        (
            deployment(entries(from_secret("API_KEY", "k, #!\n         "), DATABASE, SECRET_KEY)),
            secret(f"stringData: {{k: {STORED}}}", name="§"),
        ),
        "s-5g2kd8hm7t",
        "s",
    ),
    "a missing key": Fault(
        "key-missing",
        ERROR,
        (KEY_OF_S.replace("key: k", "key: k #!\n          "), secret(f"stringData: {{§: {STORED}}}")),
        "token",
        "k",
    ),
    "a key in another case": Fault(
        "key-missing",
        ERROR,
        (KEY_OF_S.replace("key: k", "key: k #!\n          "), secret(f"stringData: {{§: {STORED}}}")),
        "K",
        "k",
    ),
    "a missing key of any variable": Fault(
        "key-missing",
        ERROR,
        (deployment(entries(API_KEY, DATABASE, SECRET_KEY, from_secret("OTHER", "§"))), secret("stringData: {k: a}")),
        "j #!\n          ",
        "k",
    ),
    "a misspelled optional key": Fault(
        "key-missing",
        WARNING,
        (
            deployment(entries(API_KEY, DATABASE, SECRET_KEY, from_secret("OTHER", "§", more=", optional: true"))),
            secret("stringData: {token: a}"),
        ),
        "tokn #!\n          ",
        "token",
    ),
    "a missing optional key of a required variable": Fault(
        "variable-missing",
        ERROR,
        (
            deployment(entries(from_secret("API_KEY", "§"), DATABASE, SECRET_KEY)),
            secret(f"stringData: {{k: {STORED}}}"),
        ),
        "other, optional: true #!\n          ",
        "k",
    ),
    "a key in binaryData": Fault(
        "key-missing",
        ERROR,
        (
            deployment(entries(API_KEY, DATABASE, SECRET_KEY, from_secret("OTHER", "k #!\n          "))).replace(
                "secretKeyRef", "configMapKeyRef"
            ),
            secret("§: {k: dg==}", kind="ConfigMap"),
        ),
        "binaryData",
        "data",
    ),
    "an optional reference": Fault(
        "variable-optional",
        WARNING,
        (KEY_OF_S.replace("key: k", "key: k, optional: §"), secret(f"stringData: {{k: {STORED}}}")),
        "true #!\n          ",
        "false",
    ),
    "an optional source": Fault(
        "variable-optional",
        WARNING,
        (
            deployment(entries(DATABASE, SECRET_KEY), more="envFrom:\n- secretRef: {name: s, optional: §"),
            secret(f"stringData: {{API_KEY: {STORED}}}"),
        ),
        "true #!\n         }",
        "false}",
    ),
    "an empty literal": Fault(
        "variable-empty",
        ERROR,
        (deployment(entries("{name: API_KEY, value: §", DATABASE, SECRET_KEY)),),
        "''} #!",
        "k-abcdefgh}",
    ),
    "an empty key": Fault("variable-empty", ERROR, (KEY_OF_S, secret("stringData:\n  k: §")), "'' #!", STORED),
    "an empty key in data": Fault("variable-empty", ERROR, (KEY_OF_S, secret("data:\n  k: §")), '"" #!', b64(STORED)),
    "an empty key in envFrom": Fault(
        "variable-empty", ERROR, (ALL_OF_S, secret("data:\n  API_KEY: §")), '"" #!', b64(STORED)
    ),
    "a line break in a key": Fault(
        "key-format", ERROR, (KEY_OF_S, secret("data:\n  k: §")), f"{b64(STORED + chr(10))} #!", b64(STORED)
    ),
    "a line break in a value that is encoded": Fault(
        "secret-key-too-short",
        ERROR,
        (deployment(entries(API_KEY, DATABASE, from_secret("SECRET_KEY", "k"))), secret("data:\n  k: §")),
        f"{b64('jkh34kjhKJH34kjh2kjh' + chr(10))} #!",
        b64("jkh34kjhKJH34kjh2kjh"),
    ),
    "a value of the wrong form": Fault(
        "key-format",
        ERROR,
        (deployment(entries("{name: API_KEY, value: §", DATABASE, SECRET_KEY)),),
        "sk-abcdefgh} #!",
        "k-abcdefgh}",
    ),
    "a value that is too short": Fault(
        "secret-key-too-short",
        ERROR,
        (deployment(entries("{name: SECRET_KEY, value: §", DATABASE, API_KEY)),),
        "changeme} #!",
        "jkh34kjhKJH34kjh2kjh}",
    ),
    "a Job with a value that is too short": Fault(
        "secret-key-too-short",
        ERROR,
        (job(entries("{name: SECRET_KEY, value: §", DATABASE)),),
        "changeme} #!",
        "jkh34kjhKJH34kjh2kjh}",
    ),
    "a Job without a database": Fault(
        "variable-missing",
        ERROR,
        (job(entries(SECRET_KEY) + "§").replace("env:", "env: #!"),),
        "",
        f"\n        - {DATABASE}",
    ),
    "plain text in data": Fault(
        "secret-not-encoded",
        ERROR,
        (
            deployment(entries(API_KEY, DATABASE, from_secret("SECRET_KEY", "k"))),
            secret("data:\n  k: §"),
        ),
        "changeme #!",
        b64("jkh34kjhKJH34kjh2kjh"),
    ),
    "plain text in data whose bytes are text": Fault(
        "secret-not-encoded",
        ERROR,
        (
            deployment(entries(API_KEY, from_secret("DATABASE_URL", "k"), SECRET_KEY)),
            secret("data:\n  k: §"),
        ),
        "bill #!",
        b64("postgres://u:p@db/shop"),
    ),
    "a random value in data that is not encoded": Fault(
        "secret-not-encoded",
        ERROR,
        (
            deployment(entries(API_KEY, DATABASE, from_secret("SECRET_KEY", "k"))),
            secret("data:\n  k: §"),
        ),
        "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ #!",
        b64("q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ"),
    ),
    "base64 twice": Fault(
        "secret-encoded-twice",
        ERROR,
        (
            deployment(entries(API_KEY, DATABASE, from_secret("SECRET_KEY", "k"))),
            secret("data:\n  k: §"),
        ),
        f"{b64(b64('jkh34kjhKJH34kjh2kjh'))} #!",
        b64("jkh34kjhKJH34kjh2kjh"),
    ),
    "base64 in stringData": Fault(
        "secret-encoded-twice",
        ERROR,
        (
            deployment(entries(API_KEY, DATABASE, from_secret("SECRET_KEY", "k"))),
            secret("stringData:\n  k: §"),
        ),
        f"{b64('jkh34kjhKJH34kjh2kjh')} #!",
        "jkh34kjhKJH34kjh2kjh",
    ),
    "base64 twice of a database": Fault(
        "secret-encoded-twice",
        ERROR,
        (
            deployment(entries(API_KEY, from_secret("DATABASE_URL", "k"), SECRET_KEY)),
            secret("data:\n  k: §"),
        ),
        f"{b64(b64('postgres://u:p@db/shop'))} #!",
        b64("postgres://u:p@db/shop"),
    ),
    "bytes in a variable": Fault(
        "secret-not-utf8",
        ERROR,
        (
            deployment(entries(API_KEY, DATABASE, SECRET_KEY, from_secret("OTHER", "k"))),
            secret("data:\n  k: §"),
        ),
        "//79/A== #!",
        "YWJj",
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_fault_is_found_at_its_line(fault: Fault) -> None:
    """The rule reports the fault, and no other rule reports anything, on the marked line."""
    assert_found(fault)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_sound_twin_has_no_finding(fault: Fault) -> None:
    """Without the fault, no rule reports anything."""
    assert_sound_twin(fault)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_finding_contains_no_value(fault: Fault) -> None:
    """No text of a finding contains a value of a variable."""
    shown = "".join(f"{each.message} {each.remedy} {each!r}" for each in check_all(*fault.with_fault()))
    values = ["k-abcdefgh", STORED, "jkh34", "changeme", "u:p", "bill", b64(STORED)]
    assert [value for value in values if value in shown] == []
