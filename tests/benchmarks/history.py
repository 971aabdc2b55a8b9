"""Apps with many migrations, like those of a real project."""

from __future__ import annotations

from pathlib import Path

_HEAD = """from django.db import migrations, models


def forwards(apps, schema_editor):
    pass


class Migration(migrations.Migration):
    dependencies = [{dependencies}]

    operations = [{operations}]
"""
_CREATE = """
        migrations.CreateModel(
            name="Item{number}",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("is_active", models.BooleanField(default=True)),
                ("created", models.DateTimeField(auto_now_add=True, db_index=True)),
                ("price", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
            ],
            options={{"verbose_name": "item", "ordering": ["name"]}},
        ),"""
_ALTER = """
        migrations.AddField("item1", "field{number}", models.CharField(blank=True, default="", max_length=50)),
        migrations.AlterField("item1", "email", models.EmailField(blank=True, max_length={number}54)),
        migrations.AddIndex("item1", models.Index(fields=["field{number}"], name="{app}_field{number}")),"""
_DATA = """
        migrations.AddField("item1", "total{number}", models.IntegerField(null=True)),
        migrations.RunPython(forwards, migrations.RunPython.noop),
        migrations.AlterField("item1", "total{number}", models.IntegerField(default=0)),"""
_KINDS = (_CREATE, _ALTER, _DATA)

CROSS = 10
"""Every tenth migration also depends on a migration of another app."""


def write_history(folder: Path, apps: int, each: int) -> list[str]:
    """Write ``apps`` apps with ``each`` migrations each to ``folder``, and return their names."""
    names = [f"history{number}" for number in range(apps)]
    for previous_app, app in zip([None, *names], names, strict=False):
        migrations = folder / app / "migrations"
        migrations.mkdir(parents=True)
        for package in (migrations.parent, migrations):
            (package / "__init__.py").touch()
        for number in range(1, each + 1):
            dependencies = [(app, _name(number - 1))] if number > 1 else []
            if previous_app is not None and number % CROSS == 0:
                dependencies.append((previous_app, _name(number)))
            operations = _KINDS[(number - 1) % len(_KINDS)].format(app=app, number=number)
            text = _HEAD.format(dependencies=", ".join(map(str, dependencies)), operations=f"{operations}\n    ")
            (migrations / f"{_name(number)}.py").write_text(text)
    return names


def _name(number: int) -> str:
    return f"{number:04}_change"
