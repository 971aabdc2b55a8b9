"""The paths at which the project has mounted healthguard. Adaptors that answer before URL resolution need them.

They are found by a walk through ROOT_URLCONF. healthguard may be mounted several times, in namespaces, and below
captured arguments and language prefixes. A request is answered if Django would resolve it to healthguard's view, with
these exceptions:

- A pattern that is listed first and captures any path, like that of a single-page application, does not hide a mount.
- Neither does a pattern beside the mount that has a converter of the project. It may query the database, so it is not
  called for a health request.
- The URLconf that a later middleware chooses for a request is not known. Its views at the same paths are hidden.
- A mount with a trailing slash is answered without it too, unless the project has a view there.
- The path of the setting ``MOUNT`` is always answered.

Unknown names below a mount with a trailing slash are left to Django: see :class:`healthguard.http.urlconf.NamePattern`.
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
from django.urls import URLPattern, URLResolver, converters, get_resolver
from django.urls.resolvers import LocalePrefixPattern
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

_ANY_PATH = "any/path/of/the/project"
"""A path that only a pattern for any path matches."""


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectViews:
    """Views of the project that Django may prefer to a mount.

    Args:
        paths: the static paths.
        chains: the prefixes and patterns of the views whose paths are not static.
        is_localized: True if one of them depends on the language.
    """

    paths: frozenset[str] = frozenset()
    chains: tuple[tuple[str, Chain], ...] = ()
    is_localized: bool = False

    def has_view_at(self, path: str) -> bool:
        """Return True if ``path`` leads to one of the views."""
        if path in self.paths:
            return True
        with _language_of(path) if self.is_localized else contextlib.nullcontext():
            return any(path.startswith(prefix) and _match(chain, path) is not None for prefix, chain in self.chains)


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
        earlier_views: the views of the project that the URLconf lists first.
        all_views: all views of the project. Django prefers each of them at a path where only the trailing slash of the
            mount is missing.
    """

    prefix: str
    chain: Chain = ()
    is_static: bool = True
    is_view: bool = False
    has_trailing_slash: bool = False
    is_localized: bool = False
    literal: str = ""
    earlier_views: ProjectViews = ProjectViews()
    all_views: ProjectViews = ProjectViews()

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
        is_slash_missing = self.has_trailing_slash and not path.endswith("/") and not subpath
        views = self.all_views if is_slash_missing else self.earlier_views
        return None if views.has_view_at(path) else subpath

    def is_hidden(self) -> bool:
        """Return True if the project has a view at the path of this mount that Django prefers."""
        path = f"{self.prefix}/" if self.has_trailing_slash else self.prefix
        return self.is_static and path != "/" and self.earlier_views.has_view_at(path)

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
        # A server sends an empty path if the request ends with the script name. Django resolves it like a slash.
        path = path or "/"
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
    entries = list(walk(patterns))
    all_chains = [chain for chain, entry in entries if not _is_ours(entry)]
    earlier_chains: list[Chain] = []
    for chain, entry in entries:
        if _is_ours(entry):
            yield _mount(chain, earlier_chains, all_chains, is_view=isinstance(entry, URLPattern))
        else:
            earlier_chains.append(chain)


def _is_ours(entry: URLPattern | URLResolver) -> bool:
    return isinstance(entry, URLResolver) or entry.callback is health


def _mount(chain: Chain, earlier: Iterable[Chain], every: Iterable[Chain], *, is_view: bool) -> Mount:
    full_prefix, is_static = prefix_of(chain)
    # A mount at the root consists only of the slash.
    is_slashed = not is_view and has_trailing_slash(chain)
    return Mount(
        prefix=full_prefix.rstrip("/"),
        chain=chain,
        is_static=is_static,
        is_view=is_view,
        has_trailing_slash=is_slashed,
        is_localized=any(map(is_localized, chain)),
        literal=max(map(_literal, chain), key=len),
        earlier_views=_project_views(earlier, full_prefix),
        all_views=_project_views(every, full_prefix) if is_slashed else ProjectViews(),
    )


def _project_views(chains: Iterable[Chain], mount_prefix: str) -> ProjectViews:
    """Return the views that may have a path of the mount at ``mount_prefix``."""
    views = [(*prefix_of(chain), chain) for chain in chains]
    dynamic = tuple(
        (prefix, chain)
        for prefix, is_complete, chain in views
        if not (is_complete and _is_anchored(chain)) and _may_hide(prefix, chain, mount_prefix)
    )
    return ProjectViews(
        paths=frozenset(prefix for prefix, is_complete, _ in views if is_complete),
        chains=dynamic,
        is_localized=any(is_localized(pattern) for _, chain in dynamic for pattern in chain),
    )


def _is_anchored(chain: Chain) -> bool:
    """Return True if a view answers only its complete path. A regular expression may leave the end open."""
    return "_route" in vars(chain[-1]) or str(chain[-1]).endswith(("$", r"\Z"))


def _may_hide(prefix: str, chain: Chain, mount_prefix: str) -> bool:
    """Return True if a view whose paths start with ``prefix`` may have a path of a mount."""
    if prefix.startswith(mount_prefix) and len(prefix) > len(mount_prefix):
        return True
    return mount_prefix.startswith(prefix) and not _captures_any_path(chain) and not any(map(_has_own_converter, chain))


def _captures_any_path(chain: Chain) -> bool:
    return any(_is_matched_by_regex(chain, path) for path in (_ANY_PATH, f"{_ANY_PATH}/"))


def _is_matched_by_regex(chain: Chain, path: str) -> bool:
    """Return True if a chain matches a path, without its converters and its language prefix."""
    for pattern in chain:
        if isinstance(pattern, LocalePrefixPattern):
            continue
        match = pattern.regex.search(path)
        if match is None:
            return False
        path = path[match.end() :]
    return True


def _has_own_converter(pattern: Any) -> bool:
    """Return True if a pattern has a converter of the project."""
    return any(type(converter).__module__ != converters.__name__ for converter in pattern.converters.values())


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
