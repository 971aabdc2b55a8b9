"""Rules on the entries of env: references, repeated names, addresses, Services, and the refusals of the API server."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.findings import Severity
from healthguard.requirements.requirement import Requirements
from tests.kubernetes.rules.checked import (
    API_KEY,
    DATABASE,
    REQUIREMENTS,
    SECRET_KEY,
    Fault,
    assert_found,
    assert_sound_twin,
    check,
    check_all,
    deployment,
    entries,
    from_secret,
    places,
    secret,
)
from tests.kubernetes.rules.requirement_doubles import Need

ERROR, WARNING = Severity.ERROR, Severity.WARNING
SOUND_ENV = (API_KEY, DATABASE, SECRET_KEY)


def one_of(broken: str, sound: str, rule: str, severity: Severity = ERROR, *others: str, more: str = "") -> Fault:
    """Return a fault in a fourth entry of env."""
    return Fault(rule, severity, (deployment(entries(*SOUND_ENV, "§"), more=more), *others), broken, sound)


def password(value: str) -> str:
    return f"{{name: PASSWORD, value: '{value}'}}"


URL = "{name: OTHER_URL, value: 'postgres://app:$(PASSWORD)@db/shop'}"

FAULTS = {
    "a later variable": one_of(
        "{name: A, value: '$(B)'} #!\n        - {name: B, value: b}",
        "{name: B, value: b}\n        - {name: A, value: '$(B)'}",
        "expansion-order",
    ),
    "a later variable of a required one": Fault(
        "expansion-order",
        ERROR,
        (deployment(entries("§", API_KEY, SECRET_KEY)),),
        "{name: DATABASE_URL, value: 'postgres://u:$(P)@db/shop'} #!\n        - {name: P, value: p}",
        "{name: P, value: p}\n        - {name: DATABASE_URL, value: 'postgres://u:$(P)@db/shop'}",
    ),
    "a variable that is not set": one_of(
        "{name: A, value: 'x$(NOT_SET)'} #!", "{name: A, value: x}", "expansion-unresolved"
    ),
    "a variable that refers to itself": one_of(
        "{name: A, value: '$(A):x'} #!", "{name: A, value: x}", "expansion-unresolved"
    ),
    "a variable that refers to an earlier one that is not set": one_of(
        from_secret("B", "other", more=", optional: true") + "\n        - {name: A, value: '$(B)'} #!",
        "{name: A, value: x}",
        "expansion-unresolved",
        ERROR,
        secret("stringData: {k: a}"),
    ),
    "a lower-case name in a required variable": Fault(
        "expansion-unresolved",
        ERROR,
        (deployment(entries("{name: API_KEY, value: §", DATABASE, SECRET_KEY)),),
        "k-$(host)} #!",
        "k-abcdefgh}",
    ),
    "two dollars": Fault(
        "expansion-dollar",
        ERROR,
        (deployment(entries("{name: SECRET_KEY, value: '§", DATABASE, API_KEY)),),
        "jkh34kjh$$JH34kjh2kjh'} #!",
        "jkh34kjh$$$$JH34kjh2kjh'}",
    ),
    "a slash in a password": one_of(
        f"{password('a/b')}\n        - {URL} #!", f"{password('a%b')}\n        - {URL}", "address-not-encoded"
    ),
    "a hash in the password of a Secret": Fault(
        "address-not-encoded",
        ERROR,
        (
            deployment(entries(*SOUND_ENV, from_secret("PASSWORD", "k"), f"{URL} #!")),
            secret("stringData: {k: '§'}"),
        ),
        "a#b",
        "ab",
    ),
    "a percent sign that is decoded": one_of(
        f"{password('a%41b')}\n        - {URL} #!", f"{password('a%b')}\n        - {URL}", "address-not-encoded"
    ),
    "an at sign": one_of(
        f"{password('a@b')}\n        - {URL} #!", f"{password('ab')}\n        - {URL}", "address-not-encoded", WARNING
    ),
    "a hash in a URL": Fault(
        "address-not-encoded",
        ERROR,
        (deployment(entries("{name: DATABASE_URL, value: 'postgres://u:§", API_KEY, SECRET_KEY)),),
        "p#q@db/shop'} #!",
        "p%23q@db/shop'}",
    ),
    "a slash in the URL of a Secret": Fault(
        "address-not-encoded",
        ERROR,
        (
            deployment(entries(from_secret("DATABASE_URL", "k"), API_KEY, SECRET_KEY)),
            secret("stringData:\n  k: §"),
        ),
        "postgres://u:p/q@db/shop #!",
        "postgres://u:p%2Fq@db/shop",
    ),
    "a repeated name": one_of(
        "{name: A, value: a}\n        - {name: A, value: b} #!", "{name: A, value: b}", "variable-repeated", WARNING
    ),
    "an empty repetition": Fault(
        "variable-repeated",
        ERROR,
        (deployment(entries(*SOUND_ENV, "§")),),
        "{name: API_KEY} #!",
        "{name: OTHER}",
    ),
    "a number": one_of("{name: A, value: 1} #!", "{name: A, value: '1'}", "env-not-text"),
    "a boolean": one_of("{name: A, value: true} #!", "{name: A, value: 'true'}", "env-not-text"),
    "a mapping": one_of("{name: A, value: {a: b}} #!", "{name: A, value: '{a: b}'}", "env-not-text"),
    "a value beside valueFrom": one_of(
        "{name: A,\n           value: a, #!\n           valueFrom: {fieldRef: {fieldPath: status.podIP}}}",
        "{name: A, value: '',\n           valueFrom: {fieldRef: {fieldPath: status.podIP}}}",
        "env-two-sources",
    ),
    "two sources in valueFrom": one_of(
        "{name: A,\n           valueFrom: {fieldRef: {fieldPath: a}, secretKeyRef: {name: s, key: k}}} #!",
        "{name: A,\n           valueFrom: {secretKeyRef: {name: s, key: k}}}",
        "env-two-sources",
    ),
    "an empty valueFrom": one_of("{name: A,\n           valueFrom: {}} #!", "{name: A}", "env-two-sources"),
    "two sources in envFrom": Fault(
        "env-two-sources",
        ERROR,
        (deployment(entries(*SOUND_ENV), more="envFrom:\n- §"),),
        "{secretRef: {name: s}, configMapRef: {name: c}} #!",
        "{secretRef: {name: s}}",
    ),
    "no name": one_of("{value: a} #!", "{name: A, value: a}", "env-name-invalid"),
    "an equals sign in a name": one_of("{name: A=b, value: a} #!", "{name: A.b, value: a}", "env-name-invalid"),
    "an upper-case Secret": one_of(
        from_secret("A", "k", name="Shop_S") + " #!", from_secret("A", "k", name="shop"), "env-name-invalid"
    ),
    "no key": one_of("{name: A, valueFrom: {secretKeyRef: {name: s}}} #!", from_secret("A", "k"), "env-name-invalid"),
    "a misspelled field of a reference": one_of(
        "{name: A, valueFrom: {secretKeyref: {name: s, key: k}}} #!", from_secret("A", "k"), "env-field-unknown"
    ),
    "a misspelled valueFrom of a required variable": Fault(
        "env-field-unknown",
        ERROR,
        (
            deployment(entries(DATABASE, SECRET_KEY, "name: API_KEY") + "\n  §\n    secretKeyRef: {name: s, key: k}"),
            secret("stringData: {k: k-12345678}"),
        ),
        "valuefrom: #!",
        "valueFrom:",
    ),
    "a reference outside of valueFrom": one_of(
        "{name: A, secretKeyRef: {name: s, key: k}} #!", from_secret("A", "k"), "env-field-unknown"
    ),
    "optional outside of the reference": one_of(
        "{name: A,\n           valueFrom: {secretKeyRef: {name: s, key: k},\n           optional: true}} #!",
        from_secret("A", "k", more=", optional: true"),
        "env-field-unknown",
    ),
    "a misspelled field of envFrom": Fault(
        "env-field-unknown",
        ERROR,
        (deployment(entries(*SOUND_ENV), more="envFrom:\n- §"),),
        "secretKeyRef: {name: s} #!",
        "secretRef: {name: s}",
    ),
    "a misspelled envFrom": Fault(
        "env-misspelled",
        ERROR,
        (deployment(entries(*SOUND_ENV), more="§\n- secretRef: {name: s}"),),
        "envfrom: #!",
        "envFrom:",
    ),
    "env that is a mapping": Fault(
        "env-misspelled",
        ERROR,
        (deployment("", more="§"),),
        "env: #!\n          API_KEY: k-abcdefgh",
        f"env:\n        - {API_KEY}\n        - {DATABASE}\n        - {SECRET_KEY}",
    ),
    "a text in env": Fault(
        "env-entry-invalid",
        ERROR,
        (deployment(entries(*SOUND_ENV, "§")),),
        "A=b #!",
        "{name: A, value: b}",
    ),
    "a text as optional": one_of(
        from_secret("A", "k", more=", optional: 'true' #!\n          "),
        from_secret("A", "k", more=", optional: true"),
        "optional-not-boolean",
    ),
    "a number in a command": Fault(
        "command-not-text",
        ERROR,
        (deployment(entries(*SOUND_ENV), more="command: [gunicorn, -w, §]"),),
        "4 #!\n         ",
        "'4'",
    ),
    "a text as a port": Fault(
        "port-not-number",
        ERROR,
        (
            deployment(
                entries(*SOUND_ENV),
                more="readinessProbe: {exec: {command: [test, -f, /x]}}\nports: [{containerPort: §}]",
            ),
        ),
        "'80' #!\n         ",
        "80",
    ),
    "a bracket in a password": Fault(
        "address-not-encoded",
        ERROR,
        (deployment(entries("{name: DATABASE_URL, value: 'postgres://u:§", API_KEY, SECRET_KEY)),),
        "p[q@db/shop'} #!",
        "p%5Bq@db/shop'}",
    ),
    "a port of a Service in a URL": Fault(
        "service-link-collision",
        ERROR,
        (
            deployment(entries(*SOUND_ENV, "{name: CACHE, value: 'redis://cache:$(CACHE_§")),
            "apiVersion: v1\nkind: Service\nmetadata: {name: cache}\nspec: {ports: [{port: 80}]}\n",
        ),
        "PORT)'} #!",
        "SERVICE_PORT)'}",
    ),
    "env in the spec of a Deployment": Fault(
        "env-misplaced",
        ERROR,
        (deployment(entries(*SOUND_ENV)).replace("  selector:", "  §\n  selector:"),),
        "env: [] #!",
        "replicas: 2",
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


PORT = Requirements((*REQUIREMENTS.variables, Need(("CACHE_PORT",), pattern=r"\d+")))


def found_beside_service(name: str, *, more: str = "", pod: str = "") -> set[tuple[str, int]]:
    """Return the findings on a Deployment that requires CACHE_PORT, beside a Service."""
    text = deployment(entries(*SOUND_ENV) + more, pod=pod)
    service = f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 80}}]}}\n"
    return {(each.rule, each.line) for each in check_all(text, service, requirements=PORT)}


def test_port_of_a_service_is_not_the_required_variable() -> None:
    """A Service named like the prefix of a required variable sets it to an address."""
    assert found_beside_service("cache") == {("service-link-collision", 12)}


def test_required_variable_beside_a_service_is_sound_if_it_is_set() -> None:
    """An entry of env has priority over the variables of Services."""
    assert found_beside_service("cache", more="\n- {name: CACHE_PORT, value: '80'}") == set()


@pytest.mark.parametrize(
    ("source", "rules"),
    [
        ("{secretRef: {name: elsewhere}}", set()),
        ("{secretRef: {name: elsewhere}, prefix: CACHE_}", set()),
        ("{secretRef: {name: elsewhere}, prefix: OTHER_}", {"service-link-collision"}),
        ("{configMapRef: {name: s}}", {"service-link-collision"}),
    ],
)
def test_unknown_source_may_set_the_variable_instead_of_a_service(source: str, rules: set[str]) -> None:
    """envFrom has priority over the variables of Services, and a source outside the inputs may have the key."""
    text = deployment(
        entries(*SOUND_ENV, "{name: CACHE, value: 'redis://cache:$(CACHE_PORT)'}"), more=f"envFrom: [{source}]"
    )
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: cache}\nspec: {ports: [{port: 80}]}\n"
    config = secret("data: {OTHER: x}", kind="ConfigMap")
    found = check_all(text, service, config, requirements=PORT)
    assert {each.rule for each in found if each.severity is not Severity.UNKNOWN} == rules
    assert sum(each.rule == "service-link-collision" for each in found) == 2 * len(rules)


def test_required_variable_is_missing_without_service_links() -> None:
    """Without service links, the variable is simply missing."""
    assert found_beside_service("cache", pod="enableServiceLinks: false") == {("variable-missing", 13)}


@pytest.mark.parametrize("place", ["env:", "envFrom:"])
def test_env_of_the_pod_is_misplaced(place: str) -> None:
    """Variables beside the containers have no effect, and the error is reported at them only."""
    text = deployment("", pod=f"{place}\n- {API_KEY}")
    assert places(check(text)) == {("env-misplaced", "0.yaml", 9)}


SOUND = {
    "a text with a command": "{name: A, value: 'echo $(cat /x)'}",
    "a text with a lower-case word": "{name: A, value: '$(hostname)'}",
    "an escaped reference": "{name: A, value: '$$(NOT_SET)'}",
    "a variable of the cluster": "{name: A, value: 'http://$(KUBERNETES_SERVICE_HOST)'}",
    "an address in a query": "{name: A, value: 'redis://cache:6379/0?user=a@b'}",
    "an address without a password": "{name: A, value: 'redis://cache/0#a@b'}",
    "an IPv6 address": "{name: A, value: 'redis://[::1]/0?a=b@c'}",
    "another scheme": "{name: A, value: 'https://api:v1/x@y'}",
    "a limit": "{name: A, valueFrom: {resourceFieldRef: {containerName: web, resource: limits.cpu, divisor: '1'}}}",
    "a file": "{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: p, key: k, optional: true}}}",
    "a name in two cases": "{name: api_url, value: a}\n- {name: API_URL, value: b}",
}


@pytest.mark.parametrize("entry", SOUND.values(), ids=list(SOUND))
def test_sound_entry_has_no_finding(entry: str) -> None:
    """An entry that Kubernetes accepts and that has one meaning has no finding."""
    assert places(check(deployment(entries(*SOUND_ENV, entry)))) == set()


@pytest.mark.parametrize(
    "more",
    [
        "ports: [{containerPort: '${PORT}', protocol: UDP}]",
        "envFrom: [{secretRef: {name: s, optional: '${OPTIONAL}'}}]",
    ],
)
def test_number_or_boolean_that_a_tool_replaces_has_no_finding(more: str) -> None:
    """A placeholder may become a number or a boolean before the API server reads it."""
    assert places(check(deployment(entries(*SOUND_ENV), more=more))) == set()
