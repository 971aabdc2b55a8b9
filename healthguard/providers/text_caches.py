"""Instances of Django's caches that read text and do not unpickle data that other programs may have written."""

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
"""The instances by alias and thread. As in Django, each thread has its own, because not every client can be shared."""


def text_cache(alias: str) -> BaseCache:
    """Return an instance of the cache ``alias`` that stores text, if its backend supports it.

    Otherwise return Django's own instance. The file, database and local-memory caches of Django unpickle what they
    read.
    """
    declared = caches.settings[alias]
    cached_for, cache = getattr(_instances, alias, (None, None))
    if cache is None or cached_for is not declared:
        cache = _text_instance(declared) or caches[alias]
        setattr(_instances, alias, (declared, cache))
    return cache


def _text_instance(declared: Mapping[str, Any]) -> BaseCache | None:
    backend = import_string(declared["BACKEND"])
    text_options = _text_options(backend)
    if not text_options:
        return None
    params = {name: value for name, value in declared.items() if name not in ("BACKEND", "LOCATION")}
    params["OPTIONS"] = {**params.get("OPTIONS", {}), **text_options}
    instance: BaseCache = backend(declared.get("LOCATION", ""), params)
    return instance


def _text_options(backend: Any) -> dict[str, Any]:
    if issubclass(backend, RedisCache):
        return {"serializer": TextSerializer}
    if issubclass(backend, PyMemcacheCache):
        return {"serde": TextSerde()}
    if any(base.__module__ == "django_redis.cache" for base in backend.__mro__):
        serializer = f"{TextSerializer.__module__}.{TextSerializer.__qualname__}"
        # Without compression, because a short value could decompress to a very long one.
        return {"SERIALIZER": serializer, "COMPRESSOR": "django_redis.compressors.identity.IdentityCompressor"}
    return {}


class TextSerializer:
    """A serializer for text, with the interface of Django's RedisCache and django-redis.

    Args:
        options: the options of django-redis. They are ignored.
    """

    def __init__(self, options: object = None) -> None:
        del options

    def dumps(self, value: object) -> bytes:
        """Return ``value``, a string or a number, as bytes."""
        return str(value).encode("ascii")

    def loads(self, data: bytes) -> str:
        """Return ``data`` as text; an empty string if it is longer than the longest entry."""
        return data.decode("ascii", "replace") if len(data) <= MAX_ENTRY_CHARACTERS else ""


class TextSerde:
    """A serializer for text, with the interface of pymemcache."""

    def serialize(self, key: object, value: object) -> tuple[bytes, int]:
        """Return ``value``, a string or a number, as bytes, and flags of 0."""
        del key
        return TextSerializer().dumps(value), 0

    def deserialize(self, key: object, value: bytes, flags: int) -> str:
        """Return ``value`` as text. The flags are ignored."""
        del key, flags
        return TextSerializer().loads(value)
