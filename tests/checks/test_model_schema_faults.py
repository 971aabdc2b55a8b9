"""Faults put into a schema, one by one: what does harm is told, with the verdict that it deserves; nothing else is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from django.test import override_settings

from healthguard.checks import ModelSchema
from healthguard.schema import Kind
from healthguard.status import CheckResult, Status
from tests.conftest import mariadb_database

# Its own for each run: the MariaDB is the machine's.
DATABASE = f"healthguard_faults_{os.getpid()}"
INSTALLED = ["healthguard", "django.contrib.contenttypes", "django.contrib.auth", "tests.shop"]
UNHEALTHY = {
    *(Kind.TABLE_MISSING, Kind.TABLE_UNREADABLE, Kind.COLUMN_MISSING, Kind.COLUMN_TYPE, Kind.UNKNOWN_TYPE),
    *(Kind.COLUMN_UNREADABLE, Kind.COLUMN_GENERATED),
}


class Change(NamedTuple):
    """A change to a schema.

    Args:
        sql: its statements.
        kind: what must be told; None for nothing.
        names: of what; all of it, and nothing else.
    """

    sql: str
    kind: Kind | None = None
    names: str = ""


WRITES = (
    "GRANT INSERT ON ALL TABLES IN SCHEMA public, audit TO reader;"
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, audit TO reader"
)
# What differs between the engines is only how it is said.
ANYWHERE = [
    Change("DROP TABLE shop_vip", Kind.TABLE_MISSING, "shop_vip"),
    Change("DROP TABLE shop_product_buyers", Kind.TABLE_MISSING, "shop_product_buyers"),
    Change("ALTER TABLE shop_vip RENAME TO shop_gone", Kind.TABLE_MISSING, "shop_vip"),
    Change("ALTER TABLE shop_customer DROP COLUMN metadata", Kind.COLUMN_MISSING, "shop_customer.metadata"),
    Change("ALTER TABLE shop_customer DROP COLUMN created", Kind.COLUMN_MISSING, "shop_customer.created"),
    Change("ALTER TABLE shop_customer RENAME COLUMN state TO status", Kind.COLUMN_MISSING, "shop_customer.state"),
    Change("ALTER TABLE shop_vip DROP COLUMN discount", Kind.COLUMN_MISSING, "shop_vip.discount"),
    Change("CREATE TABLE somebody_elses (x int NOT NULL)"),
    Change("ALTER TABLE shop_customer ADD COLUMN later varchar(20)"),
    Change("ALTER TABLE shop_customer ADD COLUMN later int DEFAULT 3 NOT NULL"),
]
# A view of one table takes rows there.
UPDATABLE_VIEW = Change("ALTER TABLE shop_vip RENAME TO vips; CREATE VIEW shop_vip AS SELECT * FROM vips")
POSTGRESQL = [
    *ANYWHERE,
    UPDATABLE_VIEW,
    # Tables.
    Change("DROP SCHEMA public CASCADE", Kind.TABLE_MISSING, "*"),
    Change("ALTER TABLE shop_vip SET SCHEMA audit", Kind.TABLE_MISSING, "shop_vip"),
    Change("ALTER TABLE audit.events SET SCHEMA public", Kind.TABLE_MISSING, "audit.events"),
    Change("DROP SCHEMA audit CASCADE", Kind.TABLE_MISSING, "audit.events"),
    Change('DROP TABLE "with.dot"', Kind.TABLE_MISSING, "with.dot"),
    Change("ALTER TABLE shop_vip RENAME TO gone; CREATE SEQUENCE shop_vip", Kind.TABLE_MISSING, "shop_vip"),
    # Rights.
    Change("REVOKE SELECT ON shop_vip FROM reader", Kind.TABLE_UNREADABLE, "shop_vip"),
    Change("REVOKE USAGE ON SCHEMA audit FROM reader", Kind.TABLE_UNREADABLE, "audit.events"),
    Change("REVOKE USAGE ON SCHEMA public FROM reader, PUBLIC", Kind.TABLE_MISSING, "*"),
    Change(
        "REVOKE SELECT ON shop_vip FROM reader; GRANT SELECT (customer_ptr_id) ON shop_vip TO reader",
        Kind.COLUMN_UNREADABLE,
        "shop_vip.discount",
    ),
    # Types that cannot stand for the other.
    *(
        Change(f"ALTER TABLE shop_customer ALTER {column} TYPE {type_}", Kind.COLUMN_TYPE, f"shop_customer.{column}")
        for column, type_ in (
            ("metadata", "json"),
            ("metadata", "text"),
            ("reference", "varchar(36)"),
            ("created", "timestamp"),
            ("created", "date"),
            ("birthday", "timestamptz"),
            ("wakes", "timetz"),
            ("wakes", "text"),
            ("waits", "text"),
            ("visits", "text"),
            ("visits", "numeric(20)"),
            ("rating", "numeric"),
            ("balance", "double precision"),
            ("balance", "bigint"),
            ("is_active", "text"),
            ("notes", "bytea USING notes::bytea"),
            ("address", "text"),
            ("notes", "jsonb USING NULL"),
            ("notes", "text[] USING NULL"),
        )
    ),
    Change("ALTER TABLE shop_postgres ALTER tags TYPE text USING 'x'", Kind.COLUMN_TYPE, "shop_postgres.tags"),
    Change("ALTER TABLE shop_postgres ALTER grid TYPE text[]", Kind.COLUMN_TYPE, "shop_postgres.grid"),
    Change("ALTER TABLE shop_postgres ALTER during TYPE tsrange USING NULL", Kind.COLUMN_TYPE, "shop_postgres.during"),
    Change("ALTER TABLE shop_postgres ALTER search TYPE text", Kind.COLUMN_TYPE, "shop_postgres.search"),
    Change("ALTER TABLE shop_postgres ALTER extended TYPE text", Kind.COLUMN_TYPE, "shop_postgres.extended"),
    Change("ALTER TABLE shop_postgres ALTER address TYPE varchar(254)", Kind.COLUMN_TYPE, "shop_postgres.address"),
    # Extensions and domains.
    Change("DROP DOMAIN email_address CASCADE", Kind.COLUMN_MISSING, "shop_postgres.address"),
    Change("DROP EXTENSION {extension} CASCADE", Kind.COLUMN_MISSING, "shop_postgres.extended"),
    Change(
        "DROP EXTENSION {extension} CASCADE; ALTER TABLE shop_postgres ADD extended text",
        Kind.UNKNOWN_TYPE,
        "shop_postgres.extended",
    ),
    Change(
        "ALTER TABLE shop_postgres ALTER address TYPE varchar(254); DROP DOMAIN email_address",
        Kind.UNKNOWN_TYPE,
        "shop_postgres.address",
    ),
    # Narrower types.
    *(
        Change(
            f"ALTER TABLE shop_customer ALTER {column} TYPE {type_}", Kind.COLUMN_NARROWER, f"shop_customer.{column}"
        )
        for column, type_ in (
            ("email", "varchar(253)"),
            ("notes", "varchar(4000)"),
            ("visits", "smallint"),
            ("points", "integer"),
            ("rating", "real"),
            ("balance", "numeric(9, 2)"),
            ("balance", "numeric(10, 1)"),
            ("created", "timestamptz(0)"),
            ("waits", "interval(0)"),
            ("waits", "interval day to minute"),
        )
    ),
    Change("ALTER TABLE shop_ownplug ALTER id TYPE integer", Kind.COLUMN_NARROWER, "shop_ownplug.id"),
    Change("ALTER TABLE shop_line ALTER product_id TYPE smallint"),
    Change("ALTER TABLE shop_vip ALTER customer_ptr_id TYPE integer", Kind.COLUMN_NARROWER, "shop_vip.customer_ptr_id"),
    Change("ALTER TABLE shop_postgres ALTER endless TYPE varchar(9)", Kind.COLUMN_NARROWER, "shop_postgres.endless"),
    Change("ALTER TABLE shop_postgres ALTER collated TYPE char(10)", Kind.COLUMN_NARROWER, "shop_postgres.collated"),
    Change("ALTER TABLE shop_postgres ALTER tags TYPE varchar(9)[]", Kind.COLUMN_NARROWER, "shop_postgres.tags"),
    # What INSERTs meet.
    Change("ALTER TABLE shop_customer ALTER email SET NOT NULL", Kind.COLUMN_NOT_NULL, "shop_customer.email"),
    Change(
        "ALTER TABLE shop_customer ALTER email SET DEFAULT '', ALTER email SET NOT NULL",
        Kind.COLUMN_NOT_NULL,
        "shop_customer.email",
    ),
    Change("ALTER TABLE orders ADD legacy_code text NOT NULL", Kind.COLUMN_UNEXPECTED, "orders.legacy_code"),
    Change(
        "CREATE DOMAIN needed AS text NOT NULL; ALTER TABLE orders ADD legacy_code needed",
        Kind.COLUMN_UNEXPECTED,
        "orders.legacy_code",
    ),
    Change("ALTER TABLE shop_customer ALTER id DROP IDENTITY", Kind.COLUMN_DEFAULT, "shop_customer.id"),
    Change("DROP SEQUENCE shop_postgres_number_seq CASCADE"),
    Change("ALTER TABLE shop_customer ALTER state DROP DEFAULT", Kind.COLUMN_DEFAULT, "shop_customer.state"),
    Change("ALTER TABLE shop_customer ALTER shout DROP EXPRESSION", Kind.COLUMN_DEFAULT, "shop_customer.shout"),
    # What does no harm.
    *(
        Change(f"ALTER TABLE shop_customer ALTER {column} TYPE {type_}")
        for column, type_ in (
            ("email", "varchar(255)"),
            ("email", "text"),
            ("level", "bigint"),
            ("visits", "bigint"),
            ("balance", "numeric"),
            ("balance", "numeric(12, 4)"),
            ("email", "email_address"),
            ("created", "timestamptz(6)"),
        )
    ),
    Change("ALTER TABLE shop_product_buyers ALTER product_id TYPE bigint"),
    Change('ALTER TABLE shop_postgres ALTER collated TYPE varchar(10) COLLATE "POSIX"'),
    Change("ALTER TABLE shop_customer ALTER name DROP NOT NULL"),
    Change("ALTER TABLE shop_customer ALTER name SET DEFAULT 'x'"),
    Change("ALTER TABLE shop_customer ADD later text GENERATED ALWAYS AS (lower(name)) STORED NOT NULL"),
    Change("ALTER TABLE shop_customer ADD later bigint NOT NULL GENERATED ALWAYS AS IDENTITY"),
    Change("ALTER TABLE shop_customer ADD later bigserial"),
    Change("CREATE DOMAIN kept AS text NOT NULL DEFAULT 'x'; ALTER TABLE orders ADD later kept"),
    Change("CREATE INDEX extra ON shop_customer (name)"),
    Change(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.code = 'x'; RETURN NEW; END $$;"
        "CREATE TRIGGER fill BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fill();"
        "ALTER TABLE orders ADD code text NOT NULL"
    ),
    Change(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.code = 'x'; RETURN NEW; END $$;"
        "CREATE TRIGGER fill BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fill();"
        "ALTER TABLE orders DISABLE TRIGGER fill; ALTER TABLE orders ADD code text NOT NULL",
        Kind.COLUMN_UNEXPECTED,
        "orders.code",
    ),
    Change("CREATE TABLE audit.shop_vip (x int)"),
    Change("ALTER TABLE shop_product_buyers ALTER id TYPE integer"),
    Change("ALTER TABLE shop_customer OWNER TO reader"),
    # What the element of an array is.
    Change("ALTER TABLE shop_postgres ALTER tags TYPE text[]", Kind.COLUMN_TYPE, "shop_postgres.tags"),
    Change("ALTER TABLE shop_postgres ALTER grid TYPE bigint[]", Kind.COLUMN_TYPE, "shop_postgres.grid"),
    Change("ALTER TABLE shop_postgres ALTER tags TYPE varchar(50)[]"),
    Change("ALTER TABLE shop_postgres ALTER tags TYPE varchar[]"),
    # An enum takes some texts.
    Change(
        "CREATE TYPE states AS ENUM ('new', 'old'); ALTER TABLE shop_customer ALTER state DROP DEFAULT,"
        "ALTER state TYPE states USING state::states, ALTER state SET DEFAULT 'new'",
        Kind.COLUMN_NARROWER,
        "shop_customer.state",
    ),
    # Tables that take no rows.
    Change(
        "DROP TABLE shop_vip; CREATE MATERIALIZED VIEW shop_vip AS SELECT 1::bigint AS customer_ptr_id, 2 AS discount",
        Kind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change(
        "ALTER TABLE shop_vip RENAME TO vips; CREATE VIEW shop_vip AS SELECT DISTINCT * FROM vips",
        Kind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change(
        "ALTER TABLE shop_vip RENAME TO vips; CREATE VIEW shop_vip AS SELECT DISTINCT * FROM vips;"
        "CREATE FUNCTION store() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;"
        "CREATE TRIGGER store INSTEAD OF INSERT ON shop_vip FOR EACH ROW EXECUTE FUNCTION store()"
    ),
    Change(
        "DROP TABLE shop_vip;"
        "CREATE TABLE shop_vip (customer_ptr_id bigint PRIMARY KEY, discount int) PARTITION BY HASH (customer_ptr_id)",
        Kind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change(
        "DROP TABLE shop_vip;"
        "CREATE TABLE shop_vip (customer_ptr_id bigint, discount int, PRIMARY KEY (customer_ptr_id, discount))"
        " PARTITION BY RANGE (discount);"
        "CREATE TABLE vips PARTITION OF shop_vip DEFAULT",
        Kind.COLUMN_NOT_NULL,
        "shop_vip.discount",
    ),
    # Row-level security.
    Change("ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY", Kind.TABLE_UNREADABLE, "shop_vip"),
    Change(
        "ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY; CREATE POLICY reads ON shop_vip FOR SELECT USING (true)",
        Kind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change(
        "ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY all_of_it ON shop_vip TO reader USING (true) WITH CHECK (true)"
    ),
    Change(
        "CREATE ROLE somebody; ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY others ON shop_vip TO somebody USING (true)",
        Kind.TABLE_UNREADABLE,
        "shop_vip",
    ),
    Change("ALTER TABLE shop_vip OWNER TO reader; ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY"),
    Change(
        "ALTER TABLE shop_vip OWNER TO reader;ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        Kind.TABLE_UNREADABLE,
        "shop_vip",
    ),
    # Rights to write, where the user has them for most tables.
    Change(WRITES),
    Change(f"{WRITES}; REVOKE INSERT ON shop_vip FROM reader", Kind.TABLE_NOT_WRITABLE, "shop_vip"),
    Change(
        f"{WRITES}; ALTER TABLE shop_ownplug ALTER id DROP IDENTITY; CREATE SEQUENCE plugs OWNED BY shop_ownplug.id;"
        "ALTER TABLE shop_ownplug ALTER id SET DEFAULT nextval('plugs'); REVOKE ALL ON SEQUENCE plugs FROM reader",
        Kind.SEQUENCE_DENIED,
        "shop_ownplug.id",
    ),
    Change(f"{WRITES}; SET LOCAL transaction_read_only = on", Kind.DATABASE_READ_ONLY),
    # Columns that the database computes or counts.
    Change(
        "ALTER TABLE shop_customer DROP points, ADD points bigint GENERATED ALWAYS AS (visits * 2) STORED",
        Kind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change(
        "ALTER TABLE shop_customer ALTER points ADD GENERATED ALWAYS AS IDENTITY",
        Kind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change("ALTER TABLE shop_customer ALTER points ADD GENERATED BY DEFAULT AS IDENTITY"),
    Change("ALTER TABLE shop_customer ALTER id SET GENERATED ALWAYS", Kind.COLUMN_IDENTITY, "shop_customer.id"),
    *(
        Change(
            f"ALTER TABLE shop_customer ALTER id DROP IDENTITY, ALTER id {default}",
            Kind.COLUMN_DEFAULT,
            "shop_customer.id",
        )
        for default in ("SET DEFAULT 0", "SET DEFAULT NULL", "SET DEFAULT 2 + 3", "SET DEFAULT '7'::bigint")
    ),
    Change(
        "ALTER TABLE shop_customer ALTER id DROP IDENTITY; CREATE SEQUENCE numbers;"
        "ALTER TABLE shop_customer ALTER id SET DEFAULT nextval('numbers')"
    ),
    Change("ALTER TABLE shop_customer DROP shout, ADD shout varchar(100)", Kind.COLUMN_DEFAULT, "shop_customer.shout"),
    # Sequences.
    Change(
        f"{WRITES}; ALTER TABLE shop_ownplug ALTER id SET MAXVALUE 3;"
        "SELECT setval(pg_get_serial_sequence('shop_ownplug', 'id'), 3)",
        Kind.SEQUENCE_EXHAUSTED,
        "shop_ownplug.id",
    ),
    Change(
        f"{WRITES}; ALTER TABLE shop_ownplug ALTER id SET MAXVALUE 3;"
        "SELECT setval(pg_get_serial_sequence('shop_ownplug', 'id'), 2)"
    ),
    Change(
        f"{WRITES}; ALTER TABLE shop_ownplug ALTER id SET MAXVALUE 3 SET CYCLE;"
        "SELECT setval(pg_get_serial_sequence('shop_ownplug', 'id'), 3)"
    ),
    Change(
        "ALTER TABLE shop_product ALTER id DROP IDENTITY; CREATE SEQUENCE numbers OWNED BY shop_product.id;"
        "SELECT setval('numbers', 32767);"
        f"{WRITES}; ALTER TABLE shop_product ALTER id SET DEFAULT nextval('numbers')",
        Kind.SEQUENCE_EXHAUSTED,
        "shop_product.id",
    ),
    # Triggers.
    Change(
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.number = upper(NEW.number);"
        " RETURN NEW; END $$;"
        "CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamp();"
        "ALTER TABLE orders ADD code text NOT NULL",
        Kind.COLUMN_UNEXPECTED,
        "orders.code",
    ),
    Change(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RETURN jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[0], 'x')); END $$;"
        "CREATE TRIGGER fill BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fill('Code');"
        'ALTER TABLE orders ADD "Code" text NOT NULL'
    ),
    # What must be unique.
    Change(
        "ALTER TABLE shop_customer DROP CONSTRAINT shop_customer_email_key",
        Kind.UNIQUE_MISSING,
        "shop_customer.(email)",
    ),
    Change(
        "ALTER TABLE shop_customer DROP CONSTRAINT shop_customer_email_key;"
        "CREATE UNIQUE INDEX anything ON shop_customer (email) INCLUDE (name)"
    ),
    Change(
        "ALTER TABLE shop_customer DROP CONSTRAINT shop_customer_email_key;"
        "CREATE UNIQUE INDEX anything ON shop_customer (email) WHERE name = 'x'",
        Kind.UNIQUE_MISSING,
        "shop_customer.(email)",
    ),
    Change(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop_customer_email_key'::regclass",
        Kind.UNIQUE_MISSING,
        "shop_customer.(email)",
    ),
    Change("ALTER TABLE shop_vip DROP CONSTRAINT shop_vip_pkey", Kind.UNIQUE_MISSING, "shop_vip.(customer_ptr_id)"),
    Change(
        "ALTER TABLE shop_line DROP CONSTRAINT shop_line_pkey", Kind.UNIQUE_MISSING, "shop_line.(order_id, position)"
    ),
    Change(
        "DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE shop_vip DROP CONSTRAINT ' || quote_ident(conname)"
        " FROM pg_constraint WHERE conrelid = 'shop_vip'::regclass AND contype = 'f'); END $$"
    ),
]
MARIADB = [
    *ANYWHERE,
    UPDATABLE_VIEW,
    Change("ALTER TABLE shop_customer MODIFY metadata varchar(50)", Kind.COLUMN_NARROWER, "shop_customer.metadata"),
    Change("ALTER TABLE shop_customer MODIFY metadata int", Kind.COLUMN_TYPE, "shop_customer.metadata"),
    Change("ALTER TABLE shop_customer MODIFY created date NOT NULL", Kind.COLUMN_TYPE, "shop_customer.created"),
    Change("ALTER TABLE shop_customer MODIFY visits varchar(9) NOT NULL", Kind.COLUMN_TYPE, "shop_customer.visits"),
    Change("ALTER TABLE shop_customer MODIFY reference char(32) NOT NULL", Kind.COLUMN_TYPE, "shop_customer.reference"),
    Change("ALTER TABLE shop_customer MODIFY balance double", Kind.COLUMN_TYPE, "shop_customer.balance"),
    Change("ALTER TABLE shop_customer MODIFY logo longtext", Kind.COLUMN_TYPE, "shop_customer.logo"),
    Change("ALTER TABLE shop_customer MODIFY email varchar(20)", Kind.COLUMN_NARROWER, "shop_customer.email"),
    Change("ALTER TABLE shop_customer MODIFY notes text NOT NULL", Kind.COLUMN_NARROWER, "shop_customer.notes"),
    Change("ALTER TABLE shop_customer MODIFY visits smallint NOT NULL", Kind.COLUMN_NARROWER, "shop_customer.visits"),
    Change(
        "ALTER TABLE shop_customer MODIFY visits int unsigned NOT NULL", Kind.COLUMN_NARROWER, "shop_customer.visits"
    ),
    Change("ALTER TABLE shop_customer MODIFY balance decimal(8,2)", Kind.COLUMN_NARROWER, "shop_customer.balance"),
    Change("ALTER TABLE shop_customer MODIFY created datetime NOT NULL", Kind.COLUMN_NARROWER, "shop_customer.created"),
    Change("ALTER TABLE shop_customer MODIFY email varchar(254) NOT NULL", Kind.COLUMN_NOT_NULL, "shop_customer.email"),
    Change("ALTER TABLE orders ADD legacy_code text NOT NULL", Kind.COLUMN_UNEXPECTED, "orders.legacy_code"),
    Change("ALTER TABLE shop_product MODIFY id smallint NOT NULL", Kind.COLUMN_DEFAULT, "shop_product.id"),
    Change("ALTER TABLE shop_customer ALTER state DROP DEFAULT", Kind.COLUMN_DEFAULT, "shop_customer.state"),
    Change("ALTER TABLE shop_customer MODIFY visits bigint NOT NULL"),
    Change("ALTER TABLE shop_customer MODIFY visits int(5) NOT NULL"),
    Change("ALTER TABLE shop_customer MODIFY is_active smallint NOT NULL"),
    Change("ALTER TABLE shop_customer MODIFY email longtext"),
    Change("ALTER TABLE shop_customer MODIFY balance decimal(20,4)"),
    Change("ALTER TABLE shop_customer MODIFY visits int NULL"),
    Change("ALTER TABLE orders ADD later timestamp"),
    Change("ALTER TABLE orders ADD later enum('a', 'b') NOT NULL"),
    Change("RENAME TABLE shop_product TO base; CREATE VIEW shop_product AS SELECT * FROM base"),
    Change("ALTER TABLE orders ADD later int GENERATED ALWAYS AS (1) STORED"),
    Change("ALTER TABLE orders ADD later varchar(10) DEFAULT 'NULL' NOT NULL"),
    # Tables that take no rows.
    Change(
        "RENAME TABLE shop_vip TO vips; CREATE VIEW shop_vip AS SELECT DISTINCT * FROM vips",
        Kind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change("SET SESSION TRANSACTION READ ONLY", Kind.DATABASE_READ_ONLY),
    # Columns that the database computes or counts.
    Change(
        "ALTER TABLE shop_customer DROP points, ADD points bigint GENERATED ALWAYS AS (visits * 2) STORED",
        Kind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change(
        "ALTER TABLE shop_customer DROP points, ADD points bigint GENERATED ALWAYS AS (visits * 2) VIRTUAL",
        Kind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change("ALTER TABLE shop_product MODIFY id smallint NOT NULL DEFAULT 0", Kind.COLUMN_DEFAULT, "shop_product.id"),
    Change("ALTER TABLE shop_customer DROP shout, ADD shout varchar(100)", Kind.COLUMN_DEFAULT, "shop_customer.shout"),
    Change("ALTER TABLE shop_product AUTO_INCREMENT = 32767", Kind.SEQUENCE_EXHAUSTED, "shop_product.id"),
    Change("ALTER TABLE shop_product AUTO_INCREMENT = 32766"),
    Change("CREATE SEQUENCE plugs; ALTER TABLE shop_ownplug MODIFY id bigint NOT NULL DEFAULT nextval(plugs)"),
    # Triggers.
    Change(
        "ALTER TABLE orders ADD code varchar(9) NOT NULL;"
        "CREATE TRIGGER fill BEFORE INSERT ON orders FOR EACH ROW SET NEW.code = 'x'"
    ),
    Change(
        "ALTER TABLE orders ADD code varchar(9) NOT NULL;"
        "CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.number = upper(NEW.number)",
        Kind.COLUMN_UNEXPECTED,
        "orders.code",
    ),
    Change(
        "ALTER TABLE orders ADD code varchar(9) NOT NULL;"
        "CREATE TRIGGER fill BEFORE UPDATE ON orders FOR EACH ROW SET NEW.code = 'x'",
        Kind.COLUMN_UNEXPECTED,
        "orders.code",
    ),
    # What must be unique.
    Change("ALTER TABLE shop_customer DROP INDEX email", Kind.UNIQUE_MISSING, "shop_customer.(email)"),
    Change(
        "ALTER TABLE shop_customer DROP INDEX email, ADD UNIQUE (email(10))",
        Kind.UNIQUE_MISSING,
        "shop_customer.(email)",
    ),
    Change("ALTER TABLE shop_customer DROP INDEX email, ADD UNIQUE anything (email)"),
    Change("ALTER TABLE shop_line DROP PRIMARY KEY", Kind.UNIQUE_MISSING, "shop_line.(order_id, position)"),
    # Foreign keys.
    Change(
        "CREATE TABLE other LIKE shop_customer; ALTER TABLE orders DROP FOREIGN KEY {fk};"
        "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES other (id)",
        Kind.FOREIGN_KEY,
        "orders.customer_id",
    ),
    Change("ALTER TABLE orders DROP FOREIGN KEY {fk}"),
    # Character sets.
    Change(
        "ALTER TABLE shop_customer MODIFY notes longtext CHARACTER SET utf8mb3 NOT NULL",
        Kind.COLUMN_NARROWER,
        "shop_customer.notes",
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY name varchar(100) CHARACTER SET latin1 NOT NULL",
        Kind.COLUMN_NARROWER,
        "shop_customer.name",
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY reference char(36) CHARACTER SET ascii NOT NULL",
        Kind.COLUMN_TYPE,
        "shop_customer.reference",
    ),
]
SQLITE = [
    *ANYWHERE,
    Change('ALTER TABLE shop_customer ADD later text NOT NULL DEFAULT ""'),
    Change("ALTER TABLE shop_customer ADD later GENERATED ALWAYS AS (visits + 1) VIRTUAL"),
    Change(
        "DROP TABLE shop_ownplug; CREATE TABLE shop_ownplug (id text PRIMARY KEY)",
        Kind.COLUMN_DEFAULT,
        "shop_ownplug.id",
    ),
    Change(
        "DROP TABLE shop_ownplug; CREATE TABLE shop_ownplug (id integer PRIMARY KEY, later text NOT NULL)",
        Kind.COLUMN_UNEXPECTED,
        "shop_ownplug.later",
    ),
    Change(
        "DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id bigint PRIMARY KEY, discount int NOT NULL)",
        Kind.COLUMN_NOT_NULL,
        "shop_vip.discount",
    ),
    Change("DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id UNIQUE, discount)"),
    Change("DROP TABLE shop_vip; CREATE TABLE SHOP_VIP (Customer_Ptr_Id text PRIMARY KEY, DISCOUNT blob)"),
    Change("DROP TABLE shop_ownplug; CREATE TABLE shop_ownplug (id integer PRIMARY KEY)"),
    # Tables that take no rows.
    UPDATABLE_VIEW._replace(kind=Kind.TABLE_NOT_WRITABLE, names="shop_vip"),
    Change(
        UPDATABLE_VIEW.sql + "; CREATE TRIGGER stores INSTEAD OF INSERT ON shop_vip BEGIN"
        " INSERT INTO vips VALUES (NEW.customer_ptr_id, NEW.discount); END"
    ),
    Change("PRAGMA query_only = on", Kind.DATABASE_READ_ONLY),
    # Columns that the database computes or counts.
    Change(
        "ALTER TABLE shop_customer DROP points; ALTER TABLE shop_customer ADD points GENERATED ALWAYS AS (visits * 2)",
        Kind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change(
        "ALTER TABLE shop_customer DROP shout; ALTER TABLE shop_customer ADD shout varchar(100)",
        Kind.COLUMN_DEFAULT,
        "shop_customer.shout",
    ),
    *(
        Change(
            f"DROP TABLE shop_ownplug; CREATE TABLE shop_ownplug (id {column}", Kind.COLUMN_DEFAULT, "shop_ownplug.id"
        )
        for column in (
            "bigint PRIMARY KEY)",
            "integer PRIMARY KEY) WITHOUT ROWID",
            "integer DEFAULT 0, UNIQUE (id))",
        )
    ),
    # What must be unique.
    Change(
        "DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id, discount)",
        Kind.UNIQUE_MISSING,
        "shop_vip.(customer_ptr_id)",
    ),
    Change(
        "DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id, discount);"
        "CREATE UNIQUE INDEX some ON shop_vip (customer_ptr_id) WHERE discount > 1",
        Kind.UNIQUE_MISSING,
        "shop_vip.(customer_ptr_id)",
    ),
    # Foreign keys.
    Change(
        "DROP TABLE shop_vip;"
        "CREATE TABLE shop_vip (customer_ptr_id bigint PRIMARY KEY REFERENCES cat__old (id), discount)",
        Kind.FOREIGN_KEY,
        "shop_vip.customer_ptr_id",
    ),
    Change(
        "DROP TABLE shop_vip;"
        "CREATE TABLE shop_vip (customer_ptr_id bigint PRIMARY KEY REFERENCES SHOP_CUSTOMER (id), discount)"
    ),
]


def must_tell(told: CheckResult, change: Change) -> None:
    if change.kind is None:
        assert told.problem is None, told.problem
        return
    assert told.problem is not None
    assert told.status is (Status.UNHEALTHY if change.kind in UNHEALTHY else Status.DEGRADED)
    assert told.problem.code == change.kind
    if change.kind is Kind.DATABASE_READ_ONLY:
        assert told.problem.evidence["read_only"] is True
        return
    found = told.problem.evidence[change.kind]
    if change.names != "*":
        assert [entry if isinstance(entry, str) else entry["column"] for entry in found] == [change.names]
        assert change.names in told.problem.message
        assert {*told.problem.evidence} - {"alias", "found_in_schemas"} == {change.kind}


@pytest.fixture(scope="module", autouse=True)
def installed(postgres) -> Iterator[None]:
    # The PostgreSQL of the wheel brings no other extension with a type; most others bring this one.
    (is_vector,) = postgres.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")[0]
    extended = "vector(3)" if is_vector else "citext"
    # The models read these when they are imported.
    with (
        override_settings(SHOP_PLUG="shop.OwnPlug", SHOP_EXTENDED=extended),
        override_settings(INSTALLED_APPS=INSTALLED),
    ):
        yield


def migrate(alias: str) -> None:
    call_command("migrate", database=alias, verbosity=0, run_syncdb=True)


def extension() -> str:
    return settings.SHOP_EXTENDED.partition("(")[0]


def ids(change: Change) -> str:
    return change.sql[:60]


@pytest.fixture(scope="module")
def pg(postgres, connect_for_module) -> Iterator[str]:
    """Migrated, and looked at by a user who may read everything."""
    url = postgres.create(DATABASE)
    postgres.execute(
        "DROP ROLE IF EXISTS reader; CREATE ROLE reader; CREATE SCHEMA audit; "
        f"CREATE EXTENSION {extension()};"
        "CREATE DOMAIN email_address AS varchar(254)",
        DATABASE,
    )
    alias = connect_for_module(url, "pg")
    migrate(alias)
    postgres.execute(
        "GRANT USAGE ON SCHEMA public, audit TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA public, audit TO reader;"
        "GRANT CREATE ON SCHEMA public TO reader; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader",
        DATABASE,
    )
    yield alias
    connections[alias].close()
    postgres.drop(DATABASE)
    postgres.execute("DROP ROLE reader")


@pytest.mark.parametrize("change", POSTGRESQL, ids=ids)
def test_postgresql(result, pg, change) -> None:
    check = ModelSchema(pg)
    assert result(check).problem is None
    with transaction.atomic(using=pg):
        with connections[pg].cursor() as cursor:
            cursor.execute(change.sql.replace("{extension}", extension()))
            cursor.execute("SET LOCAL ROLE reader")
        must_tell(result(check), change)
        must_tell(result(ModelSchema(pg)), change)
        transaction.set_rollback(True, using=pg)
    assert result(check).problem is None


@pytest.fixture(scope="module")
def sqlite(connect_for_module, tmp_path_factory) -> str:
    alias = connect_for_module(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'db.sqlite3'}", "sqlite")
    migrate(alias)
    connections[alias].close()
    return alias


@pytest.mark.parametrize("change", SQLITE, ids=ids)
def test_sqlite(result, sqlite, change) -> None:
    path = connections[sqlite].settings_dict["NAME"]
    kept = shutil.copy(path, f"{path}.kept")
    check = ModelSchema(sqlite)
    try:
        assert result(check).problem is None
        connections[sqlite].ensure_connection()
        connections[sqlite].connection.executescript(change.sql)
        must_tell(result(check), change)
        must_tell(result(ModelSchema(sqlite)), change)
    finally:
        connections[sqlite].close()
        shutil.move(kept, path)
    assert result(check).problem is None


@pytest.fixture(scope="module")
def maria(connect_for_module) -> Iterator[str]:
    with mariadb_database(DATABASE) as url:
        alias = connect_for_module(url, "maria")
        migrate(alias)
        yield alias


@pytest.fixture
def restored(maria) -> Iterator[str]:
    """The database, made anew after the test, for MariaDB takes back no change of a schema."""
    with connections[maria].cursor() as cursor:
        tables = connections[maria].introspection.table_names(cursor)
        statements = []
        for table in tables:
            cursor.execute(f"SHOW CREATE TABLE `{table}`")
            statements.append(cursor.fetchone()[1])
        yield maria
        cursor.execute(f"DROP DATABASE {DATABASE}")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
        cursor.execute(f"USE {DATABASE}")
        cursor.execute("SET foreign_key_checks = 0")
        for statement in statements:
            cursor.execute(statement)


@pytest.mark.mariadb
@pytest.mark.parametrize("change", MARIADB, ids=ids)
def test_mariadb(result, restored, change) -> None:
    check = ModelSchema(restored)
    assert result(check).problem is None
    with connections[restored].cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute(
            "SELECT CONSTRAINT_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE()"
            " AND TABLE_NAME = 'orders' AND REFERENCED_TABLE_NAME = 'shop_customer'"
        )
        ((foreign_key,),) = cursor.fetchall()
        for statement in change.sql.replace("{fk}", foreign_key).split(";"):
            cursor.execute(statement)
    try:
        must_tell(result(check), change)
        must_tell(result(ModelSchema(restored)), change)
    finally:
        with connections[restored].cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ WRITE")
