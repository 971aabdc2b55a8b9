"""The settings of a project with only the apps in APPS, on the database in DATABASE_URL."""

from __future__ import annotations

import os

import dj_database_url

if os.environ["DATABASE_URL"].startswith("mysql:"):
    import pymysql

    # Django requires a minimum version of mysqlclient. PyMySQL replaces it and needs such a version number.
    pymysql.version_info = (2, 2, 4, "final", 0)
    pymysql.install_as_MySQLdb()

INSTALLED_APPS = os.environ["APPS"].split()
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
