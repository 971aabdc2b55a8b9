"""The paths at which the project has mounted healthguard. Adaptors that answer before URL resolution need them.

They are found by a walk through the URLconf. healthguard may be mounted several times, in namespaces, and below
captured arguments and language prefixes. A request is answered if Django would resolve it to healthguard's view. There
is one exception: a pattern that is listed first and captures any path, like that of a single-page application, does not
hide a mount.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import time
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.middleware.locale import LocaleMiddleware
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import translation
from django.utils.module_loading import import_string

from healthguard.conf import settings
from healthguard.http.urlconf import Chain, has_trailing_slash, is_known_path, is_localized, prefix_of, walk
from healthguard.http.view import CAPTURED, health
from healthguard.runtime import log
from healthguard.status import Code, Fault, Problem

DEFAULT_PREFIX = "/api/health"
"""The path of health requests while the URLconf cannot be imported, if MOUNT is not set."""

RETRY_SECONDS = 5.0
"""The time after which a URLconf that could not be imported is imported again (seconds)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """One mount of healthguard in the URLconf.

    Args:
        prefix: the text that all of its paths start with, without a trailing slash.
        chain: the patterns that lead to it.
        is_static: True if ``prefix`` is the complete path of the mount.
        is_view: True if only the view is mounted, without the paths below it.
        has_trailing_slash: True if it is mounted with a trailing slash. Then it answers only known names, like the URL
            patterns.
        is_localized: True if its path depends on the language.
        literal: a text that all of its paths contain.
        project_paths: the static paths of the project's views that the URLconf lists first.
        project_chains: the prefixes and patterns of such views below ``prefix`` whose paths are not static.
    """

    prefix: str
    chain: Chain = ()
    is_static: bool = True
    is_view: bool = False
    has_trailing_slash: bool = False
    is_localized: bool = False
    literal: str = ""
    project_paths: frozenset[str] = frozenset()
    project_chains: tuple[tuple[str, Chain], ...] = ()

    def rest_of(self, path: str) -> str | None:
        """Return the part of ``path`` below this mount; None if the path does not lead to it."""
        if not path.startswith(self.prefix) or self.literal not in path:
            return None
        subpath = path[len(self.prefix) :] if self.is_static else self._dynamic_subpath(path)
        if subpath is None or (subpath and not subpath.startswith("/")):
            return None
        if self.is_view and self.is_static and subpath.strip("/"):
            return None
        if self.has_trailing_slash and not is_known_path(subpath):
            return None
        return None if self._is_project_view(path) else subpath

    def _is_project_view(self, path: str) -> bool:
        """Return True if ``path`` leads to a view of the project that the URLconf lists before this mount."""
        return path in self.project_paths or any(
            path.startswith(prefix) and _match(chain, path) is not None for prefix, chain in self.project_chains
        )

    def _dynamic_subpath(self, path: str) -> str | None:
        with _language_of(path) if self.is_localized else contextlib.nullcontext():
            # A path without the trailing slash is answered as well.
            subpath = _match(self.chain, path)
            if subpath is None and self.has_trailing_slash:
                subpath = _match(self.chain, f"{path}/")
        is_below_slash = subpath and path.removesuffix(subpath).endswith("/")
        return f"/{subpath}" if is_below_slash else subpath


@dataclasses.dataclass(frozen=True, slots=True)
class Mounts:
    """All mounts of healthguard in the project.

    Args:
        mounts: the mounts.
        problem: the reason why the URLconf could not be imported; None if it could.
        tried: the time of that failure (``time.monotonic()`` seconds).
    """

    mounts: tuple[Mount, ...]
    problem: Problem | None = None
    tried: float = 0.0

    def rest_of(self, path: str) -> str | None:
        """Return the part of ``path`` below a mount; None if the path does not lead to any mount."""
        try:
            subpaths = (mount.rest_of(path) for mount in self.mounts)
            return next((subpath for subpath in subpaths if subpath is not None), None)
        except Exception as error:
            # All requests of the project pass through here. None of them may fail.
            log.once(
                log.ERROR, "Could not compare a request path with healthguard's mount points: %s", type(error).__name__
            )
            return None


_mounts: Mounts | None = None


def mounts() -> Mounts:
    """Return the mounts of healthguard. They are cached; after a failure the URLconf is walked again later."""
    global _mounts
    current = _mounts
    if current is not None and (current.problem is None or time.monotonic() - current.tried < RETRY_SECONDS):
        return current
    # Two threads may walk the URLconf at once. Both get the same result.
    _mounts = current = _find_mounts()
    return current


def _find_mounts() -> Mounts:
    try:
        declared = settings.mount
    except Exception:
        # The setting raises when it is read. The answers report this.
        declared = None
    explicit = () if declared is None else (Mount(declared.rstrip("/")),)
    try:
        return Mounts((*explicit, *_mounts_in(get_resolver(django_settings.ROOT_URLCONF).url_patterns)))
    except (Exception, SystemExit) as error:
        return Mounts(explicit or (Mount(DEFAULT_PREFIX),), problem=_problem(error), tried=time.monotonic())


def _mounts_in(patterns: Iterable[Any]) -> Iterator[Mount]:
    project_chains: list[Chain] = []
    for chain, entry in walk(patterns):
        if isinstance(entry, URLResolver) or entry.callback is health:
            yield _mount(chain, project_chains, is_view=isinstance(entry, URLPattern))
        else:
            project_chains.append(chain)


def _mount(chain: Chain, project_chains: Iterable[Chain], *, is_view: bool) -> Mount:
    full_prefix, is_static = prefix_of(chain)
    prefix = full_prefix.rstrip("/")
    project_views = [(*prefix_of(project_chain), project_chain) for project_chain in project_chains]
    return Mount(
        prefix=prefix,
        chain=chain,
        is_static=is_static,
        is_view=is_view,
        # A mount at the root consists only of the slash.
        has_trailing_slash=not is_view and has_trailing_slash(chain),
        is_localized=any(map(is_localized, chain)),
        literal=max(map(_literal, chain), key=len),
        project_paths=frozenset(view_prefix for view_prefix, is_complete, _ in project_views if is_complete),
        project_chains=tuple(
            (view_prefix, project_chain)
            for view_prefix, is_complete, project_chain in project_views
            if not is_complete and view_prefix.startswith(prefix) and len(view_prefix) > len(full_prefix)
        ),
    )


def _literal(pattern: Any) -> str:
    """Return a text that all paths of a pattern contain; empty if that is not certain."""
    if is_localized(pattern) or "_route" not in vars(pattern):
        return ""
    return max(re.split(r"<[^>]*>", str(pattern)), key=len).strip("/")


def _match(chain: Chain, path: str) -> str | None:
    """Return the part of ``path`` that remains after Django's resolver has matched a chain; None if it does not match.

    If the last pattern is one of healthguard.urls, return the part that it captures.
    """
    subpath, captured = path.removeprefix("/"), {}
    for pattern in chain:
        try:
            match = pattern.match(subpath)
        except Exception:
            # A converter of the project raised. Django answers such a request with an error.
            return None
        if match is None:
            return None
        subpath, _, captured = match
    # A project may put the patterns of healthguard.urls in a list of its own.
    return f"/{captured[CAPTURED]}" if CAPTURED in captured else subpath


@contextlib.contextmanager
def _language_of(path: str) -> Iterator[None]:
    """Activate the language that Django's LocaleMiddleware would read from ``path``, or the default language."""
    reads_path = _has_locale_middleware(tuple(django_settings.MIDDLEWARE))
    language = translation.get_language_from_path(path) if reads_path else None
    with translation.override(language or django_settings.LANGUAGE_CODE):
        yield


@functools.cache
def _has_locale_middleware(middleware: tuple[str, ...]) -> bool:
    """Return True if Django's LocaleMiddleware, or a subclass of it, is installed."""
    return any(_is_locale_middleware(path) for path in middleware)


def _is_locale_middleware(path: str) -> bool:
    try:
        imported = import_string(path)
    except ImportError:
        return False
    return isinstance(imported, type) and issubclass(imported, LocaleMiddleware)


def _problem(error: BaseException) -> Problem:
    frames = traceback.extract_tb(error.__traceback__)
    return Problem(
        Code.URLCONF_BROKEN,
        Fault.CONFIG,
        f"The URLconf cannot be imported ({type(error).__name__}), so the project cannot answer any request.",
        "Run 'python manage.py check' to see the traceback.",
        {
            "exception": f"{type(error).__module__}.{type(error).__name__}",
            "at": f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}",
        },
    ).escaped()


def _reset_mounts(**kwargs: object) -> None:
    global _mounts
    _mounts = None


setting_changed.connect(_reset_mounts)
