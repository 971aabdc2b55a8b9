"""The compatibility of column types, by the spellings of the servers."""

from __future__ import annotations

from types import ModuleType

import pytest
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from example_project.postgres import Postgres
from healthguard.database.schema import mysql, postgresql, postgresql_types
from healthguard.database.schema.types import Compatibility, best_compatibility
from tests.support.fixture_types import Connect

POSTGRESQL = [
    ("smallint", "bigint", Compatibility.FITS),
    ("bigint", "smallint", Compatibility.NARROWER),
    ("integer", "numeric", Compatibility.OTHER),
    ("integer", "real", Compatibility.OTHER),
    ("real", "double precision", Compatibility.FITS),
    ("numeric(10,2)", "numeric", Compatibility.FITS),
    ("numeric(10,2)", "numeric(11,2)", Compatibility.FITS),
    ("numeric(10,2)", "numeric(11,3)", Compatibility.RESCALED),
    ("numeric(10,2)", "numeric(11,1)", Compatibility.NARROWER),
    ("numeric", "numeric(1000,2)", Compatibility.NARROWER),
    ("character varying(20)", "text", Compatibility.FITS),
    ("character varying(20)", "citext", Compatibility.FITS),
    ("text", "character varying", Compatibility.FITS),
    ("text", "character varying(20)", Compatibility.NARROWER),
    ("citext", "text", Compatibility.OTHER),
    ("citext", "citext", Compatibility.FITS),
    ("character(4)", "character varying(4)", Compatibility.FITS),
    ("character(4)", "character(3)", Compatibility.NARROWER),
    ("character varying(4)", "character(4)", Compatibility.NARROWER),
    ("character varying(4)", "uuid", Compatibility.OTHER),
    ("timestamp with time zone", "timestamp without time zone", Compatibility.OTHER),
    ("timestamp with time zone", "timestamp(3) with time zone", Compatibility.NARROWER),
    ("timestamp(3) with time zone", "timestamp with time zone", Compatibility.FITS),
    ("time without time zone", "time(0) without time zone", Compatibility.NARROWER),
    ("interval", "interval(3)", Compatibility.NARROWER),
    ("interval", "interval day", Compatibility.NARROWER),
    ("interval", "interval day to second", Compatibility.FITS),
    ("interval", "interval hour to second(3)", Compatibility.NARROWER),
    ("interval", "interval year to month", Compatibility.NARROWER),
    ("interval day", "interval", Compatibility.FITS),
    ("interval day", "interval year", Compatibility.OTHER),
    ("bit varying(3)", "bit varying", Compatibility.FITS),
    ("bit(3)", "bit(4)", Compatibility.OTHER),
    ("character varying(20)[]", "text[]", Compatibility.OTHER),
    ("character varying(20)[]", "character varying(30)[]", Compatibility.FITS),
    ("character varying(20)[]", "character varying(10)[]", Compatibility.NARROWER),
    ("text[]", "text", Compatibility.OTHER),
    ("integer[]", "smallint[]", Compatibility.OTHER),
    ("geometry(Point,4326)", "geometry(Point,4326)", Compatibility.FITS),
    ("geometry(Point,4326)", "geometry", Compatibility.FITS),
    ("geometry(Point,4326)", "geometry(Polygon,4326)", Compatibility.OTHER),
    ("geometry", "geometry(Point,4326)", Compatibility.NARROWER),
    ("vector(3)", "vector(4)", Compatibility.OTHER),
    ("jsonb", "json", Compatibility.OTHER),
]
MYSQL = [
    ("int", "bigint", Compatibility.FITS),
    ("bigint", "int", Compatibility.NARROWER),
    ("tinyint(1)", "smallint", Compatibility.FITS),
    ("int unsigned", "int", Compatibility.NARROWER),
    ("int", "bigint unsigned", Compatibility.NARROWER),
    ("int unsigned", "bigint", Compatibility.FITS),
    ("decimal(10,2)", "decimal(12,2)", Compatibility.FITS),
    ("decimal(10,2)", "decimal(12,4)", Compatibility.RESCALED),
    ("tinyint(1)", "decimal(5,2)", Compatibility.FITS),
    ("decimal(10,2)", "decimal(10,4)", Compatibility.NARROWER),
    ("decimal", "decimal(10,0)", Compatibility.FITS),
    ("float", "double", Compatibility.FITS),
    ("varchar(20)", "varchar(19)", Compatibility.NARROWER),
    ("varchar(20)", "longtext", Compatibility.FITS),
    ("longtext", "text", Compatibility.NARROWER),
    ("char(32)", "varchar(32)", Compatibility.FITS),
    ("char(32)", "uuid", Compatibility.OTHER),
    ("uuid", "char(32)", Compatibility.OTHER),
    ("longblob", "blob", Compatibility.NARROWER),
    ("longblob", "longtext", Compatibility.OTHER),
    ("datetime(6)", "datetime", Compatibility.NARROWER),
    ("datetime(6)", "timestamp(6)", Compatibility.OTHER),
    ("enum('a','b')", "enum('a')", Compatibility.NARROWER),
    ("enum('a','b')", "enum('b','c','a')", Compatibility.FITS),
    ("set('a')", "set('a','b')", Compatibility.FITS),
    ("year", "year(4)", Compatibility.FITS),
    ("bit", "bit(1)", Compatibility.FITS),
    ("binary", "binary(1)", Compatibility.FITS),
    ("json", "longtext", Compatibility.OTHER),
]


@pytest.mark.parametrize(("expected", "actual", "fit"), POSTGRESQL)
def test_compatibility_of_types_on_postgresql(expected: str, actual: str, fit: Compatibility) -> None:
    assert best_compatibility(postgresql.shapes(actual), postgresql.shapes(expected)[0]) is fit


@pytest.mark.parametrize(("expected", "actual", "fit"), MYSQL)
def test_compatibility_of_types_on_mysql(expected: str, actual: str, fit: Compatibility) -> None:
    assert best_compatibility(mysql.shapes(actual), mysql.shapes(expected)[0]) is fit


@pytest.mark.parametrize("engine", [postgresql, mysql])
def test_every_type_is_compatible_with_itself(engine: ModuleType) -> None:
    for pair in POSTGRESQL if engine is postgresql else MYSQL:
        for type_ in pair[:2]:
            assert best_compatibility(engine.shapes(type_), engine.shapes(type_)[0]) is Compatibility.FITS


@pytest.mark.parametrize("name", ["short", "x" * 63, "ä" * 40, "x" * 62 + "ä"])
def test_long_names_are_cut_as_the_server_cuts_them(postgres: Postgres, database: str, name: str) -> None:
    postgres.execute(f'CREATE TABLE names ("{name}" int)', database)
    rows = postgres.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'names'::regclass AND attnum > 0", database
    )
    assert rows == [(postgresql.fold(name),)]


def test_spellings_of_djangos_types_are_those_of_the_server(
    postgres: Postgres, database: str, connect: Connect
) -> None:
    alias = connect(postgres.url_of(database))
    sizes = {"max_length": 20, "max_digits": 10, "decimal_places": 2}
    types = {str(type_) % sizes for type_ in DatabaseWrapper.data_types.values() if isinstance(type_, str)} | {
        *("varchar", "varchar(255)", "numeric(5,0)", "numeric(100, 30)"),
    }
    spellings = {
        type_: postgresql_types._django_spelling(type_)
        for type_ in types
        if postgresql_types._django_spelling(type_) is not None
    }
    assert len(spellings) > 15
    assert spellings == postgresql_types._spellings(connections[alias], sorted(spellings))
    assert postgresql_types._django_spelling("numeric(5)") is None
    assert postgresql_types._django_spelling("text(5)") is None
