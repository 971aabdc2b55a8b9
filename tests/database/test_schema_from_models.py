"""The schema that models imply, and the names of its tables."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, connections, models
from django.test import override_settings
from django.test.utils import isolate_apps

from example_project.postgres import Postgres
from healthguard.checks import ModelSchema
from healthguard.database.schema import TableName, from_models
from healthguard.database.schema.from_models import expected_from_models
from tests.support.calls import count_calls
from tests.support.fixture_types import Connect, RunCheck


@pytest.fixture
def alias(connect: Connect, postgres: Postgres, migrated_database: str) -> str:
    """The alias of a migrated database on PostgreSQL."""
    return connect(postgres.url_of(migrated_database))


def test_table_that_models_share_must_have_the_columns_of_the_managed_ones(alias: str) -> None:
    """A column of the unmanaged model is only known, so it is neither required nor unexpected."""
    with isolate_apps("example_project.vending") as registry:

        class One(models.Model):
            left = models.TextField()

            class Meta:
                app_label = "vending"
                db_table = "shared"

        class Two(models.Model):
            right = models.TextField()

            class Meta:
                app_label = "vending"
                db_table = "shared"

        class Three(models.Model):
            legacy = models.TextField()

            class Meta:
                app_label = "vending"
                db_table = "shared"
                managed = False

        assert apps is not registry
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(from_models, "apps", registry)
            expected = expected_from_models(connections[alias])
    (table,) = expected.values()
    assert list(expected) == [TableName("shared")]
    assert set(table.columns) == {"id", "left", "right"}
    assert table.known == {"id", "left", "right", "legacy"}


def test_work_grows_with_the_number_of_models_and_not_with_its_square() -> None:
    few, more, most = (_calls_of_expected_from_models(count) for count in (20, 40, 80))
    # Work that grows with the square would be three times as much.
    assert most - more == pytest.approx(2 * (more - few), rel=0.1)


def _calls_of_expected_from_models(count: int) -> int:
    """Return the number of function calls for an app with ``count`` models, each with its automatic key."""
    with isolate_apps("example_project.vending") as registry, pytest.MonkeyPatch.context() as patch:
        patch.setattr(from_models, "apps", registry)
        for index in range(count):
            meta = type("Meta", (), {"app_label": "vending"})
            fields = {"__module__": __name__, "Meta": meta, "amount": models.IntegerField()}
            type(f"Product{index}", (models.Model,), fields)
        # The first call fills caches of Django.
        expected_from_models(connection)
        assert len(expected_from_models(connection)) == count
        return count_calls(lambda: expected_from_models(connection), ["call"])


class ByModelName:
    """A router that allows models by name; for a many-to-many table, Django passes the model that has the field."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: object) -> bool:
        return model_name in self.names


@pytest.mark.parametrize(
    ("names", "tables"),
    [
        ({"permission", "contenttype", "group"}, {"auth_permission", "auth_group", "auth_group_permissions"}),
        ({"permission", "contenttype", "group_permissions"}, {"auth_permission"}),
    ],
)
def test_many_to_many_table_is_expected_with_the_model_of_its_field(
    result: RunCheck, connect: Connect, postgres: Postgres, database: str, names: set[str], tables: set[str]
) -> None:
    with override_settings(DATABASE_ROUTERS=[ByModelName(names)]):
        alias = connect(postgres.url_of(database))
        call_command("migrate", database=alias, verbosity=0)
        expected = expected_from_models(connections[alias])
        assert {table.name for table in expected} == tables | {"django_content_type"}
        assert result(ModelSchema(alias)).problem is None


@pytest.mark.parametrize(
    ("written", "quoted", "name"),
    [
        ("orders", '"orders"', TableName("orders")),
        ("billing.orders", '"billing"."orders"', TableName("orders", "billing")),
        ('billing"."orders', '"billing"."orders"', TableName("orders", "billing")),
        ('"with.dot"', '"with.dot"', TableName("with.dot")),
        ("orders", "`orders`", TableName("orders")),
        ("billing.orders", "`billing`.`orders`", TableName("orders", "billing")),
    ],
)
def test_table_name_is_split_into_schema_and_name(written: str, quoted: str, name: TableName) -> None:
    assert TableName.of(written) == name
    assert TableName.of_quoted(quoted) == name
