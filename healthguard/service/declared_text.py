"""The text of a declared value: the same in all workers of a server, and different for different values.

The text may contain secrets. It must only be passed to a keyed hash.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import functools
import itertools
import pathlib
import re
import types
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

MAX_DEPTH = 20
MAX_MEMBERS = 10_000
"""The largest number of members of one collection that are read."""
MAX_VALUES = 50_000
"""The largest number of values that are read for one text."""

_Form: TypeAlias = "str | tuple[_Form, ...]"
"""Strings in nested tuples. Their repr is unambiguous."""

# The functions are those of the base, because a subclass may override them. Order matters: a datetime is a date.
_PLAIN: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (int, lambda value: int.__format__(value, "x")),  # Python limits the number of decimal digits.
    (float, float.__repr__),
    (complex, complex.__repr__),
    (str, str.__str__),
    (bytes, bytes.__repr__),
    (bytearray, bytearray.__repr__),
    (range, range.__repr__),
    (datetime.datetime, datetime.datetime.isoformat),
    (datetime.date, datetime.date.isoformat),
    (datetime.time, datetime.time.isoformat),
    (datetime.timedelta, datetime.timedelta.__repr__),
    (decimal.Decimal, decimal.Decimal.__repr__),
    (uuid.UUID, uuid.UUID.__str__),
    (pathlib.PurePath, pathlib.PurePath.__str__),
)
_EMPTY: dict[object, object] = {}
# Other mappings, such as os.environ, may differ between processes, or read from elsewhere.
_COLLECTIONS: tuple[tuple[type, Callable[[Any], Iterable[Any]]], ...] = (
    (list, list.__iter__),
    (tuple, tuple.__iter__),
    (deque, deque.__iter__),
    *((type(view), type(view).__iter__) for view in (_EMPTY.keys(), _EMPTY.values(), _EMPTY.items())),
    (set, set.__iter__),
    (frozenset, frozenset.__iter__),
    (dict, dict.items),
    (types.MappingProxyType, lambda value: itertools.islice(value.items(), MAX_MEMBERS + 1)),
)
_UNORDERED = (set, frozenset, dict, types.MappingProxyType)
_ATTRIBUTES: dict[type, tuple[str, ...]] = {
    types.FunctionType: ("__module__", "__qualname__", "__code__", "__defaults__", "__kwdefaults__", "__closure__"),
    types.CodeType: ("co_firstlineno", "co_code", "co_names", "co_consts"),
    types.CellType: ("cell_contents",),
    types.MethodType: ("__func__", "__self__"),
    types.BuiltinFunctionType: ("__module__", "__qualname__", "__self__"),
    functools.partial: ("func", "args", "keywords"),
    re.Pattern: ("pattern", "flags"),
}
"""The attributes that identify a value of these classes."""


def declared_text(value: object) -> str:
    """Return the text of a declared value.

    It consists of the names of classes, the members of collections, the fields of dataclasses, the code of functions,
    and the contents of plain values. Any other object is represented by its class only, because its repr may contain
    its address, or raise. The function raises no exception, whatever the methods of a value do.
    """
    try:
        return repr(_Reader().form(value))
    except _TooManyValuesError:
        return repr((_class_name(type(value)), f"more than {MAX_VALUES} values"))


class _TooManyValuesError(Exception):
    pass


class _Reader:
    def __init__(self) -> None:
        self._unread = MAX_VALUES
        self._open: set[int] = set()

    def form(self, value: object) -> _Form:
        self._unread -= 1
        if self._unread < 0:
            # The order of a set differs between processes, so a part of the values would not be the same part.
            raise _TooManyValuesError
        kind = type(value)
        if id(value) in self._open or len(self._open) == MAX_DEPTH:
            return (_class_name(kind), "…")
        self._open.add(id(value))
        try:
            return (_class_name(kind), *self._parts(value, kind))
        except _TooManyValuesError:
            raise
        except BaseException:
            return (_class_name(kind), "unreadable")
        finally:
            self._open.discard(id(value))

    def _parts(self, value: Any, kind: type) -> Iterable[_Form]:
        if issubclass(kind, enum.Enum):
            return self._attributes(value, ("_name_", "_value_"))
        for plain, text in _PLAIN:
            if issubclass(kind, plain):
                return [text(value)]
        for collection, members in _COLLECTIONS:
            if issubclass(kind, collection):
                forms = self._members(list(members(value)))
                return sorted(forms, key=repr) if issubclass(kind, _UNORDERED) else forms
        if issubclass(kind, type):
            return [_class_name(value)]
        return self._attributes(value, _ATTRIBUTES.get(kind, ())) or self._declared(value, kind)

    def _members(self, members: list[Any]) -> list[_Form]:
        if len(members) > MAX_MEMBERS:
            return [f"{len(members)} members"]
        return [self.form(member) for member in members]

    def _declared(self, value: object, kind: type) -> Iterable[_Form]:
        """Return the fields of a dataclass, and the options of a check that is not one."""
        own = _own_attributes(value)
        if not dataclasses.is_dataclass(kind):
            # A decorator like functools.cache.
            return [self.form(own["__wrapped__"])] if "__wrapped__" in own else []
        names = [field.name for field in dataclasses.fields(kind) if field.init]
        if "__dataclass_fields__" not in vars(kind):
            # It only inherits from a dataclass, as every check does.
            names += sorted(_options(kind, own).difference(names))
        return self._attributes(value, names)

    def _attributes(self, value: object, names: Iterable[str]) -> list[_Form]:
        return [(name, self._attribute(value, name)) for name in names]

    def _attribute(self, value: object, name: str) -> _Form:
        try:
            attribute = getattr(value, name)
        except BaseException:
            return "unreadable"
        return self.form(attribute)


def _options(kind: type, own: dict[str, object]) -> set[str]:
    """Return the names of the attributes that contain the options of a check: public ones, and those of parameters."""
    variables = getattr(getattr(kind.__init__, "__code__", None), "co_varnames", ())  # type: ignore[misc]
    names = {name for name in own if type(name) is str}
    return {name for name in names if not name.startswith("_") or name.lstrip("_") in variables}


def _own_attributes(value: object) -> dict[str, object]:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return attributes if type(attributes) is dict else {}


def _class_name(kind: type) -> str:
    """Return the qualified name of a class, although its metaclass may override the attributes."""
    try:
        module = type.__dict__["__module__"].__get__(kind)
        name = type.__dict__["__qualname__"].__get__(kind)
    except Exception:
        return "?"
    return f"{module}.{name}" if type(module) is str else str(name)
