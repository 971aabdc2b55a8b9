"""Instances of Django's caches that read text and never unpickle what others may have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asgiref.local import Local
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache
from django.utils.module_loading import import_string

from healthguard.providers.entries import MAX_ENTRY_CHARACTERS

_instances = Local()
"""The instances by alias, one for each thread, as Django keeps its own: not every client can be shared."""


def text_cache(alias: str) -> BaseCache:
    """Return the cache ``alias`` with an instance of its own that stores text, if its backend can do that.

    Other backends are used as they are; the file, database and local-memory caches of Django unpickle what they read.
    """
    declared = caches.settings[alias]
    known, cache = getattr(_instances, alias, (None, None))
    if cache is None or known is not declared:
        cache = _text_instance(declared) or caches[alias]
        setattr(_instances, alias, (declared, cache))
    return cache


def _text_instance(declared: Mapping[str, Any]) -> BaseCache | None:
    backend = import_string(declared["BACKEND"])
    own = _text_options(backend)
    if not own:
        return None
    params = {name: value for name, value in declared.items() if name not in ("BACKEND", "LOCATION")}
    params["OPTIONS"] = {**params.get("OPTIONS", {}), **own}
    instance: BaseCache = backend(declared.get("LOCATION", ""), params)
    return instance


def _text_options(backend: Any) -> dict[str, Any]:
    if issubclass(backend, RedisCache):
        return {"serializer": TextSerializer}
    if issubclass(backend, PyMemcacheCache):
        return {"serde": TextSerde()}
    if any(base.__module__ == "django_redis.cache" for base in backend.__mro__):
        own = f"{TextSerializer.__module__}.{TextSerializer.__qualname__}"
        # A short text, compressed, could be read as a very long one.
        return {"SERIALIZER": own, "COMPRESSOR": "django_redis.compressors.identity.IdentityCompressor"}
    return {}


class TextSerializer:
    """A serializer for text, as Django's RedisCache and django-redis expect it.

    Args:
        options: django-redis's, which are ignored.
    """

    def __init__(self, options: object = None) -> None:
        del options

    def dumps(self, value: object) -> bytes:
        """Return ``value``, text or a number, as bytes."""
        return str(value).encode("ascii")

    def loads(self, data: bytes) -> str:
        """Return ``data`` as text; nothing for more than the longest entry."""
        return data.decode("ascii", "replace") if len(data) <= MAX_ENTRY_CHARACTERS else ""


class TextSerde:
    """The same for pymemcache."""

    def serialize(self, key: object, value: object) -> tuple[bytes, int]:
        """Return ``value``, text or a number, as bytes, and no flags."""
        del key
        return TextSerializer().dumps(value), 0

    def deserialize(self, key: object, value: bytes, flags: int) -> str:
        """Return ``value`` as text, whatever the flags are."""
        del key, flags
        return TextSerializer().loads(value)
