"""The changes to a schema on PostgreSQL.

The role ``{reader}`` reads the changed schema. ``{other_role}`` is a role that a change creates.
"""

from __future__ import annotations

from healthguard.database.schema import FindingKind
from tests.support.schema_changes import ANYWHERE, UPDATABLE_VIEW, Change

WRITES = (
    "GRANT INSERT ON ALL TABLES IN SCHEMA public, audit TO {reader};"
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, audit TO {reader}"
)
"""The rights to write that most changes of rights start with."""
POSTGRESQL = [
    *ANYWHERE,
    UPDATABLE_VIEW,
    # Tables.
    Change("DROP SCHEMA public CASCADE", FindingKind.TABLE_MISSING, "*"),
    Change("ALTER TABLE shop_vip SET SCHEMA audit", FindingKind.TABLE_MISSING, "shop_vip"),
    Change("ALTER TABLE audit.events SET SCHEMA public", FindingKind.TABLE_MISSING, "audit.events"),
    Change("DROP SCHEMA audit CASCADE", FindingKind.TABLE_MISSING, "audit.events"),
    Change('DROP TABLE "with.dot"', FindingKind.TABLE_MISSING, "with.dot"),
    Change("ALTER TABLE shop_vip RENAME TO gone; CREATE SEQUENCE shop_vip", FindingKind.TABLE_MISSING, "shop_vip"),
    # Rights to read.
    Change("REVOKE SELECT ON shop_vip FROM {reader}", FindingKind.TABLE_UNREADABLE, "shop_vip"),
    Change("REVOKE USAGE ON SCHEMA audit FROM {reader}", FindingKind.TABLE_UNREADABLE, "audit.events"),
    Change("REVOKE USAGE ON SCHEMA public FROM {reader}, PUBLIC", FindingKind.TABLE_MISSING, "*"),
    Change(
        "REVOKE SELECT ON shop_vip FROM {reader}; GRANT SELECT (customer_ptr_id) ON shop_vip TO {reader}",
        FindingKind.COLUMN_UNREADABLE,
        "shop_vip.discount",
    ),
    # Types of another kind.
    *(
        Change(
            f"ALTER TABLE shop_customer ALTER {column} TYPE {type_}", FindingKind.COLUMN_TYPE, f"shop_customer.{column}"
        )
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
    Change("ALTER TABLE shop_postgres ALTER tags TYPE text USING 'x'", FindingKind.COLUMN_TYPE, "shop_postgres.tags"),
    Change("ALTER TABLE shop_postgres ALTER grid TYPE text[]", FindingKind.COLUMN_TYPE, "shop_postgres.grid"),
    Change(
        "ALTER TABLE shop_postgres ALTER during TYPE tsrange USING NULL",
        FindingKind.COLUMN_TYPE,
        "shop_postgres.during",
    ),
    Change("ALTER TABLE shop_postgres ALTER search TYPE text", FindingKind.COLUMN_TYPE, "shop_postgres.search"),
    Change("ALTER TABLE shop_postgres ALTER extended TYPE text", FindingKind.COLUMN_TYPE, "shop_postgres.extended"),
    Change(
        "ALTER TABLE shop_postgres ALTER address TYPE varchar(254)", FindingKind.COLUMN_TYPE, "shop_postgres.address"
    ),
    # Extensions and domains.
    Change("DROP DOMAIN email_address CASCADE", FindingKind.COLUMN_MISSING, "shop_postgres.address"),
    Change("DROP EXTENSION {extension} CASCADE", FindingKind.COLUMN_MISSING, "shop_postgres.extended"),
    Change(
        "DROP EXTENSION {extension} CASCADE; ALTER TABLE shop_postgres ADD extended text",
        FindingKind.UNKNOWN_TYPE,
        "shop_postgres.extended",
    ),
    Change(
        "ALTER TABLE shop_postgres ALTER address TYPE varchar(254); DROP DOMAIN email_address",
        FindingKind.UNKNOWN_TYPE,
        "shop_postgres.address",
    ),
    # Narrower types.
    *(
        Change(
            f"ALTER TABLE shop_customer ALTER {column} TYPE {type_}",
            FindingKind.COLUMN_NARROWER,
            f"shop_customer.{column}",
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
    Change(
        "ALTER TABLE shop_customer ALTER balance TYPE numeric(12, 4)",
        FindingKind.COLUMN_SCALE,
        "shop_customer.balance",
    ),
    Change("ALTER TABLE shop_ownplug ALTER id TYPE integer", FindingKind.COLUMN_NARROWER, "shop_ownplug.id"),
    Change("ALTER TABLE shop_line ALTER product_id TYPE smallint"),
    Change(
        "ALTER TABLE shop_vip ALTER customer_ptr_id TYPE integer",
        FindingKind.COLUMN_NARROWER,
        "shop_vip.customer_ptr_id",
    ),
    Change(
        "ALTER TABLE shop_postgres ALTER endless TYPE varchar(9)", FindingKind.COLUMN_NARROWER, "shop_postgres.endless"
    ),
    Change(
        "ALTER TABLE shop_postgres ALTER collated TYPE char(10)", FindingKind.COLUMN_NARROWER, "shop_postgres.collated"
    ),
    Change("ALTER TABLE shop_postgres ALTER tags TYPE varchar(9)[]", FindingKind.COLUMN_NARROWER, "shop_postgres.tags"),
    # Columns that make INSERTs fail.
    Change("ALTER TABLE shop_customer ALTER email SET NOT NULL", FindingKind.COLUMN_NOT_NULL, "shop_customer.email"),
    Change(
        "ALTER TABLE shop_customer ALTER email SET DEFAULT '', ALTER email SET NOT NULL",
        FindingKind.COLUMN_NOT_NULL,
        "shop_customer.email",
    ),
    Change("ALTER TABLE orders ADD legacy_code text NOT NULL", FindingKind.COLUMN_UNEXPECTED, "orders.legacy_code"),
    Change(
        "CREATE DOMAIN needed AS text NOT NULL; ALTER TABLE orders ADD legacy_code needed",
        FindingKind.COLUMN_UNEXPECTED,
        "orders.legacy_code",
    ),
    Change("ALTER TABLE shop_customer ALTER id DROP IDENTITY", FindingKind.COLUMN_DEFAULT, "shop_customer.id"),
    Change("DROP SEQUENCE shop_postgres_number_seq CASCADE"),
    Change("ALTER TABLE shop_customer ALTER state DROP DEFAULT", FindingKind.COLUMN_DEFAULT, "shop_customer.state"),
    Change("ALTER TABLE shop_customer ALTER shout DROP EXPRESSION", FindingKind.COLUMN_DEFAULT, "shop_customer.shout"),
    # Harmless changes.
    *(
        Change(f"ALTER TABLE shop_customer ALTER {column} TYPE {type_}")
        for column, type_ in (
            ("email", "varchar(255)"),
            ("email", "text"),
            ("level", "bigint"),
            ("visits", "bigint"),
            ("balance", "numeric"),
            ("balance", "numeric(12, 2)"),
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
        FindingKind.COLUMN_UNEXPECTED,
        "orders.code",
    ),
    Change("CREATE TABLE audit.shop_vip (x int)"),
    Change("ALTER TABLE shop_product_buyers ALTER id TYPE integer"),
    Change("ALTER TABLE shop_customer OWNER TO {reader}"),
    # Elements of arrays.
    Change("ALTER TABLE shop_postgres ALTER tags TYPE text[]", FindingKind.COLUMN_TYPE, "shop_postgres.tags"),
    Change("ALTER TABLE shop_postgres ALTER grid TYPE bigint[]", FindingKind.COLUMN_TYPE, "shop_postgres.grid"),
    Change("ALTER TABLE shop_postgres ALTER tags TYPE varchar(50)[]"),
    Change("ALTER TABLE shop_postgres ALTER tags TYPE varchar[]"),
    # An enum, which accepts only some texts.
    Change(
        "CREATE TYPE states AS ENUM ('new', 'old'); ALTER TABLE shop_customer ALTER state DROP DEFAULT,"
        "ALTER state TYPE states USING state::states, ALTER state SET DEFAULT 'new'",
        FindingKind.COLUMN_NARROWER,
        "shop_customer.state",
    ),
    # Tables that accept no rows.
    Change(
        "DROP TABLE shop_vip; CREATE MATERIALIZED VIEW shop_vip AS SELECT 1::bigint AS customer_ptr_id, 2 AS discount",
        FindingKind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change(
        "ALTER TABLE shop_vip RENAME TO vips; CREATE VIEW shop_vip AS SELECT DISTINCT * FROM vips",
        FindingKind.TABLE_NOT_WRITABLE,
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
        FindingKind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change(
        "DROP TABLE shop_vip;"
        "CREATE TABLE shop_vip (customer_ptr_id bigint, discount int, PRIMARY KEY (customer_ptr_id, discount))"
        " PARTITION BY RANGE (discount);"
        "CREATE TABLE vips PARTITION OF shop_vip DEFAULT",
        FindingKind.COLUMN_NOT_NULL,
        "shop_vip.discount",
    ),
    # Row-level security.
    Change("ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY", FindingKind.TABLE_UNREADABLE, "shop_vip"),
    Change(
        "ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY; CREATE POLICY reads ON shop_vip FOR SELECT USING (true)",
        FindingKind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change(
        "ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY all_of_it ON shop_vip TO {reader} USING (true) WITH CHECK (true)"
    ),
    Change(
        "CREATE ROLE {other_role}; ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY others ON shop_vip TO {other_role} USING (true)",
        FindingKind.TABLE_UNREADABLE,
        "shop_vip",
    ),
    Change("ALTER TABLE shop_vip OWNER TO {reader}; ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY"),
    Change(
        "ALTER TABLE shop_vip OWNER TO {reader};"
        "ALTER TABLE shop_vip ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        FindingKind.TABLE_UNREADABLE,
        "shop_vip",
    ),
    # Rights to write, for a user who has them for most tables.
    Change(WRITES),
    Change(f"{WRITES}; REVOKE INSERT ON shop_vip FROM {{reader}}", FindingKind.TABLE_NOT_WRITABLE, "shop_vip"),
    Change(
        f"{WRITES}; REVOKE INSERT ON shop_vip FROM {{reader}}; GRANT INSERT (discount) ON shop_vip TO {{reader}}",
        FindingKind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change(
        f"{WRITES}; REVOKE INSERT ON shop_vip FROM {{reader}};"
        "GRANT INSERT (customer_ptr_id, discount) ON shop_vip TO {reader}; ALTER TABLE shop_vip ADD later text"
    ),
    Change(f"{WRITES}; ALTER TABLE orders ADD later bigserial", FindingKind.SEQUENCE_DENIED, "orders.later"),
    Change(
        f"{WRITES}; ALTER TABLE shop_ownplug ALTER id DROP IDENTITY; CREATE SEQUENCE plugs OWNED BY shop_ownplug.id;"
        "ALTER TABLE shop_ownplug ALTER id SET DEFAULT nextval('plugs'); REVOKE ALL ON SEQUENCE plugs FROM {reader}",
        FindingKind.SEQUENCE_DENIED,
        "shop_ownplug.id",
    ),
    Change(f"{WRITES}; SET LOCAL transaction_read_only = on", FindingKind.DATABASE_READ_ONLY),
    # Columns whose values the database computes or generates.
    Change(
        "ALTER TABLE shop_customer DROP points, ADD points bigint GENERATED ALWAYS AS (visits * 2) STORED",
        FindingKind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change(
        "ALTER TABLE shop_customer ALTER points ADD GENERATED ALWAYS AS IDENTITY",
        FindingKind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change("ALTER TABLE shop_customer ALTER points ADD GENERATED BY DEFAULT AS IDENTITY"),
    Change("ALTER TABLE shop_customer ALTER id SET GENERATED ALWAYS", FindingKind.COLUMN_IDENTITY, "shop_customer.id"),
    *(
        Change(
            f"ALTER TABLE shop_customer ALTER id DROP IDENTITY, ALTER id {default}",
            FindingKind.COLUMN_DEFAULT,
            "shop_customer.id",
        )
        for default in ("SET DEFAULT 0", "SET DEFAULT NULL", "SET DEFAULT 2 + 3", "SET DEFAULT '7'::bigint")
    ),
    Change(
        "ALTER TABLE shop_customer ALTER id DROP IDENTITY; CREATE SEQUENCE numbers;"
        "ALTER TABLE shop_customer ALTER id SET DEFAULT nextval('numbers')"
    ),
    Change(
        "ALTER TABLE shop_customer DROP shout, ADD shout varchar(100)",
        FindingKind.COLUMN_DEFAULT,
        "shop_customer.shout",
    ),
    # Sequences.
    Change(
        f"{WRITES}; ALTER TABLE shop_ownplug ALTER id SET MAXVALUE 3;"
        "SELECT setval(pg_get_serial_sequence('shop_ownplug', 'id'), 3)",
        FindingKind.SEQUENCE_EXHAUSTED,
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
        FindingKind.SEQUENCE_EXHAUSTED,
        "shop_product.id",
    ),
    # Triggers.
    Change(
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.number = upper(NEW.number);"
        " RETURN NEW; END $$;"
        "CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamp();"
        "ALTER TABLE orders ADD code text NOT NULL",
        FindingKind.COLUMN_UNEXPECTED,
        "orders.code",
    ),
    Change(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RETURN jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[0], 'x')); END $$;"
        "CREATE TRIGGER fill BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fill('Code');"
        'ALTER TABLE orders ADD "Code" text NOT NULL'
    ),
    # Unique constraints.
    Change(
        "ALTER TABLE shop_customer DROP CONSTRAINT shop_customer_email_key",
        FindingKind.UNIQUE_MISSING,
        "shop_customer.(email)",
    ),
    Change(
        "ALTER TABLE shop_customer DROP CONSTRAINT shop_customer_email_key;"
        "CREATE UNIQUE INDEX anything ON shop_customer (email) INCLUDE (name)"
    ),
    Change(
        "ALTER TABLE shop_customer DROP CONSTRAINT shop_customer_email_key;"
        "CREATE UNIQUE INDEX anything ON shop_customer (email) WHERE name = 'x'",
        FindingKind.UNIQUE_MISSING,
        "shop_customer.(email)",
    ),
    Change(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop_customer_email_key'::regclass",
        FindingKind.UNIQUE_MISSING,
        "shop_customer.(email)",
    ),
    Change(
        "ALTER TABLE shop_vip DROP CONSTRAINT shop_vip_pkey", FindingKind.UNIQUE_MISSING, "shop_vip.(customer_ptr_id)"
    ),
    Change(
        "ALTER TABLE shop_line DROP CONSTRAINT shop_line_pkey",
        FindingKind.UNIQUE_MISSING,
        "shop_line.(order_id, position)",
    ),
    Change(
        "DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE shop_vip DROP CONSTRAINT ' || quote_ident(conname)"
        " FROM pg_constraint WHERE conrelid = 'shop_vip'::regclass AND contype = 'f'); END $$"
    ),
]
