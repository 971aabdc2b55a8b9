"""Every response of healthguard is JSON, even if the settings, the log or the URLconf are broken."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.db import connections
from django.urls import include, path
from hypothesis import HealthCheck as Hypothesis
from hypothesis import given, settings
from hypothesis import strategies as st

from healthguard import Service
from healthguard.runner.pod import private_folder
from healthguard.runtime import log
from tests.support import adaptors
from tests.support import strange_checks as strange
from tests.support.amounts import some_of
from tests.support.mounts import OURS, page

ROOTS: dict[str, Sequence[object]] = {
    "/api/health": [path("api/health", OURS)],
    "/slash/": [path("slash/", OURS)],
    "/second/": [path("api/health", OURS), path("second/", OURS), path("api/healthfine", page), path("", page)],
    "/host/": [path("host/", OURS)],
    "/api/v1/health": [path("api/<str:version>/health", OURS)],
    "/inner/health": [path("inner/", include(([path("health", OURS)], "api")))],
    "/en/health": i18n_patterns(path("health", OURS)),
}
STATUSES = {200, 401, 404, 405, 503}
FINE = {"fine": strange.Fine}


class Raises(dict[str, Any]):
    """A setting that raises an exception when it is read."""

    def get(self, *arguments: object) -> Any:
        raise RuntimeError(strange.SECRET)

    __getitem__ = __contains__ = __iter__ = get


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
    """Make the logger of healthguard call a handler that raises SystemExit."""

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
    """Make all places for a shared folder unusable."""
    original = private_folder.places
    private_folder.places = lambda: ["/proc/nowhere"]
    try:
        yield
    finally:
        private_folder.places = original


@contextlib.contextmanager
def late_atomic_alias() -> Iterator[None]:
    """Add an unreachable database with ATOMIC_REQUESTS at run time."""
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


CONDITIONS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "a usual day": contextlib.nullcontext,
    "a log handler that raises": raising_log,
    "no temporary folder": no_folder,
    "a late alias with ATOMIC_REQUESTS": late_atomic_alias,
}


class Project:
    """A project that is served with one adaptor.

    Args:
        adaptor: one of ``adaptors.NAMES``.
        module: the module of the URLconf.
    """

    def __init__(self, adaptor: str, module: types.ModuleType) -> None:
        self.adaptor = adaptor
        self._module = module

    @contextlib.contextmanager
    def serve(self, root: str | None, **keys: Any) -> Iterator[adaptors.Send]:
        """Serve with healthguard mounted at ``root``, or with a broken URLconf, and yield a function that sends."""
        vars(self._module)["urlpatterns"] = [] if root is None else ROOTS[root]
        name = "no.such.urlconf" if root is None else self._module.__name__
        if root == "/host/":
            keys |= {"AFTER": ["tests.support.mounts.choose_urlconf"], "URLCONF_OF_HOST": name}
            name = "tests.support.mounts"
        override, send = adaptors.adaptor(self.adaptor, ROOT_URLCONF=name, LANGUAGE_CODE="en", **keys)
        with override:
            yield send


@pytest.fixture(params=adaptors.NAMES)
def project(request: pytest.FixtureRequest) -> Iterator[Project]:
    """The project with each adaptor."""
    module = types.ModuleType("always_json_urls")
    sys.modules[module.__name__] = module
    yield Project(request.param, module)
    del sys.modules[module.__name__]


def expect_valid(reply: adaptors.Reply, method: str) -> None:
    """Assert that a response is JSON with a status of healthguard, and contains no secret."""
    assert reply.status in STATUSES, reply
    assert reply.headers["content-type"] == "application/json", reply
    if method != "HEAD":
        assert isinstance(json.loads(reply.body), dict)
    assert strange.SECRET.encode() not in reply.body


PAIRS = [(declaration, "a usual day") for declaration in DECLARATIONS] + [
    (declaration, condition)
    for declaration in ("all is well", "an unknown key", "checks that raise")
    for condition in CONDITIONS
    if condition != "a usual day"
]


@pytest.mark.django_db
@pytest.mark.parametrize(("declaration", "condition"), PAIRS)
def test_every_answer_is_json(project: Project, declaration: str, condition: str) -> None:
    """Every path below every kind of mount is answered in JSON, for all declarations and conditions.

    The exceptions are unknown names at the root, and those below a captured argument with a trailing slash.
    """
    for root in ROOTS:
        with CONDITIONS[condition](), project.serve(root, **DECLARATIONS[declaration]) as send:
            for rest in ("", "/live", "/ready", "/startup", "/fine", "/healthguard", "/nope", "/a/b"):
                expect_valid(send(f"{root}{rest.removeprefix('/') if root.endswith('/') else rest}"), "GET")
            expect_valid(send(f"{root}?fresh=1"), "GET")
            expect_valid(send(root, "POST"), "POST")


@pytest.mark.django_db
@pytest.mark.parametrize("declaration", DECLARATIONS)
def test_every_answer_is_json_while_the_urlconf_is_broken(project: Project, declaration: str) -> None:
    """Adaptors that answer before URL resolution answer with a broken URLconf, and never with 200."""
    if project.adaptor == "urls":
        # Django cannot resolve any URL, and raises the error of the URLconf.
        with project.serve(None, **DECLARATIONS[declaration]) as send, pytest.raises(ImportError):
            send("/api/health")
        return
    with project.serve(None, **DECLARATIONS[declaration]) as send:
        for rest in ("", "/ready", "/startup", "/healthguard", "/nope"):
            reply = send(f"/api/health{rest}")
            expect_valid(reply, "GET")
            assert reply.status != 200
        assert send("/api/health/live").status == 200


@pytest.mark.django_db
@pytest.mark.parametrize("root", ["/api/health", "/slash/", "/host/"])
@given(
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "DELETE", "get", "X"]),
    rest=st.text(max_size=30),
    query=st.text(st.characters(max_codepoint=126, min_codepoint=33), max_size=30),
)
@settings(max_examples=some_of(60), deadline=None, suppress_health_check=list(Hypothesis))
def test_every_request_gets_json(project: Project, root: str, method: str, rest: str, query: str) -> None:
    """Every path below the mount is answered in JSON, with every method and query."""
    rest = rest.encode("utf-8", "ignore").decode().replace("?", "")
    with project.serve(root, HEALTHGUARD={"SERVICES": FINE, "INLINE": True}) as send:
        expect_valid(send(f"{root.rstrip('/')}/{rest}?{query}", method), method)
