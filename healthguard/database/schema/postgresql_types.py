"""The types of PostgreSQL: their spelling on the server and their compatibility."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from django.db import DatabaseError

from healthguard.database.queries import fetch, sqlstate_of
from healthguard.database.schema.types import UNBOUNDED, Shape, TypeName

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

ENUM = "enum"
"""The base type that stands for every enum. No server uses it as the name of a type."""

# These names define a column with a sequence; they are not types.
_SERIALS = {
    **dict.fromkeys(("smallserial", "serial2"), "smallint"),
    **dict.fromkeys(("serial", "serial4"), "integer"),
    **dict.fromkeys(("bigserial", "serial8"), "bigint"),
}
_COLLATE = re.compile(r'\s+COLLATE\s+("[^"]+"|\S+)', re.IGNORECASE)
# The types that every server has. Knowing their spelling saves a new process two queries.
_DJANGO = re.compile(
    r"(bigint|boolean|bytea|date|double precision|inet|integer|interval|jsonb|numeric(?=\()|smallint|text|"
    r"time|timestamp with time zone|uuid|varchar)(?:(?<=varchar)(\(\d+\))|(?<=numeric)(\(\d+, ?\d+\)))?"
)
_DJANGO_RESPELLED = {"varchar": "character varying", "time": "time without time zone"}
# A SELECT list is limited to 1,664 entries.
_TYPES_AT_A_TIME = 500
# The SQLSTATE classes of errors for a text that is not a type: a syntax error (42), an invalid modifier (22).
_INVALID_TYPE = ("42", "22")


def canonical_types(connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
    """Return the server's spelling of ``types``, with None for an unknown type.

    Types that the server cannot parse are left out. The server is queried, because extensions, domains and the search
    path decide what a name means.
    """
    plain = {declared: _plain(declared) for declared in types}
    spellings: dict[str, str | None] = {
        type_: name for type_ in plain.values() if (name := _django_spelling(type_)) is not None
    }
    rest = iter(sorted(set(plain.values()) - set(spellings)))
    while batch := list(islice(rest, _TYPES_AT_A_TIME)):
        spellings |= _spellings(connection, batch)
    return {declared: spellings[type_] for declared, type_ in plain.items() if type_ in spellings}


def _django_spelling(type_: str) -> str | None:
    """Return the server's spelling of a type of Django's own fields, or None for any other type."""
    match = _DJANGO.fullmatch(type_)
    if match is None:
        return None
    name, size, digits = match.groups()
    return _DJANGO_RESPELLED.get(name, name) + (size or (digits and digits.replace(" ", "")) or "")


def _plain(declared: str) -> str:
    plain = _COLLATE.sub("", declared.strip())
    return _SERIALS.get(plain.lower(), plain)


def _spellings(connection: BaseDatabaseWrapper, types: Sequence[str]) -> dict[str, str | None]:
    try:
        query = "SELECT t FROM unnest(%s::text[]) AS t WHERE to_regtype(t) IS NOT NULL"
        existing = [str(type_) for (type_,) in fetch(connection, query, [types])]
        return dict.fromkeys(types) | (_full_spellings(connection, existing) if existing else {})
    except DatabaseError as error:
        if not (sqlstate_of(error) or "").startswith(_INVALID_TYPE):
            raise
        # One type that the server cannot read makes the whole statement fail, so query each type on its own.
        if len(types) == 1:
            return {}
        return {name: text for type_ in types for name, text in _spellings(connection, [type_]).items()}


def _full_spellings(connection: BaseDatabaseWrapper, types: Sequence[str]) -> dict[str, str | None]:
    """Return the spellings with modifiers, which to_regtype drops.

    Inserting the types into the statement is safe, because the server has already parsed each of them as a type.
    """
    # Each type is on its own line, because it may end in a comment.
    columns = "\n, ".join(f"NULL::{type_}" for type_ in types).replace("%", "%%")
    plan = fetch(connection, f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT {columns}\n", [])[0][0]
    output = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Output"]
    return {type_: str(text).rpartition("::")[2] for type_, text in zip(types, output, strict=True)}


_PLAIN = {
    # Every enum accepts some texts.
    ENUM: (Shape("text", (-1.0,)), Shape("character", (-1.0,))),
    "smallint": (Shape("integer", (16.0,)),),
    "integer": (Shape("integer", (32.0,)),),
    "bigint": (Shape("integer", (64.0,)),),
    "real": (Shape("float", (24.0,)),),
    "double precision": (Shape("float", (53.0,)),),
}
# The types with a size, and their default sizes.
_SIZED = {
    "bit varying": UNBOUNDED,
    **dict.fromkeys(
        (f"{name} {zone} time zone" for name in ("time", "timestamp") for zone in ("with", "without")), 6.0
    ),
}


@functools.lru_cache(maxsize=1024)
def shapes(type_: str) -> tuple[Shape, ...]:
    """Return the shapes that a column of ``type_`` can be used as, its own first."""
    if type_.endswith("[]"):
        # Array operators require the same element type on both sides: text[] cannot be compared with varchar[].
        element = TypeName.of(type_[:-2]).name
        return tuple(shape._replace(kind=f"{element}[]") for shape in shapes(type_[:-2])[:1])
    spelling = TypeName.of(type_)
    name = spelling.name
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _SIZED:
        return (Shape(name, (spelling.size(_SIZED[name]),)),)
    if name == "numeric":
        digits = spelling.digits()
        return (Shape(name, digits, scale=None if spelling.modifiers is None else digits[1]),)
    if name.startswith("interval"):
        fields = name.removeprefix("interval").strip()
        # The fields discard only what is smaller than the last of them.
        is_restricted = fields and not fields.endswith("second")
        return (Shape("interval", (spelling.size(6),), fields if is_restricted else None),)
    return _texts(spelling) or (Shape(name, (), spelling.restriction),)


def _texts(spelling: TypeName) -> tuple[Shape, ...]:
    size = spelling.size(UNBOUNDED)
    match spelling.name:
        case "character varying" | "text":
            return Shape("text", (size,)), Shape("character", (size,))
        case "citext":
            return Shape("citext"), Shape("text", (size,)), Shape("character", (size,))
        case "character":
            # It cannot replace text of any length, because shorter values are returned padded.
            return Shape("character", (size,)), Shape("text", (-1.0,))
    return ()
