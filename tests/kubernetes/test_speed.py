"""The work for one document: 1,000 of them take less than a second, with about 4,000 calls of functions for each."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.examination import examine
from healthguard.requirements import DatabaseRequirement, Requirements, SecretKeyRequirement
from tests.kubernetes.manifests import objects
from tests.support.calls import count_calls

REQUIREMENTS = Requirements(
    (
        SecretKeyRequirement(("SECRET_KEY",), "test", min_bytes=64),
        DatabaseRequirement(("DATABASE_URL",), "test", database="shop"),
    ),
    ("api/health",),
)
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-#
  labels: {app: web-#}
spec:
  replicas: 2
  selector:
    matchLabels: {app: web-#}
  template:
    metadata:
      labels: {app: web-#}
    spec:
      containers:
        - name: web
          image: registry.example.com/shop:1.2.#
          command: [gunicorn, shop.wsgi, --bind, "0.0.0.0:8000"]
          ports:
            - {name: http, containerPort: 8000}
          env:
            - name: DATABASE_URL
              valueFrom:
                secretKeyRef: {name: shop-secrets, key: database-url}
            - name: SECRET_KEY
              valueFrom:
                secretKeyRef: {name: shop-secrets, key: secret-key}
            - name: LOG_LEVEL
              value: info
          readinessProbe:
            httpGet: {path: /api/health/ready, port: http}
            timeoutSeconds: 2
          livenessProbe:
            httpGet: {path: /api/health/live, port: http}
            timeoutSeconds: 5
          resources:
            requests: {cpu: 100m, memory: 256Mi}
            limits: {memory: 512Mi}
---
"""
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: config-#}
data:
  LOG_LEVEL: info
  FEATURE: "true"
  settings.json: |
    {"a": 1, "b": [1, 2, 3]}
---
"""


def calls_for(document: str, count: int) -> int:
    """Return the number of calls to read and examine a container and copies of a document."""
    text = WEB + "".join(document.replace("#", str(number)) for number in range(count))
    return count_calls(lambda: examine(objects(text), REQUIREMENTS))


@pytest.mark.parametrize(("document", "most"), [(WEB, 4500), (CONFIG_MAP, 400)], ids=["Deployment", "ConfigMap"])
def test_one_more_document_takes_few_calls(document: str, most: int) -> None:
    """The work for a document is bounded: that of a chosen container, and that of an object that nothing uses."""
    calls_for(document, 2)

    assert (calls_for(document, 20) - calls_for(document, 10)) / 10 < most
