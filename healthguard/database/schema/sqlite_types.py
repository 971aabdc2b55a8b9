"""The types of SQLite: the values that a column keeps unchanged.

SQLite stores any value in any column, but converts some: the affinity of a column turns text into numbers or numbers
into text (https://www.sqlite.org/datatype3.html). Django converts the values that it reads from some columns, based on
the first word of the column's type.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from healthguard.database.schema.types import Shape

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# The values that Django's own fields store, by the first word of the field's type on SQLite.
_STORED = {
    **dict.fromkeys(("integer", "bigint", "smallint"), "integer"),
    **dict.fromkeys(("varchar", "char", "text"), "text"),
    **{name: name for name in ("bool", "date", "datetime", "time", "decimal", "real", "blob")},
}
_CONVERTED = {"bool": "bool", "date": "date", "datetime": "datetime", "timestamp": "datetime", "time": "time"}
# These survive in any column: fields convert dates and times themselves, bytes are never converted, and an IP address
# does not look like a number.
_ALWAYS = ("date", "datetime", "time", "blob", "address")
_KEPT = {
    "integer": ("integer", "bool", "decimal", "real", *_ALWAYS),
    "numeric": ("integer", "bool", "decimal", "real", *_ALWAYS),
    "real": ("bool", "decimal", "real", *_ALWAYS),
    "text": ("text", *_ALWAYS),
    "none": ("text", "integer", "bool", "real", *_ALWAYS),
}
_ADDRESSES = {"char(15)", "char(39)"}
_FIRST_WORD = re.compile(r"\w+")


def canonical_types(connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
    """Return the database's spelling of those ``types`` that Django's own fields have."""
    return {type_: type_.lower() for type_ in types if _first_word(type_) in _STORED}


@functools.cache
def shapes(type_: str) -> tuple[Shape, ...]:
    """Return the shapes that a column of ``type_`` keeps unchanged, beginning with that of a field of this type.

    A numeric column is a narrower column for text, because it changes only text that looks like a number.
    """
    field_kind = "address" if type_ in _ADDRESSES else _STORED.get(_first_word(type_), "any")
    converted = _CONVERTED.get(_first_word(type_))
    kept = (converted,) if converted else _KEPT[_affinity(type_)]
    result = [Shape(kind, (1.0,)) for kind in sorted(kept, key=lambda kind: kind != field_kind)]
    if not converted and "text" not in kept:
        result.append(Shape("text", (0.0,)))
    return tuple(result)


def _first_word(type_: str) -> str:
    match = _FIRST_WORD.match(type_.lower())
    return match[0] if match else ""


def _affinity(type_: str) -> str:
    """Return the affinity of a type.

    See https://www.sqlite.org/datatype3.html#determination_of_column_affinity.
    """
    text = type_.lower()
    if "int" in text:
        return "integer"
    if any(word in text for word in ("char", "clob", "text")):
        return "text"
    if "blob" in text or not text:
        return "none"
    return "real" if any(word in text for word in ("real", "floa", "doub")) else "numeric"
