"""Realistic manifests of many kinds, in which the rules find nothing."""

from __future__ import annotations

import pytest

from healthguard.requirements.requirement import Requirements
from tests.kubernetes.rules.probes.probe_manifests import PROBE_RULES, REQUIREMENTS, faults

DRAINING = Requirements((), mount_paths=("api/health", "internal/health"), deadline=2.0, drain_file="/tmp/drain")

GUNICORN_BEHIND_NGINX = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop}
    spec:
      terminationGracePeriodSeconds: 60
      initContainers:
        - name: init
          image: registry.example.com/shop:1.0
          command: [python, manage.py, healthguard, check, --wait, "120"]
      containers:
        - name: web
          image: registry.example.com/shop:1.0
          command: [gunicorn, --bind=0.0.0.0:8000, --graceful-timeout=30, shop.wsgi]
          ports:
            - containerPort: 8000
          startupProbe:
            httpGet: {path: /api/health/startup, port: 8000}
            timeoutSeconds: 3
            periodSeconds: 3
            failureThreshold: 20
          readinessProbe:
            httpGet: {path: /api/health/ready, port: 8000}
            timeoutSeconds: 3
          livenessProbe:
            httpGet: {path: /api/health/live, port: 8000}
          lifecycle:
            preStop:
              exec:
                command: ["/bin/sh", "-c", "touch /tmp/drain && sleep 15"]
        - name: nginx
          image: nginx:1.27
          ports: [{name: http, containerPort: 80}]
          readinessProbe:
            httpGet: {path: /nginx-health, port: http}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: http}]
"""
UVICORN_STATEFUL_SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: chat}
spec:
  serviceName: chat
  template:
    metadata: {labels: {app.kubernetes.io/name: chat}}
    spec:
      containers:
        - name: web
          image: registry.example.com/chat@sha256:0123
          args: [uvicorn, chat.asgi:application, --host, 0.0.0.0, --timeout-graceful-shutdown, "15"]
          ports: [{name: web, containerPort: 8080, protocol: TCP}, {name: metrics, containerPort: 9090}]
          startupProbe: {httpGet: {path: /internal/health/startup, port: web}, failureThreshold: 60, timeoutSeconds: 3}
          readinessProbe:
            exec:
              command:
                - python
                - -m
                - healthguard.probe
                - --timeout=3
                - http://127.0.0.1:8080/internal/health/ready
            timeoutSeconds: 6
          livenessProbe: {tcpSocket: {port: web}}
          lifecycle: {preStop: {sleep: {seconds: 10}}}
"""
UNIX_SOCKET = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: web
          image: shop
          command: [sh, -c, "python manage.py migrate && exec gunicorn --bind unix:/run/app.sock shop.wsgi"]
          ports: []
          readinessProbe:
            exec: {command: [python, -m, healthguard.probe, --timeout=3, "unix:/run/app.sock:/api/health/ready"]}
            timeoutSeconds: 5
"""
WORKERS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  template:
    metadata: {labels: {app: worker}}
    spec:
      terminationGracePeriodSeconds: 600
      containers:
        - name: worker
          image: shop
          command: [celery, -A, shop, worker, -l, info]
          ports: [{name: http, containerPort: 8000}]
          livenessProbe:
            exec: {command: [sh, -c, "celery -A shop inspect ping -d worker@$HOSTNAME"]}
            timeoutSeconds: 20
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: cleanup}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: web, image: shop, command: [python, manage.py, cleanup], ports: [{containerPort: 8000}]}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: web, image: shop, command: [python, manage.py, migrate]}]
"""
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  strategy: {canary: {steps: [{setWeight: 20}, {pause: {}}]}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: web
          image: shop
          ports: [{name: http, containerPort: 8000}]
          startupProbe: &probe
            httpGet: {path: /api/health/startup, port: http, scheme: HTTP}
            timeoutSeconds: 3
          readinessProbe:
            httpGet:
              path: /api/health/ready/
              port: http
              httpHeaders:
                - {name: Host, value: shop.example.com}
                - {name: X-Forwarded-Proto, value: https}
            timeoutSeconds: 3
            successThreshold: 2
          livenessProbe: {grpc: {port: 9000}, terminationGracePeriodSeconds: 10}
"""
KNATIVE = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
        - name: web
          image: shop
          ports: [{containerPort: 8000}]
          readinessProbe: {httpGet: {path: /api/health/ready}, timeoutSeconds: 3}
"""
HOST_NETWORK = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: edge}
spec:
  template:
    metadata: {labels: {app: edge}}
    spec:
      hostNetwork: true
      containers:
        - name: web
          image: shop
          ports: [{name: https, containerPort: 8443}]
          readinessProbe:
            httpGet: {host: 127.0.0.1, path: /shop/api/health/ready, port: https, scheme: HTTPS}
            timeoutSeconds: 3
"""
MANIFESTS = {
    "gunicorn behind nginx": GUNICORN_BEHIND_NGINX,
    "uvicorn in a StatefulSet": UVICORN_STATEFUL_SET,
    "Unix socket": UNIX_SOCKET,
    "workers and jobs": WORKERS,
    "Argo Rollout": ROLLOUT,
    "Knative": KNATIVE,
    "DaemonSet in the network of the node": HOST_NETWORK,
}


@pytest.mark.parametrize("text", MANIFESTS.values(), ids=MANIFESTS)
@pytest.mark.parametrize("requirements", [DRAINING, Requirements(())], ids=["declared", "unknown"])
def test_sound_manifest_has_no_finding(text: str, requirements: Requirements) -> None:
    """Neither with the paths of the declaration nor without them anything is reported above advice."""
    assert faults(text, requirements) == []


@pytest.mark.parametrize("text", ["spec: 5", "spec: {template: {spec: {containers: [5, {name: web, ports: 8000}]}}}"])
def test_malformed_manifest_raises_nothing(text: str) -> None:
    """Other rules report its shape."""
    assert faults(f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: shop}}\n{text}\n") == []


@pytest.mark.parametrize(
    "probe",
    [
        "[]",
        "{httpGet: []}",
        "{httpGet: {path: [], port: {}}}",
        "{exec: {command: [[], {}]}}",
        "{httpGet: {httpHeaders: 5}}",
    ],
)
@pytest.mark.parametrize("kind", ["readinessProbe", "livenessProbe", "startupProbe"])
def test_malformed_probe_is_refused_and_raises_nothing(kind: str, probe: str) -> None:
    """A value of a wrong type is an error, whatever the other rules make of it."""
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: shop}\nspec:\n  containers:\n"
        f"    - name: web\n      ports: [{{containerPort: 8000}}]\n      {kind}: {probe}\n"
    )
    assert "probe-refused" in [rule for rule, _, _ in faults(text, REQUIREMENTS)]


def test_ids_of_rules_are_unique() -> None:
    """Annotations and SARIF identify a rule by its id."""
    ids = [rule.id for rule in PROBE_RULES]
    assert sorted(set(ids)) == sorted(ids)
    assert len(ids) >= 20
