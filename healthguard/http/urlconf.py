"""The walk through a URLconf that finds the mounts of healthguard, and the URL patterns of one mount."""

from __future__ import annotations

import contextlib
import contextvars
import re
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver, get_urlconf, re_path
from django.urls.exceptions import Resolver404
from django.urls.resolvers import LocalePrefixPattern, RegexPattern
from django.utils.functional import Promise

from healthguard.http.handler import PROBE_PATHS
from healthguard.http.view import CAPTURED, health
from healthguard.probes import get_state

Chain: TypeAlias = tuple[Any, ...]
"""The patterns that lead to a view, outermost first."""

_STATIC_REGEX = re.compile(r"\^((?:[\w/ -]|\\[./-])*)(\$|\\Z)?")


class MountPatterns(list[URLPattern]):
    """The URL patterns of one mount. Each ``include("healthguard.urls")`` gets its own."""

    def __init__(self) -> None:
        # The slash is in brackets because Django warns (urls.W002) about patterns that start with one. It is intended
        # here: if the mount has no trailing slash, one include() covers the path itself and the paths below it.
        super().__init__(
            (
                re_path(r"^[/]?$", health, name="health"),
                re_path(rf"^[/](?P<{CAPTURED}>[\s\S]+)$", health),
                URLPattern(NamePattern(), health),
            )
        )


def walk(patterns: Iterable[Any], chain: Chain = ()) -> Iterator[tuple[Chain, URLPattern | URLResolver]]:
    """Yield each view, and each include of healthguard, with the chain that leads to it."""
    for pattern in patterns:
        extended = (*chain, pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield extended, pattern
        elif isinstance(pattern, URLResolver):
            if isinstance(pattern.url_patterns, MountPatterns):
                yield extended, pattern
            else:
                yield from walk(pattern.url_patterns, extended)


def has_trailing_slash(chain: Chain) -> bool:
    """Return True if the path of a mount ends with a slash. A mount at the root consists only of the slash."""
    return f"/{''.join(map(str, chain))}".rstrip("$").endswith("/")


def prefix_of(chain: Chain) -> tuple[str, bool]:
    """Return the text that all paths of a chain start with, and True if it is the complete path."""
    prefix = "/"
    for pattern in chain:
        static, is_complete = _static_part(pattern)
        prefix += static
        if not is_complete:
            return prefix, False
    return prefix, True


def _static_part(pattern: Any) -> tuple[str, bool]:
    """Return the text that all paths of a pattern start with, and True if it is the complete path."""
    if is_localized(pattern):
        return "", False
    if "_route" in vars(pattern):
        static, placeholder, _ = str(pattern).partition("<")
        return static, not placeholder
    regex = str(pattern)
    match = _STATIC_REGEX.match(regex)
    if match is None or "|" in regex:
        # It may match in the middle of a path, or in several ways.
        return "", False
    static, is_complete = match[1].replace("\\", ""), match.end() == len(regex)
    # The last character is optional if a quantifier follows it.
    return static if is_complete else static[:-1], is_complete


def is_localized(pattern: Any) -> bool:
    """Return True if the paths of a pattern depend on the language."""
    texts = (vars(pattern).get(name) for name in ("_route", "_regex"))
    return isinstance(pattern, LocalePrefixPattern) or any(isinstance(text, Promise) for text in texts)


def is_known_path(subpath: str) -> bool:
    """Return True if the part of a path below a mount names a probe, or a declared service or group."""
    path = subpath.strip("/")
    if path in PROBE_PATHS:
        return True
    try:
        return get_state().tree.at(path.split("/")) is not None
    except Exception:
        # A setting that raises when it is read does not declare any service.
        return False


class NamePattern(RegexPattern):
    """The pattern of the names below a mount with a trailing slash.

    It does not match below a mount without one. Otherwise ``api/healthcare`` would be the service ``care``. Django
    passes only the rest of the path to a pattern, so this one finds its mount in the URLconf.
    """

    def __init__(self) -> None:
        super().__init__(rf"^(?P<{CAPTURED}>[\s\S]+)$", is_endpoint=True)
        self._chains: weakref.WeakKeyDictionary[URLResolver, tuple[Chain, ...]] = weakref.WeakKeyDictionary()

    def match(self, path: str) -> Any:
        """Match a probe or a declared service, and a name for which the project does not have a view."""
        resolver, chains = self._find_mount()
        if not chains or not all(map(has_trailing_slash, chains)):
            return None
        if not is_known_path(path) and not (len(chains) == 1 and _is_free(resolver, chains[0], path)):
            return None
        return super().match(path)

    def _find_mount(self) -> tuple[URLResolver, tuple[Chain, ...]]:
        """Return the URLconf that contains this pattern, and the chains of its mount there.

        There are several chains if the project includes a list with the mount at several places.
        """
        # The wrappers answer before Django has chosen the URLconf of the request.
        for urlconf in (get_urlconf(), settings.ROOT_URLCONF):
            resolver = get_resolver(urlconf)
            if resolver not in self._chains:
                self._chains[resolver] = tuple(self._chains_in(resolver))
            if self._chains[resolver]:
                break
        return resolver, self._chains[resolver]

    def _chains_in(self, resolver: URLResolver) -> Iterator[Chain]:
        # An include that does not have any patterns ends the walk. Django reports it.
        with contextlib.suppress(ImproperlyConfigured):
            for chain, entry in walk(resolver.url_patterns):
                if isinstance(entry, URLPattern):
                    if entry.pattern is self:
                        yield chain[:-1]
                elif any(pattern.pattern is self for pattern in entry.url_patterns):
                    yield chain


_is_searching: contextvars.ContextVar[bool] = contextvars.ContextVar("healthguard_is_searching", default=False)
"""True while the URLconf is searched for a view of the project."""


def _is_free(resolver: URLResolver, chain: Chain, name: str) -> bool:
    """Return True if the project does not have a view for an unknown name below a mount with a trailing slash.

    At the root, all names are the project's. Below a captured argument, the path is not known here.
    """
    prefix, is_static = prefix_of(chain)
    if not is_static or prefix == "/" or _is_searching.get():
        return False
    paths = [f"{prefix}{name}"]
    if settings.APPEND_SLASH and not name.endswith("/"):
        paths.append(f"{prefix}{name}/")
    token = _is_searching.set(True)
    try:
        return not any(_is_resolved(resolver, path) for path in paths)
    finally:
        _is_searching.reset(token)


def _is_resolved(resolver: URLResolver, path: str) -> bool:
    try:
        resolver.resolve(path)
    except Resolver404:
        return False
    except Exception:
        # A converter of the project raised. Django reports it when it comes to that pattern.
        return True
    return True
