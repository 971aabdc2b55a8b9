"""The types of MySQL and MariaDB: their spelling on the server and their compatibility."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from healthguard.database.schema.types import Shape, TypeName

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# https://mariadb.com/kb/en/data-types/ and https://dev.mysql.com/doc/refman/8.4/en/other-vendor-data-types.html
_SYNONYMS = {
    **dict.fromkeys(("integer", "int4"), "int"),
    **dict.fromkeys(("int8",), "bigint"),
    **dict.fromkeys(("int2",), "smallint"),
    **dict.fromkeys(("int3", "middleint"), "mediumint"),
    **dict.fromkeys(("int1",), "tinyint"),
    **dict.fromkeys(("bool", "boolean"), "tinyint(1)"),
    **dict.fromkeys(("numeric", "dec", "fixed", "number"), "decimal"),
    **dict.fromkeys(("double precision", "float8", "real"), "double"),
    **dict.fromkeys(("float4",), "float"),
    **dict.fromkeys(("character varying", "char varying", "varcharacter", "nvarchar", "varchar2"), "varchar"),
    **dict.fromkeys(("national varchar", "national character varying"), "varchar"),
    **dict.fromkeys(("character", "nchar", "national char", "national character"), "char"),
    **dict.fromkeys(("long", "long varchar", "long char varying"), "mediumtext"),
    **dict.fromkeys(("clob",), "longtext"),
    **dict.fromkeys(("raw",), "varbinary"),
    **dict.fromkeys(("long varbinary",), "mediumblob"),
    **dict.fromkeys(("serial",), "bigint unsigned"),
}
_TYPES = frozenset(
    "tinyint smallint mediumint int bigint decimal float double bit char varchar binary varbinary tinytext text "
    "mediumtext longtext tinyblob blob mediumblob longblob enum set json date time datetime timestamp year uuid inet4 "
    "inet6 geometry point linestring polygon multipoint multilinestring multipolygon geometrycollection vector "
    "xmltype".split()
)
_SPELLING = re.compile(r"(?P<name>[a-z][a-z0-9_ ]*?)\s*(?P<modifiers>\(.*\))?\s*(?P<suffix>unsigned|signed)?")
# The server reports the storage of a column with its type: varchar(40) /*M!100301 COMPRESSED*/.
_DECORATION = re.compile(r"\s+(zerofill|auto_increment|(character set|charset|collate)\s+\S+)|/\*.*?\*/", re.IGNORECASE)
# The largest precision of a float. With a larger one it is a double.
_FLOAT_PRECISION = 24
_BOOLEAN = "tinyint(1)"
# The suffix of the type of an automatic key, which has no negative values.
_AUTO_SUFFIX = " counted"
INTEGERS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
"""The sizes of the integer types (bits)."""


def canonical(spelling: str, *, is_mariadb: bool) -> str | None:
    """Return the server's spelling of a type, or None for an unknown type.

    The widths of integers are dropped, because they have no meaning and differ between versions. The exception is
    tinyint(1), which is a boolean.
    """
    match = _SPELLING.fullmatch(" ".join(_DECORATION.sub("", spelling.lower()).split()))
    if match is None:
        return None
    name = match["name"].strip()
    modifiers = (match["modifiers"] or "").replace(" ", "")
    suffix = " unsigned" if match["suffix"] == "unsigned" else ""
    synonym = _SYNONYMS.get(name)
    if synonym is not None and ("(" in synonym or " " in synonym):
        return synonym
    name = synonym or name
    if name == "json" and is_mariadb:
        name = "longtext"
    if name not in _TYPES:
        return None
    if name == "float" and modifiers[1:-1].isdigit():
        name, modifiers = "float" if int(modifiers[1:-1]) <= _FLOAT_PRECISION else "double", ""
    if name in INTEGERS and not (name == "tinyint" and modifiers == "(1)"):
        modifiers = ""
    return f"{name}{modifiers}{suffix}"


def canonical_types(connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
    """Return the server's spelling of ``types``, without the types that cannot be parsed."""
    is_mariadb = bool(getattr(connection, "mysql_is_mariadb", False))
    spelled = {declared: canonical(declared, is_mariadb=is_mariadb) for declared in types}
    return {
        declared: spelling + (_AUTO_SUFFIX if "AUTO_INCREMENT" in declared else "")
        for declared, spelling in spelled.items()
        if spelling is not None
    }


# Their sizes in characters. If the server limits bytes, that is a quarter, because a character may need four bytes.
_TEXTS = {"char": 1.0, "varchar": 1.0, "tinytext": 2.0**6, "text": 2.0**14, "mediumtext": 2.0**22, "longtext": 2.0**30}
_BLOBS = {"varbinary": 1.0, "tinyblob": 2.0**8, "blob": 2.0**16, "mediumblob": 2.0**24, "longblob": 2.0**32}
_TIMES = {"time": 0.0, "datetime": 0.0, "timestamp": 0.0}
_FLOATS = {"float": 24.0, "double": 53.0}
_SIZED = {
    **{name: (name, size) for name, size in _TIMES.items()},
    **{name: ("text", size) for name, size in _TEXTS.items()},
    **{name: ("blob", size) for name, size in _BLOBS.items()},
}
_DECIMAL_DIGITS = (10.0, 0.0)
# The values of a BooleanField, 0 and 1. Django reads them back correctly from any numeric type.
_FLAG = Shape("flag")
# The default lengths.
_LENGTHS = {"bit": "1", "binary": "1", "year": "4"}


@functools.lru_cache(maxsize=1024)
def shapes(type_: str) -> tuple[Shape, ...]:
    """Return the shapes that a column of ``type_`` can be used as, its own first."""
    spelling = TypeName.of(type_.removesuffix(_AUTO_SUFFIX).removesuffix(" unsigned"))
    name = spelling.name
    sign = 0.0 if type_.endswith(" unsigned") else 1.0
    if name in INTEGERS:
        return _shapes_of_integer(type_, INTEGERS[name], sign)
    if name in _FLOATS:
        return (Shape("float", (sign, _FLOATS[name])), _FLAG)
    if name == "decimal":
        digits = spelling.digits() if spelling.modifiers else _DECIMAL_DIGITS
        return (Shape(name, (sign, *digits), scale=digits[1]), _FLAG)
    if name in _SIZED:
        kind, size = _SIZED[name]
        return (Shape(kind, (spelling.size(size),)),)
    if name in ("enum", "set"):
        return (Shape(name, values=frozenset(spelling.modifiers or ())),)
    return (Shape(name, (), spelling.restriction or _LENGTHS.get(name)),)


def _shapes_of_integer(type_: str, bits: int, sign: float) -> tuple[Shape, ...]:
    if type_.endswith(_AUTO_SUFFIX):
        return (Shape("integer", (0.0, bits - 1.0)),)
    integer = Shape("integer", (sign, bits - sign))
    return (_FLAG, integer) if type_ == _BOOLEAN else (integer, _FLAG)
