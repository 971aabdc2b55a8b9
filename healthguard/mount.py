"""The places where the project has mounted healthguard, for adaptors that answer before the URLconf is asked.

The URLconf is walked for healthguard's view: it may be mounted at several places, within namespaces, below captured
arguments and language prefixes. A request is answered where Django's own resolver would lead to the view. There is one
exception: a pattern that is listed first and captures any path, like that of a single-page application, does not hide a
mount.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.middleware.locale import LocaleMiddleware
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import LocalePrefixPattern
from django.utils import translation
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from healthguard import log
from healthguard.conf import settings
from healthguard.probes import guard
from healthguard.respond import PROBE_PATHS
from healthguard.status import Fault, Problem
from healthguard.views import CAPTURED, health

DEFAULT_PREFIX = "/api/health"
"""The place where requests are answered as long as the URLconf cannot be imported, and MOUNT is not set."""

RETRY_SECONDS = 5.0
"""How long a URLconf that cannot be imported is left alone before it is tried again."""

_Chain: TypeAlias = tuple[Any, ...]
"""Django's patterns that lead to a view, outermost first."""

_STATIC_REGEX = re.compile(r"\^((?:[\w/ -]|\\[./-])*)(\$|\\Z)?")


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """One place where healthguard is mounted.

    Args:
        head: what all of its paths begin with, without a last slash.
        chain: the patterns that lead to it.
        is_static: whether ``head`` is the whole of its path.
        is_view: whether the view alone is mounted, and not what is below it too.
        has_slash: whether it is mounted with a last slash. Then only known names are answered, as by the plain URLs.
        is_localized: whether its path depends on the language.
        literal: a text that all of its paths contain.
        own_paths: paths of the project's own views that the URLconf lists first.
        own_chains: the same for views below ``head`` whose paths capture something.
    """

    head: str
    chain: _Chain = ()
    is_static: bool = True
    is_view: bool = False
    has_slash: bool = False
    is_localized: bool = False
    literal: str = ""
    own_paths: frozenset[str] = frozenset()
    own_chains: tuple[tuple[str, _Chain], ...] = ()

    def rest_of(self, path: str) -> str | None:
        """Return what of ``path`` follows this mount; None if the path does not lead here."""
        if not path.startswith(self.head) or self.literal not in path:
            return None
        rest = path[len(self.head) :] if self.is_static else self._dynamic_rest_of(path)
        if rest is None or (rest and not rest.startswith("/")):
            return None
        if (self.is_view and self.is_static and rest.strip("/")) or (self.has_slash and not is_known(rest)):
            return None
        return None if self._is_own(path) else rest

    def _is_own(self, path: str) -> bool:
        """Return True if a view of the project's own is at ``path``, and listed first."""
        return path in self.own_paths or any(
            path.startswith(head) and _matched(chain, path) is not None for head, chain in self.own_chains
        )

    def _dynamic_rest_of(self, path: str) -> str | None:
        with _language_of(path) if self.is_localized else contextlib.nullcontext():
            # Without its last slash the path is answered too.
            rest = _matched(self.chain, path)
            if rest is None and self.has_slash:
                rest = _matched(self.chain, f"{path}/")
        is_below_slash = rest and path.removesuffix(rest).endswith("/")
        return f"/{rest}" if is_below_slash else rest


@dataclasses.dataclass(frozen=True, slots=True)
class Mounts:
    """All the places where healthguard is mounted.

    Args:
        mounts: the places.
        problem: why the URLconf could not be walked; None if it could.
        tried: when it was walked (``time.monotonic()`` seconds).
    """

    mounts: tuple[Mount, ...]
    problem: Problem | None = None
    tried: float = 0.0

    def rest_of(self, path: str) -> str | None:
        """Return what of ``path`` follows the place where healthguard is mounted; None if it is not mounted there."""
        try:
            found = (mount.rest_of(path) for mount in self.mounts)
            return next((rest for rest in found if rest is not None), None)
        except Exception as error:
            # Other requests of the project pass here too: none of them may fail.
            log.once(log.ERROR, "The mount of healthguard could not be compared with a path: %s", type(error).__name__)
            return None

    @property
    def have_slash(self) -> bool:
        """Return True if one of them is mounted with a last slash."""
        return any(mount.has_slash for mount in self.mounts)


_mounts: Mounts | None = None


def mounts() -> Mounts:
    """Return where healthguard is mounted: found once, and again after a while if that failed."""
    global _mounts
    current = _mounts
    if current is not None and (current.problem is None or time.monotonic() - current.tried < RETRY_SECONDS):
        return current
    # Two threads may both walk the URLconf; they find the same.
    _mounts = current = _located()
    return current


def _located() -> Mounts:
    try:
        declared = settings.mount
    except Exception:
        # A setting that raises when it is read: the answers report it.
        declared = None
    explicit = () if declared is None else (Mount(declared.rstrip("/")),)
    try:
        return Mounts((*explicit, *_found(get_resolver(django_settings.ROOT_URLCONF).url_patterns)))
    except (Exception, SystemExit) as error:
        return Mounts(explicit or (Mount(DEFAULT_PREFIX),), problem=_problem(error), tried=time.monotonic())


def _found(patterns: Iterable[Any]) -> Iterator[Mount]:
    before: list[_Chain] = []
    for chain, is_ours, is_view in _walk(patterns):
        if is_ours:
            yield _mount(chain, before, is_view=is_view)
        else:
            before.append(chain)


def _walk(patterns: Iterable[Any], chain: _Chain = ()) -> Iterator[tuple[_Chain, bool, bool]]:
    """Yield the patterns that lead to each view: whether healthguard is mounted there, and whether its view alone."""
    for pattern in patterns:
        here = (*chain, pattern.pattern)
        if isinstance(pattern, URLPattern):
            is_view = pattern.callback is health
            yield here, is_view, is_view
        elif isinstance(pattern, URLResolver):
            if pattern.url_patterns is getattr(sys.modules.get("healthguard.urls"), "urlpatterns", None):
                yield here, True, False
            else:
                yield from _walk(pattern.url_patterns, here)


def _mount(chain: _Chain, before: Iterable[_Chain], *, is_view: bool) -> Mount:
    head, is_static = _head(chain)
    plain = head.rstrip("/")
    others = [(*_head(other), other) for other in before]
    return Mount(
        head=plain,
        chain=chain,
        is_static=is_static,
        is_view=is_view,
        # At the root there is nothing but the slash.
        has_slash=not is_view and f"/{''.join(map(str, chain))}".rstrip("$").endswith("/"),
        is_localized=any(map(_is_localized, chain)),
        literal=max(map(_literal, chain), key=len),
        own_paths=frozenset(other for other, is_whole, _ in others if is_whole),
        own_chains=tuple(
            (other, patterns)
            for other, is_whole, patterns in others
            if not is_whole and other.startswith(plain) and len(other) > len(head)
        ),
    )


def _literal(pattern: Any) -> str:
    """Return a text that all paths of a pattern contain; empty if that is not certain."""
    if _is_localized(pattern) or "_route" not in vars(pattern):
        return ""
    return max(re.split(r"<[^>]*>", str(pattern)), key=len).strip("/")


def _head(chain: _Chain) -> tuple[str, bool]:
    """Return what all paths of a chain begin with, and whether that is the whole of them."""
    head = "/"
    for pattern in chain:
        static, is_whole = _static_part(pattern)
        head += static
        if not is_whole:
            return head, False
    return head, True


def _static_part(pattern: Any) -> tuple[str, bool]:
    """Return what all paths of a pattern begin with, and whether that is all of it."""
    if _is_localized(pattern):
        return "", False
    if "_route" in vars(pattern):
        static, placeholder, _ = str(pattern).partition("<")
        return static, not placeholder
    regex = str(pattern)
    found = _STATIC_REGEX.match(regex)
    if found is None or "|" in regex:
        # It may match in the middle of a path, or in several ways.
        return "", False
    static, is_whole = found[1].replace("\\", ""), found.end() == len(regex)
    # What is followed by a quantifier may be absent.
    return static if is_whole else static[:-1], is_whole


def _is_localized(pattern: Any) -> bool:
    texts = (vars(pattern).get(name) for name in ("_route", "_regex"))
    return isinstance(pattern, LocalePrefixPattern) or any(isinstance(text, Promise) for text in texts)


def _matched(chain: _Chain, path: str) -> str | None:
    """Return what of ``path`` follows a chain of patterns, as Django's resolver matches them; None if they do not."""
    rest, captured = path.removeprefix("/"), {}
    for pattern in chain:
        try:
            match = pattern.match(rest)
        except Exception:
            # A converter of the project raised: Django answers that request with an error.
            return None
        if match is None:
            return None
        rest, _, captured = match
    # The patterns of healthguard.urls may stand in a list of the project's own.
    return f"/{captured[CAPTURED]}" if CAPTURED in captured else rest


@contextlib.contextmanager
def _language_of(path: str) -> Iterator[None]:
    """Activate the language that Django's LocaleMiddleware would find in ``path``, or the default one."""
    found = translation.get_language_from_path(path) if _finds_languages(tuple(django_settings.MIDDLEWARE)) else None
    with translation.override(found or django_settings.LANGUAGE_CODE):
        yield


@functools.cache
def _finds_languages(middleware: tuple[str, ...]) -> bool:
    """Return True if Django's LocaleMiddleware, or a subclass of it, is installed."""
    return any(_is_locale_middleware(path) for path in middleware)


def _is_locale_middleware(path: str) -> bool:
    try:
        found = import_string(path)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, LocaleMiddleware)


def is_known(rest: str) -> bool:
    """Return True if what follows a mount names a probe, or a declared service or group."""
    path = rest.strip("/")
    if path in PROBE_PATHS:
        return True
    try:
        return guard().tree.at(path.split("/")) is not None
    except Exception:
        # A setting that raises when it is read declares no service.
        return False


def _problem(error: BaseException) -> Problem:
    frames = traceback.extract_tb(error.__traceback__)
    return Problem(
        "urlconf_broken",
        Fault.CONFIG,
        f"The URLconf cannot be imported ({type(error).__name__}): the project can answer no request.",
        "Run 'python manage.py check': it shows the traceback.",
        {
            "exception": f"{type(error).__module__}.{type(error).__name__}",
            "at": f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}",
        },
    ).escaped()


def _forget(**kwargs: object) -> None:
    global _mounts
    _mounts = None


setting_changed.connect(_forget)
