"""DatabaseRequirement compares the name in a URL, and reports only what is certain."""

from __future__ import annotations

import dj_database_url
import pytest

from healthguard.requirements import DatabaseRequirement
from healthguard.requirements.database_names import is_other_database

PASSWORD = "Zr2mVx7Lk4Tn9"
RIGHT = [
    f"postgres://app:{PASSWORD}@db:5432/shop",
    f"postgresql://app:{PASSWORD}@db/shop?sslmode=require",
    f"postgresql+psycopg://app:{PASSWORD}@db/shop",
    f"postgres://app:{PASSWORD}@%2Fvar%2Frun%2Fpostgresql/shop",
    f"postgres://app:{PASSWORD}@one:5432,two:5432/shop?target_session_attrs=any",
    f"postgres://app:{PASSWORD}@[2001:db8::1]:5432/shop",
    f"postgres://app:{PASSWORD}@db/sh%6Fp",
    "postgresql:///?dbname=shop&host=db",
    f"mysql://app:{PASSWORD}@db/SHOP",
    f"jdbc:postgresql://db/shop?user=app&password={PASSWORD}",
    f"host=db dbname=shop user=app password={PASSWORD}",
    f"host=db dbname='shop' password={PASSWORD}",
]
WRONG = [
    f"postgres://app:{PASSWORD}@db:5432/shop_staging",
    f"postgres://app:{PASSWORD}@db/SHOP",
    f"postgres://app:{PASSWORD}@db/shop%5Fold?sslmode=require",
    f"postgres://app:{PASSWORD}@db/shop/",
    "postgresql:///?dbname=other&host=db",
    f"mysql://app:{PASSWORD}@db/other",
    f"jdbc:postgresql://db/other?user=app&password={PASSWORD}",
    f"host=db dbname=other password={PASSWORD}",
    "sqlite:////data/other.sqlite3",
    "sqlite://:memory:",
    f"postgres://app:{PASSWORD}@db/",
    f"postgres://app:{PASSWORD}@db",
]
UNCERTAIN = [
    f"postgres://app:{PASSWORD}#1@db/other",
    f"postgres://app:{PASSWORD}/1@db/other",
    f"postgres://app:{PASSWORD}?1@db/other",
    "postgres://app:12/34@db/other",
    "postgres://app:12?34@db/other",
    "postgres://app:12#34@db/other",
    "postgresql://db/other?dbname=shop",
    f"mssql://app:{PASSWORD}@db/other",
    f"jdbc:sqlserver://db;databaseName=other;password={PASSWORD}",
    "projects/1/instances/other",
    "other",
]
SHOP = DatabaseRequirement(("DATABASE_URL",), database="shop")


def test_whitespace_around_a_name_of_several_words_is_not_minor() -> None:
    """The database of such a name does not exist."""
    judgement = DatabaseRequirement(("DB_NAME",), database="my shop").judge("DB_NAME", "my shop\n")
    assert judgement is not None
    assert judgement.problem.code == "variable_corrupted"
    assert not judgement.is_minor


@pytest.mark.parametrize("value", RIGHT)
def test_right_name_has_no_problem(value: str) -> None:
    """The name is decoded, and compared as the server does it."""
    assert SHOP.judge("DATABASE_URL", value) is None


@pytest.mark.parametrize("value", WRONG)
def test_other_name_is_the_wrong_database(value: str) -> None:
    """The problem has the code of the check, and shows no part of the value."""
    judgement = SHOP.judge("DATABASE_URL", value)
    assert judgement is not None
    assert (judgement.problem.code, judgement.is_minor) == ("wrong_database", False)
    assert judgement.problem.message == "Database 'default' must be 'shop', but DATABASE_URL does not name it."
    assert not any(part in repr(judgement) for part in (PASSWORD, "dbname=", "staging", "SHOP"))


@pytest.mark.parametrize("value", UNCERTAIN)
def test_value_of_an_unknown_form_has_no_problem(value: str) -> None:
    """Nothing is claimed if the name cannot be found with certainty."""
    assert SHOP.judge("DATABASE_URL", value) is None


@pytest.mark.parametrize(
    "value", [value for value in RIGHT if value.startswith(("postgres://", "mysql://")) and "," not in value]
)
def test_name_is_that_which_the_settings_get(value: str) -> None:
    """dj-database-url reads the same name."""
    name = dj_database_url.parse(value)["NAME"]
    assert not is_other_database(value, name, "DATABASE_URL")
    assert is_other_database(value, f"{name}_old", "DATABASE_URL")


@pytest.mark.parametrize(
    ("expected", "value", "is_wrong"),
    [
        ("shop.sqlite3", "sqlite:////data/shop.sqlite3", False),
        ("shop.sqlite3", "sqlite:///shop.sqlite3", False),
        ("shop.sqlite3", "sqlite:////data/old.sqlite3", True),
        ("/data/shop.sqlite3", "sqlite:////data/./shop.sqlite3", False),
        ("/data/shop.sqlite3", "sqlite:////old/shop.sqlite3", True),
        ("/data/shop.sqlite3", "sqlite:///shop.sqlite3", False),
        ("/data/shop.sqlite3", "sqlite:///old.sqlite3", True),
        ("/data/shop.sqlite3", "sqlite:///file:old.sqlite3?mode=ro", False),
        (":memory:", "sqlite://:memory:", False),
    ],
)
def test_file_of_sqlite_is_compared_by_its_path(expected: str, value: str, is_wrong: bool) -> None:
    """A relative path is below a folder that is not known."""
    assert is_other_database(value, expected, "DATABASE_URL") is is_wrong


@pytest.mark.parametrize(
    ("value", "is_wrong"), [("shop", False), ("shop_old", True), ("Zr2 mVx", False), ("a@b", False)]
)
def test_variable_for_the_name_contains_the_name(value: str, is_wrong: bool) -> None:
    """A variable whose name is not that of an address may contain only the name."""
    found = DatabaseRequirement(("DB_NAME",), database="shop").problem("DB_NAME", value)
    assert (found is not None) is is_wrong


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "variable_empty"),
        (f"postgres://app:{PASSWORD}@db/shop\n", "variable_corrupted"),
        ("postgres://app:<password>@db/shop", "variable_placeholder"),
    ],
)
def test_unusable_url_has_the_problem_of_a_variable(value: str, code: str) -> None:
    """An empty or corrupted URL leads to no database."""
    found = SHOP.problem("DATABASE_URL", value)
    assert found is not None
    assert found.code == code


def test_default_password_is_not_reported() -> None:
    """DatabaseName does not judge the password."""
    assert SHOP.judge("DATABASE_URL", "postgres://postgres:postgres@db/shop") is None


def test_jobs_need_the_database() -> None:
    """A job that migrates another database does harm."""
    assert SHOP.is_needed_by_jobs
