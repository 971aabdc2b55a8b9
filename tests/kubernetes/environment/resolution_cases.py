"""Containers, the objects beside them, and the value that the kubelet gives one of their variables."""

from __future__ import annotations

import base64

from healthguard.kubernetes.environment.variables import Presence

UNKNOWN = object()
"""A variable that is set to a value that the inputs do not determine."""
ABSENT = Presence.ABSENT
UNKNOWABLE = Presence.UNKNOWABLE


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(data: str, *, name: str = "s", fields: str = "", namespace: str = "") -> str:
    """Return a Secret whose ``stringData`` is a flow mapping."""
    stated = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}{stated}}}\n{fields}\nstringData: {data}\n"


def config_map(data: str, *, name: str = "c", fields: str = "", namespace: str = "") -> str:
    stated = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{stated}}}\n{fields}\ndata: {data}\n"


def encoded(data: str, *, name: str = "s") -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ndata: {data}\n"


def operated(kind: str, spec: str, *, group: str, name: str = "s") -> str:
    return f"apiVersion: {group}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def external(spec: str, *, kind: str = "ExternalSecret", name: str = "s") -> str:
    return operated(kind, spec, group="external-secrets.io/v1", name=name)


def sealed(spec: str) -> str:
    return operated("SealedSecret", spec, group="bitnami.com/v1alpha1")


def provider_class(spec: str) -> str:
    return operated("SecretProviderClass", spec, group="secrets-store.csi.x-k8s.io/v1", name="vault")


def service(spec: str, *, name: str = "redis") -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {spec}\n"


FROM_S = "env: [{name: X, valueFrom: {secretKeyRef: {name: s, key: k}}}]"
FROM_S_OPTIONAL = "env: [{name: X, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}]"
FROM_C = "env: [{name: X, valueFrom: {configMapKeyRef: {name: c, key: k}}}]"
ALL_OF_S = "envFrom: [{secretRef: {name: s}}]"
ALL_OF_C = "envFrom: [{configMapRef: {name: c}}]"
BOTH = "envFrom: [{configMapRef: {name: c}}, {secretRef: {name: s}}]"
BOTH_REVERSED = "envFrom: [{secretRef: {name: s}}, {configMapRef: {name: c}}]"


def literals(*values: str) -> str:
    """Return the entries A, B, C, ... with these values in single quotes."""
    entries = (f"{{name: {name}, value: '{value}'}}" for name, value in zip("ABCDEF", values, strict=False))
    return f"env: [{', '.join(entries)}]"


CASES: dict[str, tuple[str, list[str], str, object]] = {
    # literal values
    "a literal": ("env: [{name: X, value: a}]", [], "X", "a"),
    "a literal with blanks around it": ("env: [{name: X, value: ' a '}]", [], "X", " a "),
    "an empty literal": ("env: [{name: X, value: ''}]", [], "X", ""),
    "no value at all": ("env: [{name: X}]", [], "X", ""),
    "null as the value": ("env: [{name: X, value: null}]", [], "X", ""),
    "a number, which the API server refuses": ("env: [{name: X, value: 1}]", [], "X", UNKNOWN),
    "no such variable": ("env: [{name: X, value: a}]", [], "Y", ABSENT),
    "no env at all": ("command: [run]", [], "X", ABSENT),
    "the later of two entries": ("env: [{name: X, value: a}, {name: X, value: b}]", [], "X", "b"),
    "an empty later entry": ("env: [{name: X, value: a}, {name: X, value: ''}]", [], "X", ""),
    "a name with a dot": ("env: [{name: a.b, value: c}]", [], "a.b", "c"),
    "an entry without a name": ("env: [{value: c}]", [], "", ABSENT),
    # references to keys
    "a key of a Secret": (FROM_S, [secret("{k: v}")], "X", "v"),
    "a key of data": (FROM_S, [encoded(f"{{k: {b64('v')}}}")], "X", "v"),
    "base64 on several lines": (FROM_S, [encoded('{k: "dm\\nVy\\n"}')], "X", "ver"),
    "base64 with CRLF": (FROM_S, [encoded('{k: "dm\\r\\nVy"}')], "X", "ver"),
    "invalid base64": (FROM_S, [encoded("{k: 'a-b_'}")], "X", UNKNOWN),
    "base64 without padding": (FROM_S, [encoded("{k: dg}")], "X", UNKNOWN),
    "base64 with blanks": (FROM_S, [encoded("{k: 'dg= ='}")], "X", UNKNOWN),
    "bytes that are not UTF-8": (FROM_S, [encoded("{k: /w==}")], "X", UNKNOWN),
    "a line break at the end": (FROM_S, [encoded(f"{{k: {b64(chr(118) + chr(10))}}}")], "X", "v\n"),
    "an empty value in data": (FROM_S, [encoded("{k: ''}")], "X", ""),
    "null in data": (FROM_S, [encoded("{k: null}")], "X", ""),
    "null in stringData": (FROM_S, [secret("{k: null}")], "X", ""),
    "a number in stringData": (FROM_S, [secret("{k: 1}")], "X", UNKNOWN),
    "stringData over data": (FROM_S, [secret("{k: new}", fields=f"data: {{k: {b64('old')}}}")], "X", "new"),
    "data beside stringData": (FROM_S, [secret("{j: new}", fields=f"data: {{k: {b64('old')}}}")], "X", "old"),
    "a missing key": (FROM_S, [secret("{j: v}")], "X", ABSENT),
    "a key in another case": (FROM_S, [secret("{K: v}")], "X", ABSENT),
    "a missing optional key": (FROM_S_OPTIONAL, [secret("{j: v}")], "X", ABSENT),
    "a present optional key": (FROM_S_OPTIONAL, [secret("{k: v}")], "X", "v"),
    "a Secret that stands in no input": (FROM_S, [], "X", UNKNOWABLE),
    "an optional Secret that stands in no input": (FROM_S_OPTIONAL, [], "X", UNKNOWABLE),
    "a key of a ConfigMap": (FROM_C, [config_map("{k: v}")], "X", "v"),
    "a ConfigMap is not decoded": (FROM_C, [config_map(f"{{k: {b64('v')}}}")], "X", b64("v")),
    "null in a ConfigMap": (FROM_C, [config_map("{k: null}")], "X", ""),
    "binaryData": (FROM_C, [config_map("{}", fields="binaryData: {k: dg==}")], "X", ABSENT),
    "a Secret is not a ConfigMap": (FROM_C, [secret("{k: v}", name="c")], "X", ABSENT),
    "the name of a Secret, misspelled": (
        "env: [{name: X, valueFrom: {secretKeyRef: {name: shop-secrt, key: k}}}]",
        [secret("{k: v}", name="shop-secret")],
        "X",
        ABSENT,
    ),
    "another Secret": (
        "env: [{name: X, valueFrom: {secretKeyRef: {name: shop-redis, key: k}}}]",
        [secret("{k: v}", name="shop-secret")],
        "X",
        UNKNOWABLE,
    ),
    "the value is not expanded": (FROM_S, [secret("{k: '$(Y) $$'}")], "X", "$(Y) $$"),
    "an empty literal beside valueFrom": (
        "env: [{name: X, value: '', valueFrom: {secretKeyRef: {name: s, key: k}}}]",
        [secret("{k: v}")],
        "X",
        "v",
    ),
    "a literal beside valueFrom": (
        "env: [{name: X, value: a, valueFrom: {secretKeyRef: {name: s, key: k}}}]",
        [secret("{k: v}")],
        "X",
        "a",
    ),
    "the address of the pod": ("env: [{name: X, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]", [], "X", UNKNOWN),
    "a limit": ("env: [{name: X, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]", [], "X", UNKNOWN),
    "a key of a file": (
        "env: [{name: X, valueFrom: {fileKeyRef: {volumeName: v, path: p, key: k}}}]",
        [],
        "X",
        UNKNOWABLE,
    ),
    # envFrom
    "all keys of a Secret": (ALL_OF_S, [secret("{X: v}")], "X", "v"),
    "all keys of a ConfigMap": (ALL_OF_C, [config_map("{X: v}")], "X", "v"),
    "all keys leave out binaryData": (ALL_OF_C, [config_map("{}", fields="binaryData: {X: dg==}")], "X", ABSENT),
    "a key that the Secret does not have": (ALL_OF_S, [secret("{Y: v}")], "X", ABSENT),
    "all keys of a Secret that stands in no input": (ALL_OF_S, [], "X", UNKNOWABLE),
    "a prefix": ("envFrom: [{prefix: P_, secretRef: {name: s}}]", [secret("{X: v}")], "P_X", "v"),
    "a prefix replaces the name": ("envFrom: [{prefix: P_, secretRef: {name: s}}]", [secret("{X: v}")], "X", ABSENT),
    "an unknown Secret with a prefix": ("envFrom: [{prefix: P_, secretRef: {name: s}}]", [], "X", ABSENT),
    "an unknown Secret with this prefix": ("envFrom: [{prefix: P_, secretRef: {name: s}}]", [], "P_X", UNKNOWABLE),
    "the last source": (BOTH, [config_map("{X: c}"), secret("{X: s}")], "X", "s"),
    "the last source, in the other order": (BOTH_REVERSED, [config_map("{X: c}"), secret("{X: s}")], "X", "c"),
    "an unknown source may replace a value": (BOTH, [config_map("{X: c}")], "X", UNKNOWN),
    "an unknown source before a known one": (BOTH_REVERSED, [config_map("{X: c}")], "X", "c"),
    "env over envFrom": (ALL_OF_S + "\nenv: [{name: X, value: e}]", [secret("{X: s}")], "X", "e"),
    "env over an unknown source": (ALL_OF_S + "\nenv: [{name: X, value: e}]", [], "X", "e"),
    "empty env over envFrom": (ALL_OF_S + "\nenv: [{name: X, value: ''}]", [secret("{X: s}")], "X", ""),
    "optional and missing keeps the earlier value": (
        ALL_OF_C + "\n" + FROM_S_OPTIONAL,
        [config_map("{X: c}"), secret("{j: v}")],
        "X",
        "c",
    ),
    "optional and present replaces it": (
        ALL_OF_C + "\n" + FROM_S_OPTIONAL,
        [config_map("{X: c}"), secret("{k: v}")],
        "X",
        "v",
    ),
    "optional and unknowable keeps it, with an unknown value": (
        ALL_OF_C + "\n" + FROM_S_OPTIONAL,
        [config_map("{X: c}")],
        "X",
        UNKNOWN,
    ),
    "an invalid name in envFrom": (ALL_OF_S, [secret("{tls.crt: v}")], "tls.crt", "v"),
    # expansion
    "a reference": (literals("a", "$(A)b"), [], "B", "ab"),
    "a reference to itself": (ALL_OF_S + "\nenv: [{name: X, value: '$(X)!'}]", [secret("{X: s}")], "X", "s!"),
    "a reference to a later entry": (literals("$(B)", "b"), [], "A", "$(B)"),
    "a reference to nothing": (literals("$(Z)"), [], "A", "$(Z)"),
    "an escaped reference": (literals("a", "$$(A)"), [], "B", "$(A)"),
    "a tripled dollar": (literals("a", "$$$(A)"), [], "B", "$a"),
    "two dollars": (literals("a$$b"), [], "A", "a$b"),
    "four dollars": (literals("$$$$"), [], "A", "$$"),
    "a dollar at the end": (literals("a$"), [], "A", "a$"),
    "a shell variable": (literals("a", "x$A"), [], "B", "x$A"),
    "an open reference": (literals("a", "$(A"), [], "B", "$(A"),
    "an empty reference": (literals("$()"), [], "A", "$()"),
    "a result is not expanded again": (literals("$$(B)", "$(A)"), [], "B", "$(B)"),
    "a reference to a Secret": (FROM_S[:-1] + ", {name: W, value: 'u:$(X)'}]", [secret("{k: v}")], "W", "u:v"),
    "a reference to envFrom": (ALL_OF_S + "\nenv: [{name: W, value: '-$(X)'}]", [secret("{X: v}")], "W", "-v"),
    "a reference to an unknown Secret": (FROM_S[:-1] + ", {name: W, value: 'u:$(X)'}]", [], "W", UNKNOWN),
    "a reference that an unknown source may resolve": (
        ALL_OF_S + "\nenv: [{name: W, value: '$(X)'}]",
        [],
        "W",
        UNKNOWN,
    ),
    "a reference to a missing optional key": (
        FROM_S_OPTIONAL[:-1] + ", {name: W, value: '$(X)'}]",
        [secret("{j: v}")],
        "W",
        "$(X)",
    ),
    "a reference to a Service": (literals("$(REDIS_SERVICE_HOST)"), [], "A", UNKNOWN),
    # Services
    "a Service": ("command: [run]", [service("{ports: [{port: 6379}]}")], "REDIS_PORT", UNKNOWN),
    "a port of a Service": (
        "command: [run]",
        [service("{ports: [{port: 6379}]}")],
        "REDIS_PORT_6379_TCP_ADDR",
        UNKNOWN,
    ),
    "a named port": (
        "command: [run]",
        [service("{ports: [{name: tls-x, port: 1}]}")],
        "REDIS_SERVICE_PORT_TLS_X",
        UNKNOWN,
    ),
    "a headless Service": ("command: [run]", [service("{clusterIP: None, ports: [{port: 1}]}")], "REDIS_PORT", ABSENT),
    "an alias": ("command: [run]", [service("{type: ExternalName, externalName: x}")], "REDIS_SERVICE_HOST", ABSENT),
    "env over a Service": (
        "env: [{name: REDIS_PORT, value: '6379'}]",
        [service("{ports: [{port: 6379}]}")],
        "REDIS_PORT",
        "6379",
    ),
    # operators
    "a key of an ExternalSecret": (FROM_S, [external("{data: [{secretKey: k}]}")], "X", UNKNOWN),
    "a key that an ExternalSecret does not fetch": (FROM_S, [external("{data: [{secretKey: j}]}")], "X", ABSENT),
    "the target of an ExternalSecret": (
        FROM_S,
        [external("{target: {name: s}, data: [{secretKey: k}]}", name="other")],
        "X",
        UNKNOWN,
    ),
    "dataFrom": (FROM_S, [external("{dataFrom: [{extract: {key: a}}]}")], "X", UNKNOWABLE),
    "a template replaces the keys": (
        FROM_S,
        [external("{target: {template: {data: {j: '{{ .k }}'}}}, data: [{secretKey: k}]}")],
        "X",
        ABSENT,
    ),
    "a template also replaces those of dataFrom": (
        FROM_S,
        [external("{target: {template: {data: {j: '{{ .k }}'}}}, dataFrom: [{extract: {key: a}}]}")],
        "X",
        ABSENT,
    ),
    "a merged template keeps them": (
        FROM_S,
        [external("{target: {template: {mergePolicy: Merge, data: {j: a}}}, data: [{secretKey: k}]}")],
        "X",
        UNKNOWN,
    ),
    "a template without data keeps them": (
        FROM_S,
        [external("{target: {template: {type: Opaque}}, data: [{secretKey: k}]}")],
        "X",
        UNKNOWN,
    ),
    "a literal in a template": (FROM_S, [external("{target: {template: {data: {k: v}}}, data: []}")], "X", "v"),
    "templateFrom": (
        FROM_S,
        [external("{target: {template: {templateFrom: [{literal: a}]}}, data: []}")],
        "X",
        UNKNOWABLE,
    ),
    "an ExternalSecret that extends a Secret": (
        FROM_S,
        [external("{target: {creationPolicy: Merge}, data: [{secretKey: j}]}")],
        "X",
        UNKNOWABLE,
    ),
    "an ExternalSecret that makes none": (
        FROM_S,
        [external("{target: {creationPolicy: None}, data: [{secretKey: k}]}")],
        "X",
        UNKNOWABLE,
    ),
    "a ClusterExternalSecret": (
        FROM_S,
        [
            external(
                "{externalSecretName: s, externalSecretSpec: {data: [{secretKey: k}]}}", kind="ClusterExternalSecret"
            )
        ],
        "X",
        UNKNOWN,
    ),
    "a SealedSecret": (FROM_S, [sealed("{encryptedData: {k: AgA}}")], "X", UNKNOWN),
    "a key that a SealedSecret does not have": (FROM_S, [sealed("{encryptedData: {j: AgA}}")], "X", ABSENT),
    "the template of a SealedSecret": (FROM_S, [sealed("{encryptedData: {}, template: {data: {k: v}}}")], "X", "v"),
    "a SecretProviderClass": (
        FROM_S,
        [provider_class("{secretObjects: [{secretName: s, data: [{key: k, objectName: o}]}]}")],
        "X",
        UNKNOWN,
    ),
    "a Secret that an operator makes": (
        "env: [{name: X, valueFrom: {secretKeyRef: {name: shop-ap, key: k}}}]",
        [
            secret("{k: v}", name="shop-app"),
            operated("Database", "{a: b}", group="example.com/v1", name="shop"),
        ],
        "X",
        UNKNOWABLE,
    ),
    "a Secret that a controller fills in": (
        FROM_S,
        [
            (
                "apiVersion: v1\nkind: Secret\nmetadata: {name: s, annotations: "
                "{secret-generator.v1.mittwald.de/autogenerate: k}}"
            )
        ],
        "X",
        UNKNOWABLE,
    ),
    # values that something else completes
    "a SOPS value": (FROM_S, [secret("{k: 'ENC[AES256_GCM,data:a,iv:b]'}", fields="sops: {version: a}")], "X", UNKNOWN),
    "a SOPS file, another value": (FROM_S, [secret("{k: plain}", fields="sops: {version: a}")], "X", "plain"),
    "a Vault reference": ("env: [{name: X, value: 'vault:secret/data/a#b'}]", [], "X", UNKNOWN),
    "a 1Password reference": ("env: [{name: X, value: 'op://vault/item/key'}]", [], "X", UNKNOWN),
    "a path of the Argo CD plugin": (FROM_S, [secret("{k: '<path:a/b#c>'}")], "X", UNKNOWN),
    "an encoded path of the Argo CD plugin": (FROM_S, [encoded(f"{{k: {b64('<path:a/b#c>')}}}")], "X", UNKNOWN),
    "a placeholder in angle brackets": (FROM_S, [secret("{k: <password>}")], "X", "<password>"),
    "a variable of Flux": ("env: [{name: X, value: 'postgres://${HOST}/a'}]", [], "X", UNKNOWN),
    "a command that reads a file of variables": (
        "command: [sh, -c, '. /vault/secrets/env && exec run']",
        [],
        "X",
        UNKNOWABLE,
    ),
    "a command that exports a variable": ("command: [sh, -c, 'export X=1; exec run']", [], "X", UNKNOWABLE),
    "a wrapper": ("command: [doppler, run, --, gunicorn]", [], "X", UNKNOWABLE),
    # several objects of one name
    "a Secret in two files with the same value": (FROM_S, [secret("{k: v}"), secret("{k: v}")], "X", "v"),
    "a Secret in two files with two values": (FROM_S, [secret("{k: v}"), secret("{k: w}")], "X", UNKNOWN),
    "a Secret in two files, one without the key": (FROM_S, [secret("{k: v}"), secret("{j: w}")], "X", UNKNOWABLE),
    "a Secret and an ExternalSecret": (FROM_S, [secret("{j: v}"), external("{data: [{secretKey: k}]}")], "X", UNKNOWN),
}
