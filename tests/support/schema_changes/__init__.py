"""Changes to the schema of ``tests.support.shop``, each with the finding that it must cause, if any."""

from __future__ import annotations

from typing import NamedTuple

from healthguard.database.schema import FindingKind


class Change(NamedTuple):
    """A change to a schema.

    Args:
        sql: the statements.
        kind: the kind of the finding that must be reported; None if nothing must be reported.
        names: the only table or column that must be reported; ``*`` for any.
    """

    sql: str
    kind: FindingKind | None = None
    names: str = ""


ANYWHERE = [
    Change("DROP TABLE shop_vip", FindingKind.TABLE_MISSING, "shop_vip"),
    Change("DROP TABLE shop_product_buyers", FindingKind.TABLE_MISSING, "shop_product_buyers"),
    Change("ALTER TABLE shop_vip RENAME TO shop_gone", FindingKind.TABLE_MISSING, "shop_vip"),
    Change("ALTER TABLE shop_customer DROP COLUMN metadata", FindingKind.COLUMN_MISSING, "shop_customer.metadata"),
    Change("ALTER TABLE shop_customer DROP COLUMN created", FindingKind.COLUMN_MISSING, "shop_customer.created"),
    Change(
        "ALTER TABLE shop_customer RENAME COLUMN state TO status", FindingKind.COLUMN_MISSING, "shop_customer.state"
    ),
    Change("ALTER TABLE shop_vip DROP COLUMN discount", FindingKind.COLUMN_MISSING, "shop_vip.discount"),
    Change("CREATE TABLE somebody_elses (x int NOT NULL)"),
    Change("ALTER TABLE shop_customer ADD COLUMN later varchar(20)"),
    Change("ALTER TABLE shop_customer ADD COLUMN later int DEFAULT 3 NOT NULL"),
]
"""The changes that are the same on every engine."""
UPDATABLE_VIEW = Change("ALTER TABLE shop_vip RENAME TO vips; CREATE VIEW shop_vip AS SELECT * FROM vips")
"""A view of one table, which accepts rows on PostgreSQL and MariaDB."""
