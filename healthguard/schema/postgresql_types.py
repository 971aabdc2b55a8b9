"""The types of PostgreSQL: how the server spells them, and which can replace which."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from django.db import DatabaseError

from healthguard.databases import fetch, sqlstate_of
from healthguard.schema.types import UNBOUNDED, Shape, Spelling

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

ENUM = "enum"
"""The name of the base type of every enum, which no server uses as the name of a type."""

# These are spellings of a column, not types.
_SERIALS = {
    **dict.fromkeys(("smallserial", "serial2"), "smallint"),
    **dict.fromkeys(("serial", "serial4"), "integer"),
    **dict.fromkeys(("bigserial", "serial8"), "bigint"),
}
_COLLATE = re.compile(r'\s+COLLATE\s+("[^"]+"|\S+)', re.IGNORECASE)
# The names that every server has. To know their spelling spares a new process two queries.
_DJANGO = re.compile(
    r"(bigint|boolean|bytea|date|double precision|inet|integer|interval|jsonb|numeric(?=\()|smallint|text|"
    r"time|timestamp with time zone|uuid|varchar)(?:(?<=varchar)(\(\d+\))|(?<=numeric)(\(\d+, ?\d+\)))?"
)
_DJANGO_RESPELLED = {"varchar": "character varying", "time": "time without time zone"}
# A SELECT list takes 1,664.
_TYPES_AT_A_TIME = 500
# The classes of errors for a text that is not a type: a syntax error, an invalid modifier.
_NOT_READ = ("42", "22")


def canonical_types(connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
    """Return the server's spelling of ``types``: None for an unknown type; without those that it cannot parse.

    The server is queried, because extensions, domains and the search path decide what a name means.
    """
    plain = {declared: _plain(declared) for declared in types}
    known: dict[str, str | None] = {type_: name for type_ in plain.values() if (name := _of_django(type_)) is not None}
    rest = iter(sorted(set(plain.values()) - set(known)))
    while some := list(islice(rest, _TYPES_AT_A_TIME)):
        known |= _spellings(connection, some)
    return {declared: known[spelling] for declared, spelling in plain.items() if spelling in known}


def _of_django(type_: str) -> str | None:
    """The server's spelling of a type that Django's own fields have; None for any other: that is to be asked."""
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
        asked = "SELECT t FROM unnest(%s::text[]) AS t WHERE to_regtype(t) IS NOT NULL"
        known = [str(type_) for (type_,) in fetch(connection, asked, [types])]
        return dict.fromkeys(types) | (_explained(connection, known) if known else {})
    except DatabaseError as error:
        if not (sqlstate_of(error) or "").startswith(_NOT_READ):
            raise
        # One that it cannot read is an error of the whole statement: ask for each alone.
        if len(types) == 1:
            return {}
        return {name: text for type_ in types for name, text in _spellings(connection, [type_]).items()}


def _explained(connection: BaseDatabaseWrapper, types: Sequence[str]) -> dict[str, str | None]:
    """The spelling with the modifiers, which to_regtype drops. A type's text is safe here: the server has read it."""
    # A line each, for a type may end in a comment.
    columns = "\n, ".join(f"NULL::{type_}" for type_ in types).replace("%", "%%")
    plan = fetch(connection, f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT {columns}\n", [])[0][0]
    output = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Output"]
    return {type_: str(text).rpartition("::")[2] for type_, text in zip(types, output, strict=True)}


_PLAIN = {
    # Every enum takes some texts.
    ENUM: (Shape("text", (-1.0,)), Shape("character", (-1.0,))),
    "smallint": (Shape("integer", (16.0,)),),
    "integer": (Shape("integer", (32.0,)),),
    "bigint": (Shape("integer", (64.0,)),),
    "real": (Shape("float", (24.0,)),),
    "double precision": (Shape("float", (53.0,)),),
}
# And the size that they have where none is given.
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
        # The operators of arrays take two of the same type of element: text[] is not compared with varchar[].
        element = Spelling.of(type_[:-2]).name
        return tuple(shape._replace(kind=f"{element}[]") for shape in shapes(type_[:-2])[:1])
    spelling = Spelling.of(type_)
    name = spelling.name
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _SIZED:
        return (Shape(name, (spelling.size(_SIZED[name]),)),)
    if name == "numeric":
        return (Shape(name, spelling.digits()),)
    if name.startswith("interval"):
        return (Shape("interval", (spelling.size(6),), name.removeprefix("interval").strip() or None),)
    return _texts(spelling) or (Shape(name, (), spelling.restriction),)


def _texts(spelling: Spelling) -> tuple[Shape, ...]:
    size = spelling.size(UNBOUNDED)
    match spelling.name:
        case "character varying" | "text":
            return Shape("text", (size,)), Shape("character", (size,))
        case "citext":
            return Shape("citext"), Shape("text", (size,)), Shape("character", (size,))
        case "character":
            # As a text of any length it will not do: what is shorter comes back padded.
            return Shape("character", (size,)), Shape("text", (-1.0,))
    return ()
