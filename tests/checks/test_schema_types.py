"""Which type can stand for which, by the spellings of the servers themselves."""

from __future__ import annotations

import pytest

from healthguard.schema import mysql, postgresql, postgresql_types
from healthguard.schema.types import Fit, best_fit

POSTGRESQL = [
    ("smallint", "bigint", Fit.FITS),
    ("bigint", "smallint", Fit.NARROWER),
    ("integer", "numeric", Fit.OTHER),
    ("integer", "real", Fit.OTHER),
    ("real", "double precision", Fit.FITS),
    ("numeric(10,2)", "numeric", Fit.FITS),
    ("numeric(10,2)", "numeric(11,3)", Fit.FITS),
    ("numeric(10,2)", "numeric(11,1)", Fit.NARROWER),
    ("numeric", "numeric(1000,2)", Fit.NARROWER),
    ("character varying(20)", "text", Fit.FITS),
    ("character varying(20)", "citext", Fit.FITS),
    ("text", "character varying", Fit.FITS),
    ("text", "character varying(20)", Fit.NARROWER),
    ("citext", "text", Fit.OTHER),
    ("citext", "citext", Fit.FITS),
    ("character(4)", "character varying(4)", Fit.FITS),
    ("character(4)", "character(3)", Fit.NARROWER),
    ("character varying(4)", "character(4)", Fit.NARROWER),
    ("character varying(4)", "uuid", Fit.OTHER),
    ("timestamp with time zone", "timestamp without time zone", Fit.OTHER),
    ("timestamp with time zone", "timestamp(3) with time zone", Fit.NARROWER),
    ("timestamp(3) with time zone", "timestamp with time zone", Fit.FITS),
    ("time without time zone", "time(0) without time zone", Fit.NARROWER),
    ("interval", "interval(3)", Fit.NARROWER),
    ("interval", "interval day", Fit.NARROWER),
    ("interval day", "interval", Fit.FITS),
    ("interval day", "interval year", Fit.OTHER),
    ("bit varying(3)", "bit varying", Fit.FITS),
    ("bit(3)", "bit(4)", Fit.OTHER),
    ("character varying(20)[]", "text[]", Fit.OTHER),
    ("character varying(20)[]", "character varying(30)[]", Fit.FITS),
    ("character varying(20)[]", "character varying(10)[]", Fit.NARROWER),
    ("text[]", "text", Fit.OTHER),
    ("integer[]", "smallint[]", Fit.OTHER),
    ("geometry(Point,4326)", "geometry(Point,4326)", Fit.FITS),
    ("geometry(Point,4326)", "geometry", Fit.FITS),
    ("geometry(Point,4326)", "geometry(Polygon,4326)", Fit.OTHER),
    ("geometry", "geometry(Point,4326)", Fit.NARROWER),
    ("vector(3)", "vector(4)", Fit.OTHER),
    ("jsonb", "json", Fit.OTHER),
]
MYSQL = [
    ("int", "bigint", Fit.FITS),
    ("bigint", "int", Fit.NARROWER),
    ("tinyint(1)", "smallint", Fit.FITS),
    ("int unsigned", "int", Fit.NARROWER),
    ("int", "bigint unsigned", Fit.NARROWER),
    ("int unsigned", "bigint", Fit.FITS),
    ("decimal(10,2)", "decimal(12,4)", Fit.FITS),
    ("decimal(10,2)", "decimal(10,4)", Fit.NARROWER),
    ("decimal", "decimal(10,0)", Fit.FITS),
    ("float", "double", Fit.FITS),
    ("varchar(20)", "varchar(19)", Fit.NARROWER),
    ("varchar(20)", "longtext", Fit.FITS),
    ("longtext", "text", Fit.NARROWER),
    ("char(32)", "varchar(32)", Fit.FITS),
    ("char(32)", "uuid", Fit.OTHER),
    ("uuid", "char(32)", Fit.OTHER),
    ("longblob", "blob", Fit.NARROWER),
    ("longblob", "longtext", Fit.OTHER),
    ("datetime(6)", "datetime", Fit.NARROWER),
    ("datetime(6)", "timestamp(6)", Fit.OTHER),
    ("enum('a','b')", "enum('a')", Fit.NARROWER),
    ("enum('a','b')", "enum('b','c','a')", Fit.FITS),
    ("set('a')", "set('a','b')", Fit.FITS),
    ("year", "year(4)", Fit.FITS),
    ("bit", "bit(1)", Fit.FITS),
    ("binary", "binary(1)", Fit.FITS),
    ("json", "longtext", Fit.OTHER),
]


@pytest.mark.parametrize(("expected", "actual", "fit"), POSTGRESQL)
def test_postgresql(expected, actual, fit) -> None:
    assert best_fit(postgresql.shapes(actual), postgresql.shapes(expected)[0]) is fit


@pytest.mark.parametrize(("expected", "actual", "fit"), MYSQL)
def test_mysql(expected, actual, fit) -> None:
    assert best_fit(mysql.shapes(actual), mysql.shapes(expected)[0]) is fit


@pytest.mark.parametrize("engine", [postgresql, mysql])
def test_every_type_stands_for_itself(engine) -> None:
    for pair in POSTGRESQL if engine is postgresql else MYSQL:
        for type_ in pair[:2]:
            assert best_fit(engine.shapes(type_), engine.shapes(type_)[0]) is Fit.FITS


@pytest.mark.parametrize("name", ["short", "x" * 63, "ä" * 40, "x" * 62 + "ä"])
def test_names_are_cut_as_the_server_cuts_them(postgres, database, name) -> None:
    postgres.execute(f'CREATE TABLE names ("{name}" int)', database)
    rows = postgres.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'names'::regclass AND attnum > 0", database
    )
    assert rows == [(postgresql.fold(name),)]


def test_what_is_known_of_djangos_types_is_what_the_server_says(postgres, database, connect) -> None:
    from django.db import connections
    from django.db.backends.postgresql.base import DatabaseWrapper

    alias = connect(postgres.url_of(database))
    sizes = {"max_length": 20, "max_digits": 10, "decimal_places": 2}
    types = {str(type_) % sizes for type_ in DatabaseWrapper.data_types.values() if isinstance(type_, str)} | {
        *("varchar", "varchar(255)", "numeric(5,0)", "numeric(100, 30)"),
    }
    known = {
        type_: postgresql_types._of_django(type_) for type_ in types if postgresql_types._of_django(type_) is not None
    }
    assert len(known) > 15
    assert known == postgresql_types._spellings(connections[alias], sorted(known))
    assert postgresql_types._of_django("numeric(5)") is None
    assert postgresql_types._of_django("text(5)") is None
