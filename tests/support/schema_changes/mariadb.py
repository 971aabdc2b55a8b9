"""The changes to a schema on MariaDB."""

from __future__ import annotations

from healthguard.database.schema import FindingKind
from tests.support.schema_changes import ANYWHERE, UPDATABLE_VIEW, Change

MARIADB = [
    *ANYWHERE,
    UPDATABLE_VIEW,
    Change(
        "ALTER TABLE shop_customer MODIFY metadata varchar(50)", FindingKind.COLUMN_NARROWER, "shop_customer.metadata"
    ),
    Change("ALTER TABLE shop_customer MODIFY metadata int", FindingKind.COLUMN_TYPE, "shop_customer.metadata"),
    Change("ALTER TABLE shop_customer MODIFY created date NOT NULL", FindingKind.COLUMN_TYPE, "shop_customer.created"),
    Change(
        "ALTER TABLE shop_customer MODIFY visits varchar(9) NOT NULL", FindingKind.COLUMN_TYPE, "shop_customer.visits"
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY reference char(32) NOT NULL",
        FindingKind.COLUMN_TYPE,
        "shop_customer.reference",
    ),
    Change("ALTER TABLE shop_customer MODIFY balance double", FindingKind.COLUMN_TYPE, "shop_customer.balance"),
    Change("ALTER TABLE shop_customer MODIFY logo longtext", FindingKind.COLUMN_TYPE, "shop_customer.logo"),
    Change("ALTER TABLE shop_customer MODIFY email varchar(20)", FindingKind.COLUMN_NARROWER, "shop_customer.email"),
    Change("ALTER TABLE shop_customer MODIFY notes text NOT NULL", FindingKind.COLUMN_NARROWER, "shop_customer.notes"),
    Change(
        "ALTER TABLE shop_customer MODIFY visits smallint NOT NULL", FindingKind.COLUMN_NARROWER, "shop_customer.visits"
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY visits int unsigned NOT NULL",
        FindingKind.COLUMN_NARROWER,
        "shop_customer.visits",
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY balance decimal(8,2)", FindingKind.COLUMN_NARROWER, "shop_customer.balance"
    ),
    Change("ALTER TABLE shop_customer MODIFY balance decimal(20,4)", FindingKind.COLUMN_SCALE, "shop_customer.balance"),
    # The type json is a longtext with a CHECK constraint.
    Change("ALTER TABLE shop_customer MODIFY notes json NOT NULL", FindingKind.COLUMN_NARROWER, "shop_customer.notes"),
    Change(
        "ALTER TABLE shop_customer MODIFY state json DEFAULT 'new' NOT NULL",
        FindingKind.COLUMN_NARROWER,
        "shop_customer.state",
    ),
    Change("ALTER TABLE shop_customer MODIFY address json", FindingKind.COLUMN_NARROWER, "shop_customer.address"),
    Change("ALTER TABLE shop_customer MODIFY birthday json", FindingKind.COLUMN_TYPE, "shop_customer.birthday"),
    Change("ALTER TABLE shop_customer MODIFY metadata longtext NOT NULL"),
    Change("ALTER TABLE shop_customer MODIFY metadata json COMMENT 'x' NOT NULL"),
    Change(
        "ALTER TABLE shop_customer MODIFY metadata longblob NOT NULL", FindingKind.COLUMN_TYPE, "shop_customer.metadata"
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY created datetime NOT NULL",
        FindingKind.COLUMN_NARROWER,
        "shop_customer.created",
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY email varchar(254) NOT NULL",
        FindingKind.COLUMN_NOT_NULL,
        "shop_customer.email",
    ),
    Change("ALTER TABLE orders ADD legacy_code text NOT NULL", FindingKind.COLUMN_UNEXPECTED, "orders.legacy_code"),
    Change("ALTER TABLE shop_product MODIFY id smallint NOT NULL", FindingKind.COLUMN_DEFAULT, "shop_product.id"),
    Change("ALTER TABLE shop_customer ALTER state DROP DEFAULT", FindingKind.COLUMN_DEFAULT, "shop_customer.state"),
    Change("ALTER TABLE shop_customer MODIFY visits bigint NOT NULL"),
    Change("ALTER TABLE shop_customer MODIFY visits int(5) NOT NULL"),
    *(
        Change(f"ALTER TABLE shop_customer MODIFY is_active {type_} NOT NULL")
        for type_ in ("smallint", "int unsigned", "decimal(5, 2)", "double")
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY visits tinyint(1) NOT NULL",
        FindingKind.COLUMN_NARROWER,
        "shop_customer.visits",
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY is_active bit(1) NOT NULL", FindingKind.COLUMN_TYPE, "shop_customer.is_active"
    ),
    Change("ALTER TABLE shop_customer MODIFY name varchar(100) COMPRESSED NOT NULL"),
    Change("ALTER TABLE shop_ownplug MODIFY id bigint unsigned NOT NULL AUTO_INCREMENT"),
    Change(
        "ALTER TABLE shop_ownplug MODIFY id int NOT NULL AUTO_INCREMENT", FindingKind.COLUMN_NARROWER, "shop_ownplug.id"
    ),
    Change("ALTER TABLE shop_customer MODIFY email longtext"),
    Change("ALTER TABLE shop_customer MODIFY balance decimal(20,2)"),
    Change("ALTER TABLE shop_customer MODIFY visits int NULL"),
    Change("ALTER TABLE orders ADD later timestamp"),
    Change("ALTER TABLE orders ADD later enum('a', 'b') NOT NULL"),
    Change("RENAME TABLE shop_product TO base; CREATE VIEW shop_product AS SELECT * FROM base"),
    Change("ALTER TABLE orders ADD later int GENERATED ALWAYS AS (1) STORED"),
    Change("ALTER TABLE orders ADD later varchar(10) DEFAULT 'NULL' NOT NULL"),
    # Tables that accept no rows.
    Change(
        "RENAME TABLE shop_vip TO vips; CREATE VIEW shop_vip AS SELECT DISTINCT * FROM vips",
        FindingKind.TABLE_NOT_WRITABLE,
        "shop_vip",
    ),
    Change("SET SESSION TRANSACTION READ ONLY", FindingKind.DATABASE_READ_ONLY),
    # Columns whose values the database computes or generates.
    Change(
        "ALTER TABLE shop_customer DROP points, ADD points bigint GENERATED ALWAYS AS (visits * 2) STORED",
        FindingKind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change(
        "ALTER TABLE shop_customer DROP points, ADD points bigint GENERATED ALWAYS AS (visits * 2) VIRTUAL",
        FindingKind.COLUMN_GENERATED,
        "shop_customer.points",
    ),
    Change(
        "ALTER TABLE shop_product MODIFY id smallint NOT NULL DEFAULT 0", FindingKind.COLUMN_DEFAULT, "shop_product.id"
    ),
    Change(
        "ALTER TABLE shop_customer DROP shout, ADD shout varchar(100)",
        FindingKind.COLUMN_DEFAULT,
        "shop_customer.shout",
    ),
    Change("ALTER TABLE shop_product AUTO_INCREMENT = 32767", FindingKind.SEQUENCE_EXHAUSTED, "shop_product.id"),
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
        FindingKind.COLUMN_UNEXPECTED,
        "orders.code",
    ),
    Change(
        "ALTER TABLE orders ADD code varchar(9) NOT NULL;"
        "CREATE TRIGGER fill BEFORE UPDATE ON orders FOR EACH ROW SET NEW.code = 'x'",
        FindingKind.COLUMN_UNEXPECTED,
        "orders.code",
    ),
    # Unique constraints.
    Change("ALTER TABLE shop_customer DROP INDEX email", FindingKind.UNIQUE_MISSING, "shop_customer.(email)"),
    Change(
        "ALTER TABLE shop_customer DROP INDEX email, ADD UNIQUE (email(10))",
        FindingKind.UNIQUE_PREFIX,
        "shop_customer.(email)",
    ),
    Change("ALTER TABLE shop_customer DROP INDEX email, ADD UNIQUE (email(10)), ADD UNIQUE anything (email)"),
    Change("ALTER TABLE shop_customer DROP INDEX email, ADD UNIQUE anything (email)"),
    Change("ALTER TABLE shop_line DROP PRIMARY KEY", FindingKind.UNIQUE_MISSING, "shop_line.(order_id, position)"),
    # Foreign keys.
    Change(
        "CREATE TABLE other LIKE shop_customer; ALTER TABLE orders DROP FOREIGN KEY {fk};"
        "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES other (id)",
        FindingKind.FOREIGN_KEY,
        "orders.customer_id",
    ),
    Change("ALTER TABLE orders DROP FOREIGN KEY {fk}"),
    # Character sets.
    Change(
        "ALTER TABLE shop_customer MODIFY notes longtext CHARACTER SET utf8mb3 NOT NULL",
        FindingKind.COLUMN_NARROWER,
        "shop_customer.notes",
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY name varchar(100) CHARACTER SET latin1 NOT NULL",
        FindingKind.COLUMN_NARROWER,
        "shop_customer.name",
    ),
    Change(
        "ALTER TABLE shop_customer MODIFY reference char(36) CHARACTER SET ascii NOT NULL",
        FindingKind.COLUMN_TYPE,
        "shop_customer.reference",
    ),
]
