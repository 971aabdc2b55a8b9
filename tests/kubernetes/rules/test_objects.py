"""Rules on Secrets, ConfigMaps and the objects from which controllers make Secrets, and on Jobs."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.objects import Cluster
from healthguard.kubernetes.rules.api_data import find_repeated_keys
from healthguard.kubernetes.rules.rule import OBJECT_RULES, ObjectSubject
from tests.kubernetes.environment.manifests import cluster_of
from tests.kubernetes.rules.checked import (
    API_KEY,
    DATABASE,
    SECRET_KEY,
    Fault,
    assert_found,
    assert_sound_twin,
    check,
    deployment,
    entries,
    from_secret,
    job,
    places,
    secret,
)

ERROR, WARNING = Severity.ERROR, Severity.WARNING
WEB = deployment(entries(API_KEY, DATABASE, SECRET_KEY, from_secret("OTHER", "k")))
ALL = deployment(entries(DATABASE, SECRET_KEY), more="envFrom:\n- secretRef: {name: s}")
CONFIG = WEB.replace("secretKeyRef", "configMapKeyRef")


def stored(broken: str, sound: str, rule: str, web: str = WEB, kind: str = "Secret") -> Fault:
    """Return a fault in the Secret from which a variable comes."""
    return Fault(rule, ERROR, (web, secret("§", kind=kind)), broken, sound)


def external(spec: str) -> str:
    return f"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: s}}\nspec:\n  {spec}\n"


PROVIDER = (
    "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: vault}\n"
    "spec: {secretObjects: [{secretName: s, data: [{key: k, objectName: o}]}]}\n"
)
VOLUME = (
    "volumes:\n- {name: v, csi: {driver: secrets-store.csi.k8s.io, volumeAttributes: {secretProviderClass: vault}}}"
)
MOUNT = "volumeMounts: [{name: v, mountPath: /v}]"
MOUNTED = deployment(
    entries(API_KEY, DATABASE, SECRET_KEY, from_secret("OTHER", "k #!\n          ")), pod=VOLUME, more="§"
)
OTHER_POD = deployment("", pod=VOLUME, more=MOUNT, name="other")


def database(host: str = "db", name: str = "shop", port: str = "") -> str:
    return f"{{name: DATABASE_URL, value: 'postgres://u:p@{host}{port}/{name}'}}"


def with_init(entry: str) -> str:
    """Return a Deployment with an init container that migrates."""
    command = "[python, manage.py, migrate]"
    fields = f"name: migrate\n  image: shop:1\n  command: {command}\n  env:\n  - {SECRET_KEY}\n  - {entry}"
    pod = f"initContainers:\n- {fields}"
    return deployment(entries(API_KEY, DATABASE, SECRET_KEY), pod=pod)


FAULTS = {
    "a number in stringData": stored("stringData:\n  k: 1 #!", "stringData:\n  k: '1'", "data-not-text"),
    "a boolean in a ConfigMap": stored(
        "data:\n  k: true #!", "data:\n  k: 'true'", "data-not-text", CONFIG, "ConfigMap"
    ),
    "a mapping in a ConfigMap": stored(
        "data:\n  k: {a: b} #!", "data:\n  k: '{a: b}'", "data-not-text", CONFIG, "ConfigMap"
    ),
    "plain text with a dash in data": stored("data:\n  k: sk-abc #!", "data:\n  k: c2stYWJj", "secret-not-base64"),
    "base64 for URLs": stored("data:\n  k: ab-_ #!", "data:\n  k: YWJj", "secret-not-base64"),
    "base64 without padding": stored("data:\n  k: YQ #!", "data:\n  k: YQ==", "secret-not-base64"),
    "another key that is not base64": stored(
        "data:\n  k: YQ==\n  j: 'a b' #!", "data:\n  k: YQ==\n  j: YQ==", "secret-not-base64"
    ),
    "a blank in a key": stored("stringData:\n  k: a\n  a b: c #!", "stringData:\n  k: a\n  a.b: c", "data-key-invalid"),
    "stringdata": stored(
        "data: {k: YQ==}\nstringdata: {j: a} #!", "data: {k: YQ==}\nstringData: {j: a}", "data-field-unknown"
    ),
    "data that is a list": stored(
        "stringData: {k: a}\ndata: [a] #!", "stringData: {k: a}\ndata:", "data-field-unknown"
    ),
    "a template that drops the key": Fault(
        "external-secret-drops-key",
        ERROR,
        (
            WEB.replace("key: k", "key: k #!\n          "),
            external("target:\n    template:\n      data: {§: '{{ .k }}'}\n  data: [{secretKey: k}]"),
        ),
        "j",
        "k",
    ),
    "a template that drops a required key": Fault(
        "external-secret-drops-key",
        ERROR,
        (ALL, external("target:\n    template: #!\n      §data: {j: a}\n  data: [{secretKey: API_KEY}]")),
        "",
        "mergePolicy: Merge\n      ",
    ),
    "a number in an annotation": Fault(
        "metadata-not-text",
        ERROR,
        (WEB.replace("metadata: {labels", "metadata: {annotations: {a: §labels"), secret("stringData: {k: a}")),
        "1}, #!\n      ",
        "'1'}, ",
    ),
    "a boolean in a label of a Secret": Fault(
        "metadata-not-text",
        ERROR,
        (WEB, secret("stringData: {k: a}", name="s, labels: {a: §")),
        "true} #!\n ",
        "'true'}",
    ),
    "a SecretProviderClass that no pod mounts": Fault(
        "secret-provider-class-unmounted",
        ERROR,
        (MOUNTED, PROVIDER),
        "",
        MOUNT,
    ),
    "a SecretProviderClass that another pod mounts": Fault(
        "secret-provider-class-unmounted", WARNING, (MOUNTED, PROVIDER, OTHER_POD), "", MOUNT
    ),
    "an init container that migrates another database": Fault(
        "job-other-database", ERROR, (with_init("§"),), f"{database(name='old')} #!", database()
    ),
    "a Job that migrates another database": Fault(
        "job-other-database",
        ERROR,
        (deployment(entries(API_KEY, database(), SECRET_KEY)), job(entries(SECRET_KEY, "§"))),
        f"{database(name='old')} #!",
        database(),
    ),
    "a Job on another server": Fault(
        "job-other-database",
        ERROR,
        (deployment(entries(API_KEY, database("db-prod"), SECRET_KEY)), job(entries(SECRET_KEY, "§"))),
        f"{database('db-staging')} #!",
        database("db-prod"),
    ),
    "a Job with the Secret of another database": Fault(
        "job-other-database",
        ERROR,
        (
            deployment(entries(API_KEY, database(), SECRET_KEY)),
            job(entries(SECRET_KEY, from_secret("DATABASE_URL", "k"))),
            secret("stringData:\n  k: §"),
        ),
        "postgres://u:p@db/old #!",
        "postgres://migrator:q@db/shop",
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


SOUND_JOBS = {
    "a Job beside the pooler": (database("pgbouncer", port=":6432"), database("db", port=":5432")),
    "a Job with the domain of the cluster": (database("db"), database("db.shop.svc.cluster.local")),
    "a Job without the proxy": (database("localhost"), database("10.0.0.1")),
    "a Job on the writer": (database("db-ro"), database("db-rw")),
    "another user": (database(), database().replace("u:p", "v:q")),
}


@pytest.mark.parametrize(("web", "own"), SOUND_JOBS.values(), ids=list(SOUND_JOBS))
def test_job_on_the_same_database_has_no_finding(web: str, own: str) -> None:
    """Another way to the same database is not another database."""
    texts = (deployment(entries(API_KEY, web, SECRET_KEY)), job(entries(SECRET_KEY, own)))
    assert places(check(*texts)) == set()


def test_job_of_another_image_may_use_another_database() -> None:
    """A Job that does not run the application is not compared."""
    texts = (
        deployment(entries(API_KEY, database(), SECRET_KEY)),
        job(entries(SECRET_KEY, database(name="old")), image="legacy:1"),
    )
    assert places(check(*texts)) == set()


def test_object_that_no_container_uses_is_not_judged() -> None:
    """An invalid Secret that the application does not use has no finding."""
    assert places(check(WEB, secret("stringData: {k: a}"), secret("data: {k: '-'}", name="other"))) == set()


def test_repeated_key_is_found() -> None:
    """A key that occurs twice in a mapping is reported at the line of the later one."""
    obj = cluster_of(secret("stringData:\n  k: a\n"))
    data = obj.objects[0].node.map_at("stringData")
    assert data is not None
    data.repeated.append(("k", 7))
    assert [each.line for each in _repeated(obj)] == [7]


@pytest.mark.parametrize(
    ("data", "severity"),
    [
        ("{k: a, k: a}", Severity.WARNING),
        ("{k: {a: [1, b]}, k: {a: [1, b]}}", Severity.WARNING),
        ("{k: a, k: b}", Severity.ERROR),
        ("{k: 1, k: '1'}", Severity.ERROR),
        ("{k: a, k: b, k: a}", Severity.ERROR),
        ("{k: {a: 1}, k: {a: 1, b: 2}}", Severity.ERROR),
    ],
)
def test_repeated_key_is_an_error_if_its_values_differ(data: str, severity: Severity) -> None:
    """Two equal values work with lenient tools, but strict ones reject the file."""
    assert {each.severity for each in _repeated(cluster_of(secret(f"stringData: {data}")))} == {severity}


def test_keys_of_several_mappings_are_not_repeated() -> None:
    """A key may occur in two mappings."""
    assert _repeated(cluster_of(secret("stringData: {name: a, data: b}"))) == []


def _repeated(cluster: Cluster) -> list[Finding]:
    rule = next(rule for rule in OBJECT_RULES if rule.find is find_repeated_keys)
    return list(rule.find(ObjectSubject(cluster.objects[0], cluster), rule))
