"""No answer is ever HTML or an exception page while healthguard is mounted, whatever is broken and whoever asks."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.db import connections
from django.urls import include, path
from hypothesis import HealthCheck as Hypothesis
from hypothesis import given, settings
from hypothesis import strategies as st

from healthguard import Service, log, private_folder
from tests import adaptors
from tests import strange_checks as strange

OURS = include("healthguard.urls")
ROOTS = {
    "/api/health": [path("api/health", OURS)],
    "/api/v1/health": [path("api/<str:version>/health", OURS)],
    "/inner/health": [path("inner/", include(([path("health", OURS)], "api")))],
    "/en/health": i18n_patterns(path("health", OURS)),
}
STATUSES = {200, 401, 404, 405, 503}
FINE = {"fine": strange.Fine}


class Raises(dict[str, Any]):
    """A setting that raises whenever it is read."""

    def get(self, *arguments: object) -> Any:
        raise RuntimeError(strange.SECRET)

    __getitem__ = __contains__ = __iter__ = get  # type: ignore[assignment]


DECLARATIONS: dict[str, dict[str, Any]] = {
    "all is well": {"HEALTHGUARD": {"SERVICES": FINE}},
    "inline": {"HEALTHGUARD": {"SERVICES": FINE, "INLINE": True}},
    "debug": {"HEALTHGUARD": {"SERVICES": FINE}, "DEBUG": True},
    "nothing is declared": {"HEALTHGUARD": {}},
    "a list": {"HEALTHGUARD": ["SERVICES"]},
    "a setting that raises": {"HEALTHGUARD": Raises()},
    "an unknown key": {"HEALTHGUARD": {"SERVICES": FINE, "DEADLNE": 1}},
    "values of no use": {
        "HEALTHGUARD": {
            "SERVICES": FINE,
            "DEADLINE": "x",
            "DETAILS_TOKENS": 5,
            "PUBLIC": [],
            "DRAIN_FILE": 7,
            "INLINE": "x",
            "MOUNT": 5,
        }
    },
    "no service": {"HEALTHGUARD": {"SERVICES": {}}},
    "odd services": {
        "HEALTHGUARD": {"SERVICES": {"a": None, "b": 5, "c": "secret", "d": [], "e": {}, 6: strange.Fine}}
    },
    "odd policies": {
        "HEALTHGUARD": {
            "SERVICES": {
                "a": Service(strange.Fine, ttl="x"),  # type: ignore[arg-type]
                "b": Service(strange.Fine, ready=[]),  # type: ignore[arg-type]
                "c": Service(strange.Fine, timeout=float("nan")),
            }
        }
    },
    "checks that raise": {
        "HEALTHGUARD": {"SERVICES": {"a": strange.RaisesInConstructor, "b": strange.RaisesInRepr, "c": "no.such.Check"}}
    },
    "no tokens": {"HEALTHGUARD": {"SERVICES": FINE, "DETAILS_TOKENS": ["", None]}},
    "public status": {"HEALTHGUARD": {"SERVICES": FINE, "PUBLIC": "status"}},
    "a drain file that cannot be checked": {"HEALTHGUARD": {"SERVICES": FINE, "DRAIN_FILE": "x" * 5000}},
    "no secret key": {"HEALTHGUARD": {"SERVICES": FINE}, "SECRET_KEY": ""},
}


@contextlib.contextmanager
def raising_log() -> Iterator[None]:
    """Let every log handler raise."""

    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise SystemExit

    handler, logger = Raising(), logging.getLogger("healthguard")
    log.forget()
    logger.addHandler(handler)
    try:
        yield
    finally:
        log.flush(60)
        logger.removeHandler(handler)


@contextlib.contextmanager
def no_folder() -> Iterator[None]:
    """Leave no place for a shared folder."""
    kept = private_folder.places
    private_folder.places = lambda: ["/proc/nowhere"]
    try:
        yield
    finally:
        private_folder.places = kept


@contextlib.contextmanager
def late_atomic_alias() -> Iterator[None]:
    """Add a database with ATOMIC_REQUESTS at run time, where nothing listens."""
    declared = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "x",
        "HOST": "127.0.0.1",
        "PORT": "1",
        "ATOMIC_REQUESTS": True,
    }
    connections.settings["late"] = connections.configure_settings({"default": declared})["default"]
    try:
        yield
    finally:
        del connections.settings["late"]


SURROUNDINGS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "a usual day": contextlib.nullcontext,
    "a log handler that raises": raising_log,
    "no temporary folder": no_folder,
    "a late alias with ATOMIC_REQUESTS": late_atomic_alias,
}


@pytest.fixture(params=adaptors.NAMES)
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Serve with each adaptor: ``with serve(root, **settings) as ask``."""
    module = types.ModuleType("always_json_urls")
    sys.modules[module.__name__] = module

    @contextlib.contextmanager
    def serve(root: str | None, **keys: Any) -> Iterator[Callable[..., adaptors.Reply]]:
        vars(module)["urlpatterns"] = [] if root is None else ROOTS[root]
        name = "no.such.urlconf" if root is None else module.__name__
        override, ask = adaptors.adaptor(request.param, ROOT_URLCONF=name, LANGUAGE_CODE="en", **keys)
        with override:
            yield ask

    serve.adaptor = request.param  # type: ignore[attr-defined]
    yield serve
    del sys.modules[module.__name__]


def judge(reply: adaptors.Reply, method: str) -> None:
    assert reply.status in STATUSES, reply
    assert reply.headers["content-type"] == "application/json", reply
    if method != "HEAD":
        assert isinstance(json.loads(reply.body), dict)
    assert strange.SECRET.encode() not in reply.body


PAIRS = [(declaration, "a usual day") for declaration in DECLARATIONS] + [
    (declaration, surroundings)
    for declaration in ("all is well", "an unknown key", "checks that raise")
    for surroundings in SURROUNDINGS
    if surroundings != "a usual day"
]


@pytest.mark.django_db
@pytest.mark.parametrize(("declaration", "surroundings"), PAIRS)
def test_every_answer_is_json(serve, declaration: str, surroundings: str) -> None:
    """For every declaration and in all surroundings, at every kind of mount."""
    for root in ROOTS:
        with SURROUNDINGS[surroundings](), serve(root, **DECLARATIONS[declaration]) as ask:
            for rest in ("", "/live", "/ready", "/startup", "/fine", "/healthguard", "/nope", "/a/b"):
                judge(ask(f"{root}{rest}"), "GET")
            judge(ask(f"{root}?fresh=1"), "GET")
            judge(ask(root, "POST"), "POST")


@pytest.mark.django_db
@pytest.mark.parametrize("declaration", DECLARATIONS)
def test_every_answer_is_json_while_the_urlconf_is_broken(serve, declaration: str) -> None:
    """Whatever answers before the URLconf is asked answers without it, and never green."""
    if serve.adaptor == "urls":
        # There is no URL without a URLconf: nothing is mounted.
        return
    with serve(None, **DECLARATIONS[declaration]) as ask:
        for rest in ("", "/ready", "/startup", "/healthguard", "/nope"):
            reply = ask(f"/api/health{rest}")
            judge(reply, "GET")
            assert reply.status != 200
        assert ask("/api/health/live").status == 200


@pytest.mark.django_db
@given(
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "DELETE", "get", "X"]),
    rest=st.text(max_size=30),
    query=st.text(st.characters(max_codepoint=126, min_codepoint=33), max_size=30),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(Hypothesis))
def test_every_request_gets_json(serve, method: str, rest: str, query: str) -> None:
    """Whatever the path below the mount, the method and the query are."""
    rest = rest.encode("utf-8", "ignore").decode().replace("?", "")
    with serve("/api/health", HEALTHGUARD={"SERVICES": FINE, "INLINE": True}) as ask:
        judge(ask(f"/api/health/{rest}?{query}", method), method)
