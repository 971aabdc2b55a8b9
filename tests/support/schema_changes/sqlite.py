"""The changes to a schema on SQLite."""

from __future__ import annotations

from healthguard.database.schema import FindingKind
from tests.support.schema_changes import ANYWHERE, UPDATABLE_VIEW, Change

SQLITE = [
    *ANYWHERE,
    Change('ALTER TABLE shop_customer ADD later text NOT NULL DEFAULT ""'),
    Change("ALTER TABLE shop_customer ADD later GENERATED ALWAYS AS (visits + 1) VIRTUAL"),
    Change(
        "DROP TABLE shop_ownplug; CREATE TABLE shop_ownplug (id blob PRIMARY KEY)",
        FindingKind.COLUMN_DEFAULT,
        "shop_ownplug.id",
    ),
    Change(
        "DROP TABLE shop_ownplug; CREATE TABLE shop_ownplug (id integer PRIMARY KEY, later text NOT NULL)",
        FindingKind.COLUMN_UNEXPECTED,
        "shop_ownplug.later",
    ),
    Change(
        "DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id bigint PRIMARY KEY, discount int NOT NULL)",
        FindingKind.COLUMN_NOT_NULL,
        "shop_vip.discount",
    ),
    Change("DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id UNIQUE, discount)"),
    Change("DROP TABLE shop_vip; CREATE TABLE SHOP_VIP (Customer_Ptr_Id numeric PRIMARY KEY, DISCOUNT blob)"),
    # Types with another affinity, which change the values.
    *(
        Change(
            f"DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id bigint PRIMARY KEY, discount {type_})",
            FindingKind.COLUMN_TYPE,
            "shop_vip.discount",
        )
        for type_ in ("text", "varchar(20)", "real", "double precision", "bool", "date")
    ),
    *(
        Change(f"DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id bigint PRIMARY KEY, discount {type_})")
        for type_ in ("INT", "smallint", "numeric", "decimal(9, 2)", "boolean")
    ),
    *(
        Change(f"ALTER TABLE shop_customer DROP {column}; ALTER TABLE shop_customer ADD {column} {type_}", kind, names)
        for column, type_, kind, names in (
            ("notes", "integer", FindingKind.COLUMN_NARROWER, "shop_customer.notes"),
            ("reference", "numeric", FindingKind.COLUMN_NARROWER, "shop_customer.reference"),
            ("metadata", "json", FindingKind.COLUMN_NARROWER, "shop_customer.metadata"),
            ("notes", "datetime", FindingKind.COLUMN_TYPE, "shop_customer.notes"),
            ("balance", "text", FindingKind.COLUMN_TYPE, "shop_customer.balance"),
            ("balance", "blob", FindingKind.COLUMN_TYPE, "shop_customer.balance"),
            ("is_active", "text", FindingKind.COLUMN_TYPE, "shop_customer.is_active"),
            ("created", "date", FindingKind.COLUMN_TYPE, "shop_customer.created"),
            ("created", "timestamp", None, ""),
            ("created", "text", None, ""),
            ("address", "integer", None, ""),
            ("notes", "clob", None, ""),
            ("notes", "blob", None, ""),
            ("balance", "real", None, ""),
            # Django rounds the numbers that it reads.
            ("balance", "decimal(12, 4)", None, ""),
            ("is_active", "integer", None, ""),
        )
    ),
    Change("DROP TABLE shop_ownplug; CREATE TABLE shop_ownplug (id integer PRIMARY KEY)"),
    # Tables that accept no rows.
    UPDATABLE_VIEW._replace(kind=FindingKind.TABLE_NOT_WRITABLE, names="shop_vip"),
    Change(
        UPDATABLE_VIEW.sql + "; CREATE TRIGGER stores INSTEAD OF INSERT ON shop_vip BEGIN"
        " INSERT INTO vips VALUES (NEW.customer_ptr_id, NEW.discount); END"
    ),
    Change("PRAGMA query_only = on", FindingKind.DATABASE_READ_ONLY),
    # Columns whose values the database computes or generates.
    Change(
        "ALTER TABLE shop_customer DROP points; ALTER TABLE shop_customer ADD points GENERATED ALWAYS AS (visits * 2)",
        FindingKind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change(
        "ALTER TABLE shop_customer DROP shout; ALTER TABLE shop_customer ADD shout varchar(100)",
        FindingKind.COLUMN_DEFAULT,
        "shop_customer.shout",
    ),
    *(
        Change(
            f"DROP TABLE shop_ownplug; CREATE TABLE shop_ownplug (id {column}",
            FindingKind.COLUMN_DEFAULT,
            "shop_ownplug.id",
        )
        for column in (
            "bigint PRIMARY KEY)",
            "integer PRIMARY KEY) WITHOUT ROWID",
            "integer DEFAULT 0, UNIQUE (id))",
        )
    ),
    # Unique constraints.
    Change(
        "DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id, discount)",
        FindingKind.UNIQUE_MISSING,
        "shop_vip.(customer_ptr_id)",
    ),
    Change(
        "DROP TABLE shop_vip; CREATE TABLE shop_vip (customer_ptr_id, discount);"
        "CREATE UNIQUE INDEX some ON shop_vip (customer_ptr_id) WHERE discount > 1",
        FindingKind.UNIQUE_MISSING,
        "shop_vip.(customer_ptr_id)",
    ),
    # Foreign keys.
    Change(
        "DROP TABLE shop_vip;"
        "CREATE TABLE shop_vip (customer_ptr_id bigint PRIMARY KEY REFERENCES cat__old (id), discount)",
        FindingKind.FOREIGN_KEY,
        "shop_vip.customer_ptr_id",
    ),
    Change(
        "DROP TABLE shop_vip;"
        "CREATE TABLE shop_vip (customer_ptr_id bigint PRIMARY KEY REFERENCES SHOP_CUSTOMER (id), discount)"
    ),
]
